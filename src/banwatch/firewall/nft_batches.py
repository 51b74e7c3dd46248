"""
Bans sorted by the set of nftables that each belongs in, and what stands in every such set beside them. Pure.

A set of nftables holds networks of one length, so that a place is a jail, a family and a length.
"""

from collections.abc import Container, Iterable, Mapping

from banwatch.address import family_of, pack, unpack
from banwatch.firewall.base import MARKS, Key
from banwatch.firewall.nft_rules import BITS
from banwatch.firewall.refusal import INVALID_CIDR, NFTABLES, explain, refuse_some

Place = tuple[str, int, int]
"""A jail, a family, and the length of a prefix."""

Batches = dict[Place, dict[bytes, tuple[Key, int]]]
"""By place and address whose ban it is, and the milliseconds it has to stay."""

_LEAST_MARKED = {4: 3, 6: 8}  # networks of multicast and reserved addresses; larger ones hold somebody


def _masked(address: bytes, family: int, bits: int) -> bytes:
    mask, size = _MASKS[family, bits]
    return (int.from_bytes(address) & mask).to_bytes(size)


_MASKS = {
    (family, bits): ((1 << bits) - 1 << longest - bits, longest // 8)
    for family, longest in BITS.items()
    for bits in range(1, longest + 1)
}

MARKED: Mapping[tuple[int, int], tuple[bytes, str]] = {
    (family, bits): (address := _masked(pack(MARKS[family])[0], family, bits), unpack(address, bits))
    for family, bits in _MASKS
    if bits >= _LEAST_MARKED[family]
}
"""By family and length the mark of a set, as bytes and as text: what base.MARKS is in, cut to this length."""


class Failures:
    """Whom something was not done for, and why."""

    def __init__(self) -> None:
        self.why: dict[Key, str] = {}
        self.numbers: list[int | None] = []

    def add(self, keys: Iterable[Key], why: str) -> None:
        """Note that it was not done for `keys`."""
        self.why.update(dict.fromkeys(keys, why))

    def add_number(self, keys: Iterable[Key], number: int | None) -> None:
        """The same by an errno; None if there was no answer."""
        self.numbers.append(number)
        self.add(keys, explain(number, NFTABLES))

    def tell(self, doing: str) -> None:
        """
        Tell of them, if there are any.

        Args:
            doing: "banned", or "unbanned".
        Raises:
            FirewallError: there are.
        """
        if self.why:
            raise refuse_some(doing, self.why, next(iter(self.numbers), None), NFTABLES)


def sort_by_place(wanted: Iterable[tuple[Key, int]], known: Container[tuple[str, int]], failures: Failures) -> Batches:
    """
    `wanted`, each with its milliseconds, by place; of two of one target the later. Logins are left out, bits of a host within
    a network are cut off, and what cannot be in a set goes to `failures`.

    Args:
        known: the (jail, family) that have sets.
    """
    batches: Batches = {}
    for key, left in wanted:
        jail, (realm, who) = key
        if realm != "net":
            continue
        family = family_of(who)
        if (jail, family) not in known:
            failures.add([key], f"jail {jail} has no set")
            continue
        try:
            address, bits = pack(who)
        except (OSError, ValueError):
            failures.add([key], "no address or network in canonical text")
            continue
        if (family, bits) not in _MASKS:
            failures.add_number([key], INVALID_CIDR)
            continue
        if bits != BITS[family]:
            address = _masked(address, family, bits)
        if MARKED.get((family, bits), (b"",))[0] == address:
            failures.add([key], "it marks sets as filled, and is no address of anybody")
            continue
        batch = batches.get((jail, family, bits))
        if batch is None:
            batch = batches[jail, family, bits] = {}
        batch[address] = key, left
    return batches
