"""The rooms' own counters under the names of metrics."""

import asyncio
from pathlib import Path

from banwatch.config.model import Config, DaemonSpec, DoorsSpec, FilterSpec, JailSpec, Limit, LogSpec, Rule, Watch
from banwatch.control.server import Server
from banwatch.enforcer import Enforcer
from banwatch.engine import Engine
from banwatch.filter.match import compile_filter
from banwatch.firewall.null import NullFirewall
from banwatch.keeper import Keeper
from banwatch.ledger import Ledger
from banwatch.log import Log
from banwatch.logins.doors import Doors
from banwatch.logins.policy import Attempt
from banwatch.mender import Mender
from banwatch.metrics.registry import Metrics, Reading
from banwatch.metrics.table import TABLE
from banwatch.model import Ban, Chunk, Position, Target
from banwatch.readings import read_doors, read_edges, read_engine, read_reconciler, read_sources, read_store
from banwatch.reconciler import Reconciler
from banwatch.reporter import Reporter
from banwatch.scribe import Scribe
from banwatch.sources.base import Counters, SourceState
from banwatch.store.null import NullStore

LINES = b"failed for 192.0.2.7\nfailed for 192.0.2.7\nfailed for 192.0.2.8\nfine\n"


def make_engine() -> Engine:
    watch = Watch("door", logs=("/var/log/door.log",))
    rule = Rule("ip", frozenset({"auth"}), "ip", Limit(2, 600.0), 600.0)
    door = FilterSpec("door", header=("none",), failregex={"auth": ("^failed for <HOST>$",)})
    config = Config(
        DaemonSpec(),
        {"door": JailSpec("door", watch=(watch,), rules=(rule,)), "manual": JailSpec("manual")},
        {"door": door},
        broken=("exim4",),
        compiled={"door": compile_filter(door)},
    )
    return Engine(config)


def values(readings: list[Reading]) -> dict[tuple[str, ...], float]:
    return {(reading.name.removeprefix("banwatch_"), *reading.labels): reading.value for reading in readings}


def state(source: str, patterns: set[str], opened: bool = True) -> SourceState:
    counters = Counters(bytes=100, rotations=1, truncations=2, too_long=3, errors=4)
    return SourceState(source, frozenset(patterns), (source,), opened, True, 7, None, None, counters)


def test_the_engine() -> None:
    """Lines, matches, attempts, keys and bans after four lines of which three are attempts, two of them from one address."""
    engine = make_engine()
    chunk = Chunk("/var/log/door.log", LINES, 0, Position(1, 1, len(LINES)), True, 1000.0)
    assert len(engine.feed(chunk, 1000.0)) == 1
    found = values(list(read_engine(engine)))
    assert found[("filter_lines_total",)] == 4
    assert found[("filter_matches_total",)] == 3
    assert found[("filter_candidates_total",)] >= 3
    assert found[("engine_skewed_matches_total",)] == 0
    assert found[("jail_attempts_total", "door")] == 3
    assert found[("jail_keys_tracked", "door", "ip")] == 1
    assert found[("jail_ignored_total", "door")] == found[("jail_spared_total", "door")] == 0
    assert found[("jail_evictions_total", "manual")] == 0
    assert (found[("book_banned", "door")], found[("book_banned", "manual")]) == (1, 0)
    assert (found[("config_jails",)], found[("config_broken_jails",)]) == (2, 1)


def test_the_sources_go_by_configured_pattern() -> None:
    """Files that a glob found add up under the glob; one that several patterns lead to counts once."""
    states = {
        "/var/log/a.log": state("/var/log/a.log", {"/var/log/*.log", "/var/log/a.log"}),
        "/var/log/b.log": state("/var/log/b.log", {"/var/log/*.log"}),
        "/var/log/c": state("/var/log/c", {"/var/log/c"}, opened=False),
    }
    readings = list(read_sources(states.values()))
    assert {reading.labels for reading in readings} == {("/var/log/*.log",), ("/var/log/c",)}
    glob = [reading for reading in readings if reading.labels == ("/var/log/*.log",)]
    total = {name: sum(r.value for r in glob if r.name == f"banwatch_sources_{name}") for name in ("bytes_total", "open_files")}
    assert total == {"bytes_total": 200, "open_files": 2}
    assert values(readings)[("sources_open_files", "/var/log/c")] == 0
    assert values(readings)[("sources_unread_bytes", "/var/log/c")] == 7


def test_the_edges(tmp_path: Path) -> None:
    """What waits for the kernel, and what was asked over the socket."""
    server = Server(str(tmp_path / "socket"), "banwatch", False, {}, None)  # type: ignore[arg-type]
    server.requests["status"] += 2
    server.errors = 1
    enforcer = Enforcer(NullFirewall(), lambda change, at: None, lambda change, error: None)
    enforcer.retried, enforcer.given_up = 3, 4
    log = Log()
    log.configure(LogSpec(to="/dev/full"))
    log.logger().error("trouble")
    log.close()
    assert values(list(read_edges(enforcer, server, log))) == {
        ("firewall_waiting",): 0,
        ("firewall_retries_total",): 3,
        ("firewall_given_up_total",): 4,
        ("control_requests_total", "status"): 2,
        ("control_errors_total",): 1,
        ("log_lost_lines_total",): 1,
    }


def make_reconciler(engine: Engine, enforcer: Enforcer, reporter: Reporter) -> tuple[Reconciler, Mender]:
    async def lay() -> None: ...

    keeper = Keeper(engine, enforcer, reporter, lambda: 0.0)
    mender = Mender(NullFirewall(), keeper, enforcer, reporter, None, lambda: 0.0)
    return Reconciler(NullFirewall(), keeper, enforcer, mender, None, lay, asyncio.Lock(), lambda: 0.0), mender


def test_the_reconciler() -> None:
    """What should be in force and what is; repairs by their cause, also those that there never were."""
    engine = make_engine()
    enforcer = Enforcer(NullFirewall(), lambda change, at: None, lambda change, error: None)
    reporter = Reporter(Log().logger(), Metrics(), False)
    reconciler, mender = make_reconciler(engine, enforcer, reporter)
    bans = [Ban("door", Target("net", f"192.0.2.{number}"), "ip", 0.0, None) for number in range(3)]
    reporter.adopted(engine.ban(bans))
    reporter.lost(bans[:1])
    reconciler.repairs["rules"] += 2
    mender.by_hand["added"] += 3
    reconciler.suspended = True
    assert values(list(read_reconciler(reconciler, mender, reporter, engine.book))) == {
        ("firewall_expected",): 3,
        ("firewall_enforced",): 2,
        ("firewall_repairs_total", "set"): 0,
        ("firewall_repairs_total", "members"): 0,
        ("firewall_repairs_total", "ends"): 0,
        ("firewall_repairs_total", "rules"): 2,
        ("firewall_repairs_total", "order"): 0,
        ("firewall_repairs_suspended",): 1,
        ("firewall_by_hand_total", "added"): 3,
        ("firewall_by_hand_total", "removed"): 0,
    }


def test_the_doors() -> None:
    """Answers, reports and what was not answered, by door."""
    engine = make_engine()
    doors = Doors(DoorsSpec(), lambda: engine, lambda: 0.0, lambda changes: None, None)
    for _ in range(2):
        doors.desk.ask("exim", "bob", None, "exim")
    doors.desk.report("dovecot", Attempt("bob", None, "imap", ours=True))
    doors.desk.seconds.update(dovecot=0.0, exim=0.25)
    doors.refused["dovecot", "key"] = 3
    doors.kicker.done = 1
    assert values(list(read_doors(doors))) == {
        ("logins_decisions_total", "exim", "allow"): 2,
        ("logins_answer_seconds_total", "dovecot"): 0.0,
        ("logins_answer_seconds_total", "exim"): 0.25,
        ("logins_reports_total", "dovecot", "refused"): 1,
        ("logins_unanswered_total", "dovecot", "key"): 3,
        ("logins_kicks_total", "done"): 1,
        ("logins_kicks_total", "failed"): 0,
    }


def make_scribe() -> Scribe:
    return Scribe(NullStore(), Ledger(lambda: 0.0, lambda changes: None), lambda: 0.0, None)


def test_the_store() -> None:
    """What was written, what failed, what is missing in the history."""
    scribe = make_scribe()
    scribe.written, scribe.failed, scribe.lost = 3, 2, 1
    assert [reading.value for reading in read_store(scribe)] == [3, 2, 1]


def test_every_metric_has_its_source(tmp_path: Path) -> None:
    """Each reading is of a metric in the table, and no metric is left that nobody ever gives a value."""
    engine = make_engine()
    server = Server(str(tmp_path / "socket"), "banwatch", False, {}, None)  # type: ignore[arg-type]
    server.requests["status"] += 1
    enforcer = Enforcer(NullFirewall(), lambda change, at: None, lambda change, error: None)
    reporter = Reporter(Log().logger(), Metrics(), False)
    reconciler, mender = make_reconciler(engine, enforcer, reporter)
    readings = [*read_sources([state("/a", {"/a"})]), *read_engine(engine), *read_edges(enforcer, server, Log())]
    readings += read_store(make_scribe())
    readings += read_reconciler(reconciler, mender, reporter, engine.book)
    doors = Doors(DoorsSpec(), lambda: engine, lambda: 0.0, lambda changes: None, None)
    doors.desk.ask("exim", "bob", None, "exim")
    doors.desk.report("dovecot", Attempt("bob", None, "imap", success=True))
    doors.refused["dovecot", "key"] = 1
    readings += read_doors(doors)
    counted = {"metrics_scrapes_total", "daemon_errors_total", "book_bans_total", "book_unbans_total", "config_reloads_total"}
    counted |= {"jail_alarms_total"}
    known = {"config_last_reload_successful", "config_last_reload_timestamp_seconds", "daemon_degraded", "build_info"}
    given = {reading.name.removeprefix("banwatch_") for reading in readings} | counted | known
    table = {entry.name.removeprefix("banwatch_") for entry in TABLE if entry.kind != "histogram"}
    assert given == table
    metrics = Metrics()
    metrics.watch(lambda: readings, lambda: False)
    assert b'banwatch_control_requests_total{method="status"} 1.0\n' in metrics.render()[0]
