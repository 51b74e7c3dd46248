"""
How netlink frames what it says: message headers and attributes, to bytes and back. Pure.

Headers are in the byte order of this machine; what is inside an attribute is the subsystem's own business.
Source: Linux include/uapi/linux/netlink.h; netlink(7).
"""

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

NLMSG_ERROR = 2
NLMSG_DONE = 3

NLM_F_REQUEST = 0x001
NLM_F_MULTI = 0x002
NLM_F_ACK = 0x004
NLM_F_DUMP_INTR = 0x010
NLM_F_EXCL = 0x200
NLM_F_DUMP = 0x300
NLM_F_CREATE = 0x400

NLA_F_NESTED = 0x8000
NLA_F_NET_BYTEORDER = 0x4000
_TYPE = 0x3FFF

HEADER = Struct("=IHHII")
_ATTRIBUTE = Struct("=HH")
_NUMBER = Struct("=i")


class Request(NamedTuple):
    """A message that has no sequence number yet: its type, its flags, and what follows the netlink header."""

    type: int
    flags: int
    payload: bytes


class Message(NamedTuple):
    """One message as received; `payload` is what follows the netlink header."""

    type: int
    flags: int
    sequence: int
    payload: bytes


def encode_message(request: Request, sequence: int) -> bytes:
    """The bytes of `request`, to the kernel (port 0)."""
    return HEADER.pack(16 + len(request.payload), request.type, request.flags, sequence, 0) + request.payload


def decode_messages(data: bytes) -> Iterator[Message]:
    """
    The messages in one datagram, in order.

    Raises:
        ValueError: a length field says more, or less, than there can be.
    """
    start, end = 0, len(data)
    while end - start >= 16:
        length, kind, flags, sequence, _ = HEADER.unpack_from(data, start)
        if not 16 <= length <= end - start:
            raise ValueError(f"a netlink message of {length} bytes in {end - start}")
        yield Message(kind, flags, sequence, data[start + 16 : start + length])
        start += length + 3 & ~3


def decode_error(payload: bytes) -> int:
    """The errno in the payload of an NLMSG_ERROR or NLMSG_DONE message; 0 is success."""
    return -_NUMBER.unpack_from(payload)[0] if len(payload) >= 4 else 0


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded; `kind` may carry NLA_F_NESTED or NLA_F_NET_BYTEORDER."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(data: bytes, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """
    The attributes in `data` from `start` on, as (type without its flags, value).

    Raises:
        ValueError: a length field says more, or less, than there can be.
    """
    end = len(data)
    while end - start >= 4:
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if not 4 <= length <= end - start:
            raise ValueError(f"a netlink attribute of {length} bytes in {end - start}")
        yield kind & _TYPE, data[start + 4 : start + length]
        start += length + 3 & ~3
