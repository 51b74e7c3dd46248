"""Instants at which something is due, for any number of keys. Pure."""

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Timers(Generic[K]):
    """
    One instant for each key; setting it again replaces it.

    A replaced or cancelled entry stays in the heap until it comes up, or until more than half of the heap is such, so that
    `set` and `cancel` cost O(log n) and memory stays within twice what is due.
    """

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._serial = 0  # keeps keys themselves from being compared

    def __len__(self) -> int:
        return len(self._due)

    def set(self, key: K, at: float) -> None:
        """Make `key` due at `at`, whatever it was before."""
        self._due[key] = at
        self._serial += 1
        heappush(self._heap, (at, self._serial, key))
        self._compact()

    def cancel(self, key: K) -> None:
        """Forget `key`; nothing happens if it is not there."""
        self._due.pop(key, None)
        self._compact()

    def next_due(self) -> float | None:
        """The earliest instant, None if nothing is due ever."""
        heap, due = self._heap, self._due
        while heap and due.get(heap[0][2]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def pop_due(self, now: float) -> list[K]:
        """Take out every key due at `now` or before, earliest first."""
        keys: list[K] = []
        while (at := self.next_due()) is not None and at <= now:
            key = heappop(self._heap)[2]
            del self._due[key]
            keys.append(key)
        return keys

    def _compact(self) -> None:
        if len(self._heap) > 2 * len(self._due) + 64:
            self._heap = [(at, number, key) for number, (key, at) in enumerate(self._due.items())]
            self._serial = len(self._heap)
            heapify(self._heap)
