"""
Networks with a reason attached: which of them hold an address, and which lie inside a network.

Networks either nest or are disjoint, so one look per prefix length in use answers the first question and one bisection
the second, however many there are. Pure.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable

from banwatch.address import pack


class Prefixes:
    """
    The networks of one address family.

    Args:
        entries: canonical text of a network or address, and why it is here; the first reason for a network stays.
        bits: 32 or 128; entries of the other family are left out.
    """

    def __init__(self, entries: Iterable[tuple[str, str]], bits: int) -> None:
        self._bits = bits
        self._tables: dict[int, dict[int, str]] = {}
        """Prefix length → leading bits → reason; the longest prefixes come first."""
        self._starts: list[int] = []
        """Where the entries begin, each place once, sorted."""
        added = [value for text, reason in entries if (value := self._enter(text, reason)) is not None]
        self._starts = sorted(set(added))

    def __len__(self) -> int:
        return sum(map(len, self._tables.values()))

    def add(self, text: str, reason: str) -> bool:
        """Take up the network `text`: True if it is new; one that is there already keeps its reason."""
        value = self._enter(text, reason)
        if value is not None and not self._begins(value):
            insort(self._starts, value)
        return value is not None

    def remove(self, text: str) -> bool:
        """Drop the network `text`: True if it was there."""
        address, length = pack(text)
        value = int.from_bytes(address)
        table = self._tables.get(length, {}) if len(address) * 8 == self._bits else {}
        if table.pop(value >> (self._bits - length), None) is None:
            return False
        if not table:
            del self._tables[length]
        if self._narrowest(value) is None:
            del self._starts[bisect_left(self._starts, value)]
        return True

    def covering(self, value: int, length: int) -> str | None:
        """The reason of the narrowest entry that holds the network of `length` bits at `value`, None if none does."""
        for own, table in self._tables.items():
            if own <= length and (reason := table.get(value >> (self._bits - own))) is not None:
                return reason
        return None

    def within(self, value: int, length: int) -> str | None:
        """The reason of the lowest entry that lies in the network of `length` bits at `value`, None if none does."""
        end = value + (1 << (self._bits - length))
        for index in range(bisect_left(self._starts, value), len(self._starts)):
            start = self._starts[index]
            if start >= end:
                break
            own, reason = self._narrowest(start) or (0, "")
            if own >= length:  # only an entry that starts where the network starts can be wider
                return reason
        return None

    def first_bytes(self) -> set[int]:
        """The first bytes of all addresses that some entry holds."""
        return {byte for length, table in self._tables.items() for value in table for byte in first_bytes(value, length)}

    def _enter(self, text: str, reason: str) -> int | None:
        """The first address of the network, if it is of this family and new."""
        address, length = pack(text)
        if len(address) * 8 != self._bits:
            return None
        value = int.from_bytes(address)
        if length not in self._tables:
            self._tables[length] = {}
            self._tables = dict(sorted(self._tables.items(), reverse=True))
        table, key = self._tables[length], value >> (self._bits - length)
        if key in table:
            return None
        table[key] = reason
        return value

    def _begins(self, value: int) -> bool:
        index = bisect_left(self._starts, value)
        return index < len(self._starts) and self._starts[index] == value

    def _narrowest(self, start: int) -> tuple[int, str] | None:
        """Length and reason of the narrowest entry that begins at `start`."""
        for own, table in self._tables.items():
            value = start >> (self._bits - own)
            if value << (self._bits - own) == start and (reason := table.get(value)) is not None:
                return own, reason
        return None


def first_bytes(value: int, length: int) -> range:
    """The first bytes of the addresses in the network whose leading `length` bits are `value`."""
    if length >= 8:
        byte = value >> (length - 8)
        return range(byte, byte + 1)
    low = value << (8 - length)
    return range(low, low + (1 << (8 - length)))
