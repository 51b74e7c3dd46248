"""The plain integers that the rooms keep, under the names of metrics/registry.py: read only when somebody scrapes."""

from collections.abc import Iterable, Iterator

from banwatch.book.book import Book
from banwatch.control.server import Server
from banwatch.enforcer import Enforcer
from banwatch.engine import Engine
from banwatch.log import Log
from banwatch.logins.doors import Doors
from banwatch.mender import Mender
from banwatch.metrics.registry import Reading
from banwatch.reconciler import Reconciler
from banwatch.reporter import Reporter
from banwatch.scribe import Scribe
from banwatch.sources.base import SourceState


def read_sources(states: Iterable[SourceState]) -> Iterator[Reading]:
    """Of the logs, by the path or glob as configured: a path that a glob finds is no label, anybody may create it."""
    for state in states:
        counters, labels = state.counters, (min(state.patterns, default=""),)
        yield Reading("banwatch_sources_bytes_total", labels, counters.bytes)
        yield Reading("banwatch_sources_rotations_total", labels, counters.rotations)
        yield Reading("banwatch_sources_truncations_total", labels, counters.truncations)
        yield Reading("banwatch_sources_overlong_lines_total", labels, counters.too_long)
        yield Reading("banwatch_sources_errors_total", labels, counters.errors)
        yield Reading("banwatch_sources_open_files", labels, state.opened)
        yield Reading("banwatch_sources_parked_files", labels, state.parked)
        yield Reading("banwatch_sources_unread_bytes", labels, state.behind)


def read_engine(engine: Engine) -> Iterator[Reading]:
    """Of scanners, jails and the book."""
    scanned = engine.lanes.scanned()
    yield Reading("banwatch_filter_lines_total", (), scanned.lines)
    yield Reading("banwatch_filter_candidates_total", (), scanned.candidates)
    yield Reading("banwatch_filter_matches_total", (), scanned.matches)
    yield Reading("banwatch_engine_skewed_matches_total", (), engine.skewed)
    yield Reading("banwatch_engine_premature_matches_total", (), engine.premature)
    for name, jail in engine.jails.items():
        yield Reading("banwatch_jail_attempts_total", (name,), jail.total_failed)
        yield Reading("banwatch_jail_ignored_total", (name,), jail.ignored)
        yield Reading("banwatch_jail_spared_total", (name,), jail.spared)
        yield Reading("banwatch_jail_leaks_total", (name,), jail.leaks.total)
        yield Reading("banwatch_jail_evictions_total", (name,), jail.evicted)
        for rule, keys in jail.tracked().items():
            yield Reading("banwatch_jail_keys_tracked", (name, rule), keys)
        yield Reading("banwatch_book_banned", (name,), len(engine.book.of_jail(name)))
    yield Reading("banwatch_book_shed_total", (), engine.book.shed_count)
    yield Reading("banwatch_config_jails", (), len(engine.jails))
    yield Reading("banwatch_config_broken_jails", (), len(engine.config.broken))


def read_reconciler(reconciler: Reconciler, mender: Mender, reporter: Reporter, book: Book) -> Iterator[Reading]:
    """Of what the kernel should hold, does hold, and how often it had to be repaired."""
    yield Reading("banwatch_firewall_expected", (), book.enforced)
    yield Reading("banwatch_firewall_enforced", (), reporter.held.total())
    for cause, number in reconciler.repairs.items():
        yield Reading("banwatch_firewall_repairs_total", (cause,), number)
    yield Reading("banwatch_firewall_repairs_suspended", (), reconciler.suspended)
    for what, number in mender.by_hand.items():
        yield Reading("banwatch_firewall_by_hand_total", (what,), number)


def read_edges(enforcer: Enforcer, server: Server, log: Log) -> Iterator[Reading]:
    """Of what waits for the kernel, of the control socket, and of our own log."""
    yield Reading("banwatch_firewall_waiting", (), len(enforcer))
    yield Reading("banwatch_firewall_retries_total", (), enforcer.retried)
    yield Reading("banwatch_firewall_given_up_total", (), enforcer.given_up)
    for method, number in server.requests.items():
        yield Reading("banwatch_control_requests_total", (method,), number)
    yield Reading("banwatch_control_errors_total", (), server.errors)
    yield Reading("banwatch_log_lost_lines_total", (), log.lost)


def read_doors(doors: Doors) -> Iterator[Reading]:
    """Of what services asked and told."""
    desk, kicker = doors.desk, doors.kicker
    for labels, number in desk.decisions.items():
        yield Reading("banwatch_logins_decisions_total", labels, number)
    for door, seconds in desk.seconds.items():
        yield Reading("banwatch_logins_answer_seconds_total", (door,), seconds)
    for outcome, number in desk.reports.items():
        yield Reading("banwatch_logins_reports_total", outcome, number)
    for reason, number in doors.refused.items():
        yield Reading("banwatch_logins_unanswered_total", reason, number)
    yield Reading("banwatch_logins_kicks_total", ("done",), kicker.done)
    yield Reading("banwatch_logins_kicks_total", ("failed",), kicker.failed)


def read_store(scribe: Scribe) -> Iterator[Reading]:
    """Of what is written down."""
    yield Reading("banwatch_store_writes_total", (), scribe.written)
    yield Reading("banwatch_store_failures_total", (), scribe.failed)
    yield Reading("banwatch_store_lost_events_total", (), scribe.lost)
