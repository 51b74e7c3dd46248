"""
The elements of ipset's sets, by the hundred: to the bytes of an ADT attribute and back. Pure.

One struct holds a whole element with all its headers, so that 100,000 are 0.2 s each way.
Source: Linux net/netfilter/ipset/ip_set_hash_net.c, include/linux/netfilter/ipset/ip_set.h.
"""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import NamedTuple

from banwatch.address import unpack
from banwatch.host.frame import NLA_F_NESTED, NLA_F_NET_BYTEORDER, attribute, attributes

DATA = 7  # what each element is wrapped in
IP, CIDR, TIMEOUT, LINENO, BYTES, PACKETS = 1, 3, 6, 9, 24, 25
_FLAGS, _MARK, _PRIORITY, _QUEUE = 8, 27, 28, 29
_NOMATCH = 1 << 2
_BYTE_ORDER = dict.fromkeys((TIMEOUT, BYTES, PACKETS, _FLAGS, _MARK, _PRIORITY, _QUEUE), NLA_F_NET_BYTEORDER)
_IPADDR = {4: 1, 6: 2}
_SIZE = {4: 4, 6: 16}

Element = tuple[bytes, int, int]
"""The 4 or 16 bytes of an address, its prefix length, and the seconds it has to stay; 0 is for ever."""


class Member(NamedTuple):
    """What the kernel knows of an element: seconds left (None is for ever), and what it has matched since it was added."""

    left: float | None
    packets: int = 0
    bytes: int = 0


def _head(kind: int, length: int) -> bytes:
    """The header of an attribute whose value has `length` bytes."""
    return attribute(kind, bytes(length))[:4]


def _heads(family: int, rest: int, order: int) -> bytes:
    """The three headers before the bytes of an address: of the element, of its IP, of the address; `rest` bytes follow."""
    size = _SIZE[family]
    address = _head(_IPADDR[family] | order, size)
    return _head(DATA | NLA_F_NESTED, 8 + size + rest) + _head(IP | NLA_F_NESTED, 4 + size) + address


_CIDR = _head(CIDR, 1)
_TIMEOUT = _head(TIMEOUT | NLA_F_NET_BYTEORDER, 4)
_LINENO = _head(LINENO, 4)
_BYTES = _head(BYTES | NLA_F_NET_BYTEORDER, 8)
_PACKETS = _head(PACKETS | NLA_F_NET_BYTEORDER, 8)

_ADDED = {family: (Struct(f">12s{size}s4sB3x4sI4sI"), _heads(family, 24, NLA_F_NET_BYTEORDER)) for family, size in _SIZE.items()}
_DELETED = {family: (Struct(f">12s{size}s4sB3x4sI"), _heads(family, 16, NLA_F_NET_BYTEORDER)) for family, size in _SIZE.items()}
# the kernel demands the byte order flag on an address, and leaves it out itself
_LISTED = tuple((Struct(f">12s{size}s4sB3x4sI4sQ4sQ"), _heads(family, 40, 0)) for family, size in _SIZE.items())


def encode_added(family: int, elements: Sequence[Element]) -> bytes:
    """`elements` of one family, with their timeouts, each numbered from 1."""
    struct, heads = _ADDED[family]
    pack = struct.pack
    return b"".join(
        [
            pack(heads, address, _CIDR, bits, _TIMEOUT, seconds, _LINENO, number)
            for number, (address, bits, seconds) in enumerate(elements, 1)
        ]
    )


def encode_deleted(family: int, elements: Sequence[Element]) -> bytes:
    """`elements` of one family, each numbered from 1."""
    struct, heads = _DELETED[family]
    pack = struct.pack
    return b"".join([pack(heads, address, _CIDR, bits, _LINENO, at) for at, (address, bits, _) in enumerate(elements, 1)])


def decode_elements(data: bytes) -> Iterator[tuple[str, Member]]:
    """
    The elements that the kernel lists: canonical text of the address or network → what it knows of it. Exceptions of a
    set (`nomatch`) are nobody in it, and are left out.

    Raises:
        ValueError: an attribute is longer, or shorter, than it can be.
    """
    fast = _decode_as_laid_out(data)
    return iter(fast) if fast is not None else _decode_by_attribute(data)


def _decode_as_laid_out(data: bytes) -> list[tuple[str, Member]] | None:
    """All elements, if all have the layout of our own sets on a kernel that needs no padding; None if any differs."""
    for struct, heads in _LISTED:
        if len(data) % struct.size or not data.startswith(heads):
            continue
        layout = (heads, _CIDR, _TIMEOUT, _BYTES, _PACKETS)
        found = []
        for ip, address, cidr, bits, timeout, left, of_bytes, octets, of_packets, packets in struct.iter_unpack(data):
            if (ip, cidr, timeout, of_bytes, of_packets) != layout:
                return None
            found.append((unpack(address, bits), Member(float(left) or None, packets, octets)))
        return found
    return None


def _decode_by_attribute(data: bytes) -> Iterator[tuple[str, Member]]:
    """The same, slowly, for any order of attributes, and for sets that have less, or more, than ours."""
    for kind, value in attributes(data):
        if kind != DATA:
            continue
        element = dict(attributes(value))
        address = b"".join(octets for _, octets in attributes(element.get(IP, b"")))
        if len(address) not in (4, 16):
            raise ValueError(f"an element whose address has {len(address)} bytes")
        if int.from_bytes(element.get(_FLAGS, b"")) & _NOMATCH:
            continue
        bits = element[CIDR][0] if CIDR in element else 8 * len(address)
        left, octets, packets = (int.from_bytes(element.get(of, b"")) for of in (TIMEOUT, BYTES, PACKETS))
        yield unpack(address, bits), Member(float(left) or None, packets, octets)


def recode_elements(data: bytes) -> Iterator[bytes]:
    """
    The elements that the kernel lists, each as it wants them to be added, with all that it has: comments, counters, nomatch.

    Numbers keep their byte order, which they say; only addresses are listed without saying so. What is left of a timeout is
    whole seconds, rounded off: one more, so that nothing ends too early.

    Raises:
        ValueError: as `decode_elements`.
    """
    for kind, value in attributes(data):
        if kind != DATA:
            continue
        parts = []
        for part, content in attributes(value):
            if part == IP:
                address = b"".join(attribute(family | NLA_F_NET_BYTEORDER, octets) for family, octets in attributes(content))
                parts.append(attribute(IP | NLA_F_NESTED, address))
            elif part == TIMEOUT and any(content):
                parts.append(attribute(TIMEOUT | NLA_F_NET_BYTEORDER, min(int.from_bytes(content) + 1, 2**32 - 1).to_bytes(4)))
            else:
                parts.append(attribute(part | _BYTE_ORDER.get(part, 0), content))
        yield attribute(DATA | NLA_F_NESTED, b"".join(parts))
