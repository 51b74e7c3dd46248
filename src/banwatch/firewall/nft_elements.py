"""
The elements of nftables' sets, by the hundred: to the bytes of a list of elements and back. Pure.

A set holds addresses of one prefix length, so that an element is 4 or 16 bytes and has no length of its own. One struct holds
a whole element with all its headers.
Source: Linux include/uapi/linux/netfilter/nf_tables.h, net/netfilter/nf_tables_api.c (nf_tables_fill_setelem).
"""

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct

from banwatch.address import unpack
from banwatch.firewall.elements import Member
from banwatch.host.frame import NLA_F_NESTED, attribute, attributes

ELEM = 1  # what each element is wrapped in
KEY, TIMEOUT, EXPIRATION, EXPR = 1, 4, 5, 7
_VALUE = 1
_NAME, _DATA = 1, 2
_BYTES, _PACKETS = 1, 2
SIZE = {4: 4, 6: 16}

Element = tuple[bytes, int]
"""The 4 or 16 bytes of an address, and the milliseconds it has to stay; 0 is for ever."""

_COUNTER = b"counter\0"
_HEADER = Struct("=HH")


def _head(kind: int, length: int) -> bytes:
    """The header of an attribute whose value has `length` bytes."""
    return attribute(kind, bytes(length))[:4]


def _key_heads(size: int, rest: int, nested: int = NLA_F_NESTED) -> bytes:
    """The three headers before the bytes of an address: of the element, of its key, of the key's value; `rest` bytes follow."""
    return _head(ELEM | nested, 8 + size + rest) + _head(KEY | nested, 4 + size) + _head(_VALUE, size)


def _counter_heads(nested: int = NLA_F_NESTED) -> bytes:
    """From the header of the expression to that of its bytes; 8 bytes, a header and 8 more follow."""
    return _head(EXPR | nested, 12 + 4 + 24) + attribute(_NAME, _COUNTER) + _head(_DATA | nested, 24) + _head(_BYTES, 8)


_TIMEOUT = _head(TIMEOUT, 8)
_PACKETS_HEAD = _head(_PACKETS, 8)

# how the kernel lists the elements of our own sets where it needs no padding, by their length: with an end, and without
_TIMED: dict[int, tuple[Struct, tuple[bytes, ...]]] = {}
_ENDLESS: dict[int, tuple[Struct, tuple[bytes, ...]]] = {}
for _size in SIZE.values():
    _struct = Struct(f">12s{_size}s24sQ4sQ4sQ4sQ")
    _heads = (_key_heads(_size, 44 + 24, 0), _counter_heads(0), _PACKETS_HEAD, _TIMEOUT, _head(EXPIRATION, 8))
    _TIMED[_struct.size] = _struct, _heads
    _struct = Struct(f">12s{_size}s24sQ4sQ")
    _ENDLESS[_struct.size] = _struct, (_key_heads(_size, 44, 0), *_heads[1:3])

_KEYS = {size: (Struct(f">12s{size}s"), _key_heads(size, 0)) for size in SIZE.values()}
_ADDED = {size: (Struct(f">12s{size}s4sQ"), _key_heads(size, 12)) for size in SIZE.values()}
_COUNTED = {size: (Struct(f">12s{size}s4sQ24sQ4sQ"), _key_heads(size, 12 + 44), _counter_heads()) for size in SIZE.values()}


def encode_keys(addresses: Sequence[bytes]) -> bytes:
    """Elements of one family, by nothing but their addresses."""
    if not addresses:
        return b""
    struct, heads = _KEYS[len(addresses[0])]
    pack = struct.pack
    return b"".join([pack(heads, address) for address in addresses])


def encode_added(elements: Sequence[Element]) -> bytes:
    """Elements of one family with their timeouts."""
    if not elements:
        return b""
    struct, heads = _ADDED[len(elements[0][0])]
    pack = struct.pack
    return b"".join([pack(heads, address, _TIMEOUT, left) for address, left in elements])


def encode_counted(elements: Sequence[Element], counted: Iterable[Member]) -> bytes:
    """Elements of one family with their timeouts, and for each what has been counted already."""
    if not elements:
        return b""
    struct, heads, counter = _COUNTED[len(elements[0][0])]
    pack = struct.pack
    return b"".join(
        [
            pack(heads, address, _TIMEOUT, left, counter, member.bytes, _PACKETS_HEAD, member.packets)
            for (address, left), member in zip(elements, counted, strict=True)
        ]
    )


def decode_elements(data: bytes, bits: int) -> Iterator[tuple[str, Member]]:
    """
    The elements that the kernel lists: canonical text of the address or network → what it knows of it.

    Args:
        bits: the prefix length of what is in the set.
    Raises:
        ValueError: an attribute is longer, or shorter, than it can be.
    """
    start, end = 0, len(data)
    while end - start >= 4:
        length, kind = _HEADER.unpack_from(data, start)
        if not 4 <= length <= end - start:
            raise ValueError(f"a netlink attribute of {length} bytes in {end - start}")
        if fast := _TIMED.get(length):
            heads, address, counter, octets, head, packets, timeout, whole, expiration, left = fast[0].unpack_from(data, start)
            if (heads, counter, head, timeout, expiration) == fast[1]:
                yield unpack(address, bits), Member(left / 1000 if whole else None, packets, octets)
                start += length
                continue
        elif fast := _ENDLESS.get(length):
            heads, address, counter, octets, head, packets = fast[0].unpack_from(data, start)
            if (heads, counter, head) == fast[1]:
                yield unpack(address, bits), Member(None, packets, octets)
                start += length
                continue
        if kind & ~NLA_F_NESTED == ELEM:
            yield _decode_by_attribute(data[start + 4 : start + length], bits)
        start += length + 3 & ~3


def _decode_by_attribute(value: bytes, bits: int) -> tuple[str, Member]:
    element = dict(attributes(value))
    address = dict(attributes(element.get(KEY, b""))).get(_VALUE, b"")
    if len(address) not in (4, 16):
        raise ValueError(f"an element whose key has {len(address)} bytes")
    whole, left = (int.from_bytes(element.get(of, b"")) for of in (TIMEOUT, EXPIRATION))
    expression = dict(attributes(element.get(EXPR, b"")))
    counter = dict(attributes(expression.get(_DATA, b""))) if expression.get(_NAME) == _COUNTER else {}
    octets, packets = (int.from_bytes(counter.get(of, b"")) for of in (_BYTES, _PACKETS))
    return unpack(address, bits), Member(left / 1000 if whole else None, packets, octets)
