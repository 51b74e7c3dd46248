"""
Whether a new file is the copy of one that was read already.

copytruncate copies a log before it empties it. Where a glob matches the copy as well, its lines would count twice; an
editor that saves a log puts a copy in its place. A copy is read only from where the reading of the original had come to.
"""

from collections.abc import Iterable

from banwatch.sources.file import KNOWN, LogFile, Mark


def find_begin(new: LogFile, others: Iterable[LogFile], *, is_still: bool) -> int | None:
    """
    Where to begin reading the new file, 0 unless it is a copy; None while that cannot be told.

    Whoever starts as another one does, byte for byte, is suspect. It is a copy if it also has what stood before a place
    where the reading of the other one had been. While it has not grown so far, it is waited for until it is still, but not
    if it can be seen that it goes on differently.
    """
    size = new.size
    head, end = new.peek(0, KNOWN), Mark(size, new.peek(max(0, size - KNOWN), KNOWN))
    for other in others:
        for trace in other.traces:
            if len(trace.head) < KNOWN or not trace.marks or not trace.head.startswith(head):
                continue
            if size < trace.marks[-1].offset and not is_still:
                if _has(other, trace.marks[-1]) and not _has(other, end):  # it was not emptied, so it would have them
                    continue
                return None
            for mark in reversed(trace.marks):
                if _has(new, mark):
                    return mark.offset
    return 0


def _has(file: LogFile, mark: Mark) -> bool:
    return file.peek(mark.offset - len(mark.before), len(mark.before)) == mark.before
