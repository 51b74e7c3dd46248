"""ledger.py: what there is to remember, and what becomes of it."""

import pytest
from tests.evidence.conftest import SSHD, START, Log

from banwatch.config.model import Config, DaemonSpec, JailSpec, Limit, Rule, Watch
from banwatch.engine import Engine
from banwatch.ledger import Ledger
from banwatch.model import ALLOW, Ban, Chunk, Position, Target, Unban
from banwatch.sources.base import Counters, SourceState
from banwatch.store.restore import ENDED
from banwatch.store.values import Saved

NOW = 1_780_000_000.0
RULE = Rule("ip", frozenset({"auth"}), "ip", Limit(3, 600.0), 1800.0)


def ban(who="192.0.2.7", jail="sshd", until=NOW + 600, **changes):
    return Ban(jail, Target("net", who), "ip", NOW - 60, until, **{"rule": "ip", "failures": 3, **changes})


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path / "auth.log")


def config(log, *jails, broken=()):
    watch = (Watch("sshd", logs=(str(log.path),), timezone="UTC"), Watch("sshd", logs=("/elsewhere",)))
    specs = {name: JailSpec(name, watch=watch, rules=(RULE,)) for name in jails}
    return Config(DaemonSpec(), specs, {"sshd": SSHD}, compiled={"sshd": log.lens.filter}, broken=broken)


@pytest.fixture
def ledger(log):
    enacted = []
    ledger = Ledger(lambda: NOW, enacted.append)
    ledger.engine = Engine(config(log, "sshd", broken=("web",)), journaled=True)
    ledger.enacted = enacted
    return ledger


def test_the_book_goes_on(ledger):
    """Bans and allowances as they were; what is over has ended, what no jail wants too."""
    saved = [ban(), ban("192.0.2.8", ALLOW), ban("192.0.2.9", until=NOW), ban("192.0.2.10", "gone")]
    ended = ledger.restore(Saved(saved))
    assert [(unban.ban.target.who, unban.why) for unban in ended] == [("192.0.2.9", ENDED), ("192.0.2.10", "jail removed")]
    assert list(ledger.bans()) == saved[:2]
    assert ledger.ban(("sshd", Target("net", "192.0.2.7"))) == saved[0]
    assert ledger.ban(("sshd", Target("net", "192.0.2.9"))) is None
    assert ledger.engine.is_allowed(Target("net", "192.0.2.8")) == "allowed"


def test_bans_of_a_jail_with_problems_wait_for_it(ledger, log):
    """A typing error ends no ban: it is remembered, and back with the jail; or forgotten if the jail goes."""
    ledger.restore(Saved([ban(jail="web"), ban()]))
    assert [each.jail for each in ledger.engine.book] == ["sshd"]
    assert {each.jail for each in ledger.bans()} == {"web", "sshd"}
    assert ledger.unpark() == []
    ledger.engine = Engine(config(log, "sshd", "web"), older=ledger.engine)
    assert ledger.unpark() == [ban(jail="web")]
    assert ledger.parked == []
    ledger.parked = [ban(jail="other")]
    assert ledger.unpark() == []
    assert ledger.parked == []


def test_lines_of_a_restored_ban_do_not_count_again(ledger, log):
    """Those that were written around it and are read late belong to it."""
    ledger.restore(Saved([ban()]))
    log.write((NOW - 58 - START, "Failed for root from 192.0.2.7"), (NOW - 50 - START, "Failed for root from 192.0.2.7"))
    chunk = Chunk(str(log.path), log.path.read_bytes(), 0, Position(1, 2, 3), False, NOW, frozenset({str(log.path)}))
    assert ledger.engine.feed(chunk, NOW) == []
    assert ledger.engine.jails["sshd"].window("ip").attempts("192.0.2.7") == [(NOW - 50, "root")]


def test_what_is_found_late(ledger):
    """Bans of an earlier life come in, but not those that have ended since, nor an older end."""
    newer = ban(until=NOW + 9000)
    ledger.engine.ban([newer])
    ledger.ends(Unban(ban("192.0.2.8"), NOW, "by command"))
    ledger.found(Saved([ban(), ban("192.0.2.8"), ban("192.0.2.9"), ban("192.0.2.10", "gone"), ban("192.0.2.11", "web")]))
    assert ledger.enacted == [[ban("192.0.2.9")]]
    assert ledger.ban(("sshd", Target("net", "192.0.2.7"))) == newer
    assert ledger.parked == [ban("192.0.2.11", "web")]
    ledger.ends(Unban(ban("192.0.2.9"), NOW, "by command"))


def source(log, *patterns):
    return SourceState(str(log.path), frozenset(patterns), (), True, True, 0, None, None, Counters())


def test_where_the_lines_are(ledger, log):
    """In the logs that the jail watches, as far as they have been read, in this life or an earlier one."""
    assert ledger.where("sshd") == ()
    states = {str(log.path): source(log, str(log.path))}
    ledger.follow(lambda: states, {str(log.path): Position(1, 2, 3)})
    [where] = ledger.where("sshd")
    assert (where.source, where.end) == (str(log.path), (1, 2, 3))
    ledger.reads(Chunk(str(log.path), b"", 0, Position(1, 2, 99), True, NOW))
    assert [where.end for where in ledger.where("sshd")] == [(1, 2, 99)]
    assert ledger.where("unknown") == ()
    clue = ledger.clue(ban())
    assert (clue.kinds, clue.since, clue.until, clue.attempts, clue.logs) == (
        frozenset({"auth"}), NOW - 660, NOW - 60, 3, ledger.where("sshd"),
    )  # fmt: skip
    assert ledger.clue(ban(origin="manual")) is None
    assert ledger.clue(ban(rule="other")) is None


FAIL = "Failed for root from 192.0.2.7"


def feed(ledger, log, *lines):
    data = b"".join(b"%.1f sshd[1]: %s\n" % (NOW + after, text.encode()) for after, text in lines)
    chunk = Chunk(str(log.path), data, 0, Position(1, 2, 3), True, NOW, frozenset({str(log.path)}))
    return ledger.engine.feed(chunk, NOW + 10)


def reborn(ledger, log, *deltas):
    """Another life, with what the deltas say."""
    saved: dict = {}
    for delta in deltas:
        _, records = saved.setdefault((delta.jail, delta.rule), (delta.counts, {}))
        for key, record in delta.records:
            records.pop(key, None)
            if record:
                records[key] = record
    another = Ledger(lambda: NOW, lambda changes: None)
    another.engine = Engine(ledger.engine.config, journaled=True)
    another.restore(Saved(windows=saved))
    return another


@pytest.mark.parametrize("everything", [False, True])
def test_counts_go_on(ledger, log, everything):
    """Two before the end and one after it are three; what a success took back stays so."""
    deltas = []
    for lines in (
        [(1, FAIL), (1, "Failed for bob from 192.0.2.8")],
        [(2, FAIL), (2, "Failed for bob from 192.0.2.8")],
        [(3, "Accepted for bob from 192.0.2.8")],
    ):
        assert feed(ledger, log, *lines) == []
        deltas += ledger.windows(False)
    assert ledger.windows(False) == []
    another = reborn(ledger, log, *(ledger.windows(True) if everything else deltas))
    assert feed(another, log, (4, "Failed for bob from 192.0.2.8")) == []
    [ban] = feed(another, log, (4, FAIL))
    assert (ban.target.who, ban.failures) == ("192.0.2.7", 3)
    counts = [delta for delta in another.windows(False) if delta.rule == "ip"]
    assert [entry for delta in counts for entry in delta.records if entry[0] == "192.0.2.7"] == [("192.0.2.7", ())]


def test_a_rule_that_counts_something_else_starts_anew(ledger, log):
    """Another findtime is another window, as at a reload."""
    feed(ledger, log, (1, FAIL), (2, FAIL))
    [delta] = [delta for delta in ledger.windows(True) if delta.rule == "ip"]
    assert delta.counts == "auth by ip within 600"
    another = reborn(ledger, log, delta._replace(counts="auth by ip within 60"))
    assert feed(another, log, (4, FAIL)) == []


def test_good_logins_are_remembered(ledger, log):
    """Many from one address make it one that many share, in another life too."""
    feed(ledger, log, *((number, f"Accepted for user{number} from 192.0.2.7") for number in range(4)))
    deltas = list(ledger.windows(False))
    feed(ledger, log, (5, "Accepted for user5 from 192.0.2.7"))
    another = reborn(ledger, log, *deltas, *ledger.windows(False))
    assert another.engine.jails["sshd"].known.is_shared("192.0.2.7", NOW + 10)
    assert another.windows(True) == ledger.windows(True)
    assert feed(another, log, *((number, FAIL) for number in (6, 7, 8))) == []


def test_an_attempt_that_was_told_before_counts_once(ledger, log):
    """A hint before the end and the full line after it are one attempt."""
    feed(ledger, log, (1, "Invalid x from 192.0.2.7"), (2, FAIL))
    another = reborn(ledger, log, *ledger.windows(False))
    assert feed(another, log, (3, "Failed for x from 192.0.2.7")) == []
    [ban] = feed(another, log, (4, FAIL))
    assert ban.failures == 3
