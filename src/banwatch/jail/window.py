"""
The attempts of each key within findtime: an exact sliding window for many keys, in little memory.

A record is one flat tuple, (at, other, at, other, …), oldest first; `other` is the side of the attempt that is not the key.
Records lie in levels by their count, and in each level in the order in which they were last touched, so that the key to
give up under pressure (lowest count, then longest untouched) stands at the front of the first level. Most keys under a
spray have one attempt, and cost one dictionary slot, one tuple and one float beside their text. Pure.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

Record = tuple[Any, ...]

GRAIN = 5e-7
"""
Half a microsecond. Logs count in microseconds, which floats of this size hold only to a quarter of one: without it an
attempt exactly findtime old would count or not by the accident of its digits.
"""

SWEPT = 20_000
"""Keys that one sweep drops at most; more would hold up a ban."""


class Window:
    """
    Attempts by key; an attempt counts while it is at most findtime older than the newest of its key.

    What an older line brings after a newer one (two files, one attack) counts the same as if it had come in order.

    Args:
        findtime: seconds.
        maxretry: where the caller stops counting; more attempts of one line than this are not kept.
        budget: keys at most. One more costs the keys with the lowest count, the longest untouched first, their place: a
            128th of the budget at a time, so that the search for them is paid once.

    `items` gives everything as plain tuples, and `add` in that order builds the same window again.
    """

    __slots__ = ("_levels", "_ones", "_span", "_where", "budget", "evicted", "findtime", "maxretry")

    def __init__(self, findtime: float, maxretry: int, budget: int) -> None:
        self.findtime = findtime
        self.maxretry = maxretry
        self.budget = budget
        self.evicted = 0
        self._span = findtime + GRAIN
        self._ones: dict[str, Record] = {}
        self._levels: defaultdict[int, dict[str, Record]] = defaultdict(dict, {1: self._ones})
        self._where: dict[str, int] = {}  # key → its level, from the second on

    def __len__(self) -> int:
        return len(self._ones) + len(self._where)

    def add(self, key: str, at: float, other: object, attempts: int = 1) -> int:
        """
        Count `attempts` attempts at `at`: how many count for `key` now, these included; 0 if these are too old to count.
        """
        level = 1
        records = self._ones
        record = records.get(key)
        if record is None:
            known = self._where.get(key)
            if known is None:
                return self._begin(key, at, other, attempts)
            level = known
            records = self._levels[level]
            record = records[key]
        newest = record[-2]
        if at >= newest:
            floor = at - self._span
            record += (at, other) if attempts == 1 else (at, other) * min(attempts, self.maxretry)
        else:
            floor = newest - self._span
            if at < floor:
                return 0
            record = _insert(record, at, (at, other) * min(attempts, self.maxretry))
        if record[0] < floor:
            first = 2
            while record[first] < floor:
                first += 2
            record = record[first:]
        del records[key]
        count = len(record) >> 1
        if count != level:
            self._move(key, count)
        self._levels[count][key] = record
        return count if attempts <= self.maxretry else count + attempts - self.maxretry

    def attempts(self, key: str) -> list[tuple[float, Any]]:
        """The attempts that are kept for `key`, oldest first."""
        record = self._record(key)
        return list(zip(record[::2], record[1::2], strict=True))

    def others(self, key: str) -> list[Any]:
        """The other side of each attempt of `key`, oldest first."""
        return list(self._record(key)[1::2])

    def take(self, key: str, taken: Callable[[float, Any], bool]) -> None:
        """Take out those attempts of `key` for which `taken(at, other)` is true."""
        record = self._record(key)
        left: Record = ()
        for at, other in zip(record[::2], record[1::2], strict=True):
            if not taken(at, other):
                left += (at, other)
        if len(left) != len(record):
            self.discard(key)
            if left:
                self._put(key, left)

    def discard(self, key: str) -> None:
        """Empty the window of `key`."""
        self._levels[self._where.pop(key, 1)].pop(key, None)

    def items(self) -> Iterator[tuple[str, Record]]:
        """Every key with its record, the first to be given up first."""
        for level in sorted(self._levels):
            yield from self._levels[level].items()

    def failing(self, now: float) -> Iterator[str]:
        """The keys that have an attempt within findtime of `now`."""
        floor = now - self._span
        for records in self._levels.values():
            for key, record in records.items():
                if record[-2] >= floor:
                    yield key

    def sweep(self, clock: float, most: int = SWEPT) -> bool:
        """
        Drop up to `most` keys that have nothing within findtime of `clock`; True if there may be more of them.

        Levels are in the order of their last touch, which is nearly that of their time: what stands behind a younger
        record waits until that one goes.
        """
        floor = clock - self._span
        for level, records in list(self._levels.items()):
            old: list[str] = []
            for key, record in islice(records.items(), most):
                if record[-2] >= floor:
                    break
                old.append(key)
            self._drop(level, old)
            if len(old) > len(records) or not records:
                self._compact(level)
            most -= len(old)
            if most <= 0:
                return True
        return False

    def _record(self, key: str) -> Record:
        return self._levels[self._where.get(key, 1)].get(key, ())

    def _begin(self, key: str, at: float, other: object, attempts: int) -> int:
        if len(self._ones) + len(self._where) >= self.budget:
            self._make_room(at)
        if attempts == 1:
            self._ones[key] = (at, other)
        else:
            self._put(key, (at, other) * min(attempts, self.maxretry))
        return attempts

    def _put(self, key: str, record: Record) -> None:
        count = len(record) >> 1
        self._move(key, count)
        self._levels[count][key] = record

    def _move(self, key: str, count: int) -> None:
        if count == 1:
            self._where.pop(key, None)
        else:
            self._where[key] = count

    def _make_room(self, at: float) -> None:
        while self.sweep(at):
            pass
        excess = len(self) - self.budget + max(1, self.budget // 128)
        for level in sorted(self._levels):
            if excess <= 0 or len(self) < self.budget:
                break
            victims = list(islice(self._levels[level], excess))
            self._drop(level, victims)
            self.evicted += len(victims)
            excess -= len(victims)

    def _drop(self, level: int, keys: list[str]) -> None:
        records = self._levels[level]
        for key in keys:
            del records[key]
            self._where.pop(key, None)

    def _compact(self, level: int) -> None:
        """A dictionary never shrinks by itself; a copy is as small as what it holds."""
        records = self._levels[level]
        self._where = dict(self._where)
        if level == 1:
            self._ones = self._levels[1] = dict(records)
        elif records:
            self._levels[level] = dict(records)
        else:
            del self._levels[level]


def _insert(record: Record, at: float, attempts: Record) -> Record:
    """`record` with `attempts` at `at` in their place."""
    place = len(record) - 2
    while place and record[place - 2] > at:
        place -= 2
    return record[:place] + attempts + record[place:]
