"""What an entry of the journal is for those who watch it."""

from typing import NamedTuple

from banwatch.sources.journal_library import Handle
from banwatch.sources.journal_line import LineMaker
from banwatch.sources.journal_match import Matches


class Entry(NamedTuple):
    """
    Args:
        patterns: those that match it.
        line: with its end; see LineMaker.
        time: when journald got it, in microseconds; the line has the time at which it was sent, where that is known.
    """

    patterns: frozenset[str]
    line: bytes
    time: int
    cursor: str


def read_entry(handle: Handle, matches: Matches | None, lines: LineMaker) -> Entry | None:
    """
    The entry on which `handle` stands; None if nobody wants it, or it has no message.

    Args:
        matches: None: any entry is wanted.
    Raises:
        OSError: it is damaged.
    """
    value = handle.value
    patterns = frozenset[str]() if matches is None else matches.of(tuple([value(field) for field in matches.fields]))
    message = value(b"MESSAGE") if patterns or matches is None else None
    if message is None:
        return None
    program = value(b"SYSLOG_IDENTIFIER") or value(b"_COMM")
    pid = value(b"_PID") or value(b"SYSLOG_PID")
    came = handle.time()
    sent = value(b"_SOURCE_REALTIME_TIMESTAMP")
    at = int(sent) if sent is not None and sent.isdigit() and len(sent) <= 16 else came
    return Entry(patterns, lines.line(at, program, pid, message), came, handle.cursor())
