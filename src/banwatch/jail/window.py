"""
The attempts of each key within findtime: an exact sliding window for many keys, in little memory.

A record is one flat tuple, (at, other, at, other, …), oldest first; `other` is the side of the attempt that is not the key.
Most keys under a spray have one attempt, and cost one dictionary slot, one tuple and one float beside their text. Keys with
one attempt and keys with more lie apart, each in the order in which they were last touched: what has to make room first
stands in front. Pure.
"""

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

Record = tuple[Any, ...]

GRAIN = 5e-7
"""
Half a microsecond. Logs count in microseconds, which floats of this size hold only to a quarter of one: without it an
attempt exactly findtime old would count or not by the accident of its digits.
"""

SWEPT = 5_000
"""Keys that one sweep drops at most; more would hold up a ban."""


class Window:
    """
    Attempts by key; an attempt counts while it is at most findtime older than the newest of its key.

    What an older line brings after a newer one (two files, one attack) counts the same as if it had come in order.

    Args:
        findtime: seconds.
        maxretry: at so many attempts a key is full: its window is emptied, and `spent` has its record until the next one.
        budget: keys at most. One more makes those go that are over, else those with the lowest count, the longest untouched
            first. Some go at once (a 128th of the budget, a 16th if none has only one attempt), so that the search for
            them is paid once.

    `items` gives everything as plain tuples, and `add` in that order builds the same window again.
    """

    __slots__ = ("_more", "_ones", "_span", "budget", "evicted", "findtime", "maxretry", "spent")

    def __init__(self, findtime: float, maxretry: int, budget: int) -> None:
        self.findtime = findtime
        self.maxretry = maxretry
        self.budget = budget
        self.evicted = 0
        self.spent: Record = ()
        self._span = findtime + GRAIN
        self._ones: dict[str, Record] = {}
        self._more: dict[str, Record] = {}

    def __len__(self) -> int:
        return len(self._ones) + len(self._more)

    def __contains__(self, key: str) -> bool:
        return key in self._ones or key in self._more

    def add(self, key: str, at: float, other: object, attempts: int = 1) -> int:
        """
        Count `attempts` attempts at `at`: how many count for `key` now, these included; 0 if these are too old to count.

        If that is maxretry or more, the window of `key` is empty afterwards. Of more attempts than maxretry in one call only
        so many are in the record, though all of them are counted.
        """
        ones = self._ones
        record = ones.pop(key, None)
        if record is None:
            record = self._more.pop(key, None)
            if record is None:
                if attempts == 1 < self.maxretry and len(ones) + len(self._more) < self.budget:
                    ones[key] = (at, other)
                    return 1
                return self._begin(key, at, other, attempts)
        newest = record[-2]
        if at >= newest:
            floor = at - self._span
            record += (at, other) if attempts == 1 else (at, other) * min(attempts, self.maxretry)
        else:
            floor = newest - self._span
            if at < floor:
                self._put(key, record)
                return 0
            record = _insert(record, at, (at, other) * min(attempts, self.maxretry))
        if record[0] < floor:
            first = 2
            while record[first] < floor:
                first += 2
            record = record[first:]
        count = len(record) >> 1
        if count >= self.maxretry:
            self.spent = record
            return count if attempts == 1 else count + max(0, attempts - self.maxretry)
        if count == 1:
            ones[key] = record
        else:
            self._more[key] = record
        return count

    def attempts(self, key: str) -> list[tuple[float, Any]]:
        """The attempts that are kept for `key`, oldest first."""
        record = self._ones.get(key) or self._more.get(key, ())
        return list(zip(record[::2], record[1::2], strict=True))

    def take(self, key: str, taken: Callable[[float, Any], bool]) -> None:
        """Take out those attempts of `key` for which `taken(at, other)` is true."""
        attempts = self.attempts(key)
        left = [attempt for attempt in attempts if not taken(*attempt)]
        if len(left) != len(attempts):
            self.discard(key)
            if left:
                self._put(key, tuple(chain.from_iterable(left)))

    def discard(self, key: str) -> None:
        """Empty the window of `key`."""
        if self._ones.pop(key, None) is None:
            self._more.pop(key, None)

    def items(self) -> Iterator[tuple[str, Record]]:
        """Every key with its record, each half in the order of the last touch."""
        yield from self._ones.items()
        yield from self._more.items()

    def shift(self, seconds: float) -> None:
        """Move all attempts by `seconds`, as the clock was: what counted goes on counting for the lines to come."""
        for records in (self._ones, self._more):
            for key, record in records.items():
                records[key] = tuple(
                    chain.from_iterable((at + seconds, other) for at, other in zip(record[::2], record[1::2], strict=True))
                )

    def failing(self, now: float) -> Iterator[str]:
        """The keys that have an attempt within findtime of `now`."""
        floor = now - self._span
        return (key for key, record in self.items() if record[-2] >= floor)

    def sweep(self, clock: float, most: int = SWEPT) -> bool:
        """
        Drop up to `most` keys that have nothing within findtime of `clock`; True if there may be more of them.

        Keys are in the order of their last touch, which is nearly that of their time: what stands behind a younger record
        waits until that one goes.
        """
        self._ones, ones = _sweep(self._ones, clock - self._span, most)
        self._more, more = _sweep(self._more, clock - self._span, most - ones)
        return ones + more >= most

    def _begin(self, key: str, at: float, other: object, attempts: int) -> int:
        if attempts >= self.maxretry:
            self.spent = (at, other) * self.maxretry
            return attempts
        if len(self) >= self.budget:
            self._make_room(at)
        self._put(key, (at, other) * attempts)
        return attempts

    def _put(self, key: str, record: Record) -> None:
        if len(record) == 2:
            self._ones[key] = record
        else:
            self._more[key] = record

    def _make_room(self, at: float) -> None:
        while self.sweep(at):
            pass
        wanted = len(self) - self.budget + 1
        if wanted > 0 and self._ones:
            wanted -= self._evict(self._ones, list(islice(self._ones, max(wanted, self.budget // 128))))
        if wanted > 0 and self._more:
            self._evict(self._more, _fewest(self._more, max(wanted, self.budget // 16)))

    def _evict(self, records: dict[str, Record], keys: list[str]) -> int:
        _drop(records, keys)
        self.evicted += len(keys)
        return len(keys)


def _sweep(records: dict[str, Record], floor: float, most: int) -> tuple[dict[str, Record], int]:
    """`records` without what stands in front and is older than `floor`, `most` at most, and how many these were."""
    old: list[str] = []
    for key, record in islice(records.items(), most):
        if record[-2] >= floor:
            break
        old.append(key)
    _drop(records, old)
    # A dictionary never shrinks by itself; a copy is as small as what it holds.
    return dict(records) if len(old) > len(records) or not records else records, len(old)


def _drop(records: dict[str, Record], keys: list[str]) -> None:
    for key in keys:
        del records[key]


def _insert(record: Record, at: float, attempts: Record) -> Record:
    """`record` with `attempts` at `at` in their place."""
    place = len(record) - 2
    while place and record[place - 2] > at:
        place -= 2
    return record[:place] + attempts + record[place:]


def _fewest(records: dict[str, Record], number: int) -> list[str]:
    """The `number` keys with the fewest attempts, among equals those in front."""
    limit = sorted(map(len, records.values()))[:number][-1]
    fewer = [key for key, record in records.items() if len(record) < limit]
    equal = (key for key, record in records.items() if len(record) == limit)
    return [*fewer, *islice(equal, number - len(fewer))]
