"""When bans end, earliest first. Pure."""

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush

from banwatch.model import Target

Entry = tuple[float, str, Target]
"""When a ban ends, its jail, its target."""


class Ends:
    """
    A heap beside the book.

    What was prolonged or lifted stays in the heap until it comes up, or until more than half of the heap is such; so there is
    one small tuple for each ban, and no second dictionary.

    Args:
        ends: when the ban on (jail, target) ends as the book has it; None if there is none, or if it has no end.
    """

    def __init__(self, ends: Callable[[str, Target], float | None]) -> None:
        self._ends = ends
        self._heap: list[Entry] = []

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, until: float, jail: str, target: Target) -> None:
        """The ban on (jail, target) ends at `until`, as the book has it."""
        heappush(self._heap, (until, jail, target))

    def next(self) -> float | None:
        """The earliest end, None if nothing ends."""
        heap = self._heap
        while heap and self._ends(heap[0][1], heap[0][2]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def pop(self, now: float) -> tuple[str, Target] | None:
        """The ban that ends first, if it ends at `now` or before; it has to be taken out of the book at once."""
        until = self.next()
        if until is None or until > now:
            return None
        _, jail, target = heappop(self._heap)
        return jail, target

    def compact(self, bans: int, entries: Iterable[Entry]) -> None:
        """Start anew with `entries`, those of the book, if the heap holds far more than its `bans`."""
        if len(self._heap) > 2 * bans + 64:
            self.renew(entries)

    def renew(self, entries: Iterable[Entry]) -> None:
        """Hold `entries` and nothing else."""
        self._heap = list(entries)
        heapify(self._heap)
