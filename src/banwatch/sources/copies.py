"""
Whether a new file is the copy of one that is read anyway.

copytruncate copies a log before it empties it. Where a glob matches the copy as well, its lines would count twice; an
editor that saves a log puts a copy in its place. Of a copy only that is read which the original did not give: what it has
more, and what the original lost when it was emptied.
"""

from collections.abc import Iterable
from typing import NamedTuple

from banwatch.sources.file import LogFile, Trace
from banwatch.sources.prints import KNOWN


class Original(NamedTuple):
    """A file that may have been copied, and the content it had then, which it may have lost since."""

    file: LogFile
    trace: Trace

    @property
    def is_intact(self) -> bool:
        try:
            return self.file.is_open and self.trace is self.file.traces[0] and self.trace.marks[-1].fits(self.file)
        except OSError:  # what cannot be read now may be anything
            return False


def find_originals(new: LogFile, others: Iterable[LogFile]) -> list[Original]:
    """Those of which the new file may be, or become, a copy."""
    head = new.peek(0, KNOWN)
    return [
        Original(other, trace)
        for other in others
        for trace in other.traces
        if trace.head.startswith(head) or head.startswith(trace.head)
    ]


def find_begin(new: LogFile, originals: Iterable[Original], *, is_still: bool) -> int | None:
    """
    Where to begin reading the new file, 0 unless it is a copy; None while that cannot be told.

    Whoever starts as another one does, byte for byte, is suspect. That it is no copy can often be seen at once. What the
    original will have given in the end is known only when the copying is over and the original was emptied, or not: when
    the new file is still.
    """
    size, head = new.size, new.peek(0, KNOWN)
    for original in originals:
        trace = original.trace
        if len(trace.head) < KNOWN or not trace.marks or not trace.head.startswith(head):
            continue
        begin = _compare(new, size, original.file) if original.is_intact else _compare_memory(new, size, trace)
        if begin != 0:
            return (begin or 0) if is_still else None
    return 0


def _compare(new: LogFile, size: int, other: LogFile) -> int:
    """How much the new file has in common with one that is as it was; 0 if it goes on differently."""
    common = min(size, other.size)
    before = max(0, common - KNOWN)
    return common if new.peek(before, common - before) == other.peek(before, common - before) else 0


def _compare_memory(new: LogFile, size: int, trace: Trace) -> int | None:
    """
    How much of the new file was read in another that has been emptied since; None if it is too short to tell.

    A copy may lack the last lines that were read: then all it has was read.
    """
    reached = [mark for mark in trace.marks if mark.offset <= size]
    for mark in reversed(reached):
        if mark.fits(new):
            return size if mark is reached[-1] and size < trace.marks[-1].offset else mark.offset
    return 0 if reached else None
