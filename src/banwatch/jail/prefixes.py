"""
Networks with a reason attached: which of them hold an address, and which lie inside a network.

Networks either nest or are disjoint, so one look per prefix length in use answers the first question and one bisection
the second, however many there are. Pure.
"""

from bisect import bisect_left
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
        tables: dict[int, dict[int, str]] = {}
        starts: dict[int, tuple[int, str]] = {}
        for text, reason in entries:
            address, length = pack(text)
            if len(address) * 8 != bits:
                continue
            value = int.from_bytes(address)
            tables.setdefault(length, {}).setdefault(value >> (bits - length), reason)
            if value not in starts or starts[value][0] < length:
                starts[value] = (length, reason)
        self._bits = bits
        self._tables = sorted(tables.items(), reverse=True)
        self._starts = sorted(starts)
        self._narrowest = starts

    def covering(self, value: int, length: int) -> str | None:
        """The reason of the narrowest entry that holds the network of `length` bits at `value`, None if none does."""
        for own, table in self._tables:
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
            own, reason = self._narrowest[start]
            if own >= length:  # only an entry that starts where the network starts can be wider
                return reason
        return None

    def first_bytes(self) -> set[int]:
        """The first bytes of all addresses that some entry holds."""
        found: set[int] = set()
        for length, table in self._tables:
            for value in table:
                if length >= 8:
                    found.add(value >> (length - 8))
                else:
                    low = value << (8 - length)
                    found.update(range(low, low + (1 << (8 - length))))
        return found
