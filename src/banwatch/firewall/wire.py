"""
ipset's messages: requests to bytes, replies to values. Pure.

Sets are created from here too, although there are libraries that can: the one library that speaks ipset to asyncio brings
233 modules, 13 MB and 0.1 s with it whichever part of it is imported, and this is one message of six attributes.

Source: Linux include/uapi/linux/netfilter/ipset/ip_set.h, net/netfilter/ipset/ip_set_core.c; nfnetlink.h for the header.
Numbers inside attributes are big-endian, and say so by a flag. Protocol 6 is understood by every kernel since 2.6.39.
"""

import socket
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import NamedTuple

from banwatch.firewall.elements import Element, Member, decode_elements, encode_added, encode_deleted, recode_elements
from banwatch.host.frame import (
    NLA_F_NESTED,
    NLA_F_NET_BYTEORDER,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    Request,
    attribute,
    attributes,
)

LONGEST = 2_147_483
"""The longest timeout that ipset keeps, in seconds (24.8 days); what is longer it cuts without a word."""

PER_MESSAGE = 512
"""Elements in one message, which is acknowledged before the next is sent."""

TYPE = "hash:net"
REVISION = 3  # the first with counters; every later kernel still has it
MAXELEM = 4_194_304  # a limit, not memory

_SUBSYSTEM = 6 << 8
_CMD_PROTOCOL, _CMD_CREATE, _CMD_DESTROY, _CMD_SWAP, _CMD_LIST, _CMD_ADD, _CMD_DEL, _CMD_TYPE = 1, 2, 3, 6, 7, 9, 10, 13
# attributes of a command; then those of a set, which stand inside DATA
_PROTOCOL, _SETNAME, _TYPENAME, _REVISION, _FAMILY, _FLAGS, _DATA, _ADT, _LINENO = range(1, 10)
_SETNAME2 = _TYPENAME
_TIMEOUT, _CADT_FLAGS, _MAXELEM, _ELEMENTS = 6, 8, 19, 24
_LIST_HEADER = 1 << 2
_WITH_COUNTERS = 1 << 3

_AF = {4: socket.AF_INET, 6: socket.AF_INET6}
_FAMILY_OF = {int(number): family for family, number in _AF.items()}

_NFGEN = Struct(">BBH")
_U32 = Struct(">I")


class Header(NamedTuple):
    """
    A set without its elements. `family` is 4 or 6, 0 for types that have none; `timeout` says whether its elements
    have such; `extensions` are bits for what else they have, counters and comments and the like, as the kernel numbers them.
    """

    name: str
    type: str
    family: int
    timeout: bool
    elements: int = 0
    maxelem: int = 0
    revision: int = 0
    extensions: int = 0


# ---------------------------------------------------------------- requests


def encode_protocol() -> Request:
    """Asks for the protocol version: the cheapest way to learn whether ip_set is there, and whether we may speak to it."""
    return _request(_CMD_PROTOCOL, NLM_F_ACK, 0)


def encode_type(family: int) -> Request:
    """Asks whether the kernel has (or can load) the type of our sets."""
    return _request(_CMD_TYPE, NLM_F_ACK, family, attribute(_TYPENAME, _text(TYPE)), attribute(_FAMILY, bytes([_AF[family]])))


def encode_create(name: str, family: int) -> Request:
    """Creates a set of ours, with timeouts and counters; EEXIST if there is one of that name."""
    like = Header(name, TYPE, family, timeout=True, maxelem=MAXELEM, revision=REVISION, extensions=_WITH_COUNTERS)
    return encode_create_like(name, like)


def encode_create_like(name: str, like: Header) -> Request:
    """Creates a set of the type hash:net, with timeouts, and with room and extensions as `like` has; EEXIST as above."""
    data = _number(_TIMEOUT, 0) + _number(_MAXELEM, like.maxelem) + _number(_CADT_FLAGS, like.extensions)
    return _request(
        _CMD_CREATE,
        NLM_F_ACK | NLM_F_EXCL,
        like.family,
        attribute(_SETNAME, _text(name)),
        attribute(_TYPENAME, _text(TYPE)),
        attribute(_REVISION, bytes([like.revision])),
        attribute(_FAMILY, bytes([_AF[like.family]])),
        attribute(_DATA | NLA_F_NESTED, data),
    )


def encode_swap(one: str, other: str) -> Request:
    """Lets two sets of one type change their names: a rule that refers to one of them refers to the other from now on."""
    return _request(_CMD_SWAP, NLM_F_ACK, 0, attribute(_SETNAME, _text(one)), attribute(_SETNAME2, _text(other)))


def encode_destroy(name: str) -> Request:
    """Destroys a set; ERR_BUSY while a rule refers to it."""
    return _request(_CMD_DESTROY, NLM_F_ACK, 0, attribute(_SETNAME, _text(name)))


def encode_headers() -> Request:
    """Asks for the headers of all sets of this network namespace, whoever made them."""
    return _request(_CMD_LIST, NLM_F_DUMP, 0, _number(_FLAGS, _LIST_HEADER))


def encode_list(name: str) -> Request:
    """Asks for the elements of a set."""
    return _request(_CMD_LIST, NLM_F_DUMP, 0, attribute(_SETNAME, _text(name)))


def encode_add(name: str, family: int, elements: Sequence[Element]) -> Request:
    """
    Adds up to PER_MESSAGE elements. One that is there already gets the new timeout and keeps its counters, because the
    request does not say NLM_F_EXCL.
    """
    return _elements(_CMD_ADD, name, family, encode_added(family, elements))


def encode_add_again(name: str, family: int, elements: Sequence[bytes]) -> Request:
    """Adds elements of another set, as `decode_again` gives them; no more than 100."""
    return _elements(_CMD_ADD, name, family, b"".join(elements))


def encode_del(name: str, family: int, elements: Sequence[Element]) -> Request:
    """Deletes up to PER_MESSAGE elements; one that is not there is none of our troubles, without NLM_F_EXCL."""
    return _elements(_CMD_DEL, name, family, encode_deleted(family, elements))


# ---------------------------------------------------------------- replies


def decode_failed(reply: bytes) -> int:
    """
    Which element an add or a del failed at, counted from 1; 0 if the message failed as a whole.

    The elements before it are done, those after it have not been looked at.

    Args:
        reply: payload of the NLMSG_ERROR message: the errno, then our request with both its headers, in which the kernel
            has written the number.
    """
    for kind, value in attributes(reply, 4 + 16 + _NFGEN.size):
        if kind == _LINENO and len(value) == 4:
            return int(_U32.unpack(value)[0])
    return 0


def decode_header(payload: bytes) -> Header | None:
    """The set that a message of a dump of headers is about; None if it is about none."""
    command = dict(attributes(payload, _NFGEN.size))
    if _SETNAME not in command or _TYPENAME not in command:
        return None
    data = dict(attributes(command.get(_DATA, b"")))
    return Header(
        name=_string(command[_SETNAME]),
        type=_string(command[_TYPENAME]),
        family=_FAMILY_OF.get(command.get(_FAMILY, b"\0")[0], 0),
        timeout=_TIMEOUT in data,
        elements=_value(data.get(_ELEMENTS)),
        maxelem=_value(data.get(_MAXELEM)),
        revision=_value(command.get(_REVISION)),
        extensions=_value(data.get(_CADT_FLAGS)),
    )


def decode_members(payload: bytes) -> Iterator[tuple[str, Member]]:
    """
    The elements in one message of a dump: canonical text of the address or network → what the kernel knows of it.

    Args:
        payload: one message of the reply, from the header of nfnetlink on.
    Raises:
        ValueError: an attribute is shorter, or longer, than its length field says.
    """
    for kind, value in attributes(payload, _NFGEN.size):
        if kind == _ADT:
            yield from decode_elements(value)


def decode_again(payload: bytes) -> Iterator[bytes]:
    """The elements in one message of a dump, each as `encode_add_again` takes it, with all its extensions."""
    for kind, value in attributes(payload, _NFGEN.size):
        if kind == _ADT:
            yield from recode_elements(value)


# ---------------------------------------------------------------- parts


def _request(command: int, flags: int, family: int, *body: bytes) -> Request:
    head = _NFGEN.pack(_AF.get(family, 0), 0, 0) + attribute(_PROTOCOL, b"\x06")
    return Request(_SUBSYSTEM | command, NLM_F_REQUEST | flags, head + b"".join(body))


def _elements(command: int, name: str, family: int, packed: bytes) -> Request:
    # without a _LINENO of its own the kernel refuses a message of many elements; it is also where it tells which one failed
    lineno = attribute(_LINENO, _U32.pack(0))
    return _request(command, NLM_F_ACK, family, attribute(_SETNAME, _text(name)), lineno, attribute(_ADT | NLA_F_NESTED, packed))


def _text(text: str) -> bytes:
    return text.encode() + b"\0"


def _string(value: bytes) -> str:
    return value.partition(b"\0")[0].decode(errors="backslashreplace")


def _number(kind: int, value: int) -> bytes:
    return attribute(kind | NLA_F_NET_BYTEORDER, _U32.pack(value))


def _value(value: bytes | None) -> int:
    return int.from_bytes(value) if value else 0
