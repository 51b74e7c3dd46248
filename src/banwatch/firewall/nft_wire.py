"""
nf_tables' messages about our table: requests to bytes, replies to values. Pure.

What changes something travels as a batch, of which the kernel does all or nothing. Tables, chains and rules are made by nft
(see nft_rules.py); here they are only looked at, and deleted.
Source: Linux include/uapi/linux/netfilter/nf_tables.h, nfnetlink.h; numbers inside attributes are big-endian.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from banwatch.firewall.elements import Member
from banwatch.firewall.nft_elements import SIZE, decode_elements
from banwatch.host.frame import (
    NLA_F_NESTED,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    Request,
    attribute,
    attributes,
)

TABLE = "banwatch"

PER_MESSAGE = 512
"""Elements in one message; a batch is acknowledged before the next is sent."""

LOOKED_UP = 64
"""Elements that are asked for at once: so many answers fit into any socket."""

_INET = 1
_SUBSYSTEM = 10 << 8
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_GETTABLE, _DELTABLE, _GETCHAIN, _DELCHAIN, _GETRULE, _DELRULE, _GETSET, _DELSET = 1, 2, 4, 5, 7, 8, 10, 11
_NEWSETELEM, _GETSETELEM, _DELSETELEM, _GETGEN = 12, 13, 14, 16
# attributes; but for the generation's the first is always the name of the table
_GENERATION = 1
_TABLE_FLAGS = 2
_CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_TYPE = 3, 4, 5, 7
_HOOKNUM, _PRIORITY = 1, 2
_RULE_CHAIN, _RULE_USERDATA = 2, 7
_SET_NAME, _SET_FLAGS, _SET_KEY_LEN, _SET_EXPR, _SET_COUNT = 2, 3, 5, 17, 20
_ELEMENTS_SET, _ELEMENTS = 2, 3
_COMMENT = 0  # of the user data, which is nft's own affair: type, length, value, a byte for each of the first two

TIMEOUT_FLAG = 0x10
_OTHER_KINDS = 0x01 | 0x02 | 0x04 | 0x08  # anonymous, constant, interval, map
_FAMILY_OF = {size: family for family, size in SIZE.items()}
_DORMANT = 0x1


class SetHeader(NamedTuple):
    """
    A set without its elements. `family` is that of its addresses, 0 where it holds something else, or holds it otherwise than
    ours do. `size` is how many elements it has; None where the kernel does not say (before Linux 6.16).
    """

    name: str
    family: int
    timeout: bool
    counters: bool
    size: int | None = None


class Chain(NamedTuple):
    """`hook` is (type, hook number, priority, policy) of a base chain, None for others."""

    name: str
    hook: tuple[str, int, int, int] | None = None


# ---------------------------------------------------------------- requests


def batch(requests: Sequence[Request]) -> list[Request]:
    """`requests` as one transaction, for Netlink.request_all; their places there begin with 1."""
    head = bytes((0, 0)) + (_SUBSYSTEM >> 8).to_bytes(2)
    return [Request(_BATCH_BEGIN, NLM_F_REQUEST, head), *requests, Request(_BATCH_END, NLM_F_REQUEST, head)]


def encode_generation() -> Request:
    """Asks for the number of the generation: the cheapest way to learn whether nf_tables is there, and may be spoken to."""
    return Request(_SUBSYSTEM | _GETGEN, NLM_F_REQUEST | NLM_F_ACK, bytes(4))


def encode_table() -> Request:
    """Asks for our table; ENOENT if there is none."""
    return _request(_GETTABLE, NLM_F_ACK)


def encode_chains() -> Request:
    """Asks for the chains of all tables of the family `inet`."""
    return Request(_SUBSYSTEM | _GETCHAIN, NLM_F_REQUEST | NLM_F_DUMP, bytes((_INET, 0, 0, 0)))


def encode_rules() -> Request:
    """Asks for the rules of our table."""
    return _request(_GETRULE, NLM_F_DUMP)


def encode_sets() -> Request:
    """Asks for the headers of the sets of our table."""
    return _request(_GETSET, NLM_F_DUMP)


def encode_set(name: str) -> Request:
    """Asks for the header of one of them."""
    return _request(_GETSET, NLM_F_ACK, attribute(_SET_NAME, _text(name)))


def encode_list(name: str) -> Request:
    """Asks for the elements of a set."""
    return _request(_GETSETELEM, NLM_F_DUMP, attribute(_ELEMENTS_SET, _text(name)))


def encode_look_up(name: str, packed: bytes) -> Request:
    """Asks for one element of a set; ENOENT if it is not there."""
    return _elements(_GETSETELEM, 0, name, packed)


def encode_add(name: str, packed: bytes, *, only_new: bool = False) -> Request:
    """
    Adds elements, of which those that are there already are left as they are: no kernel before 6.12 gives them a new timeout.
    With `only_new` they are EEXIST.
    """
    return _elements(_NEWSETELEM, NLM_F_CREATE | (NLM_F_EXCL if only_new else 0), name, packed)


def encode_del(name: str, packed: bytes) -> Request:
    """Deletes elements; ENOENT if one of them is not there."""
    return _elements(_DELSETELEM, 0, name, packed)


def encode_delete_table() -> Request:
    """Deletes our table with all that is in it; ENOENT if there is none."""
    return _request(_DELTABLE, NLM_F_ACK)


def encode_delete_rules(chain: str) -> Request:
    """Deletes the rules of a chain."""
    return _request(_DELRULE, NLM_F_ACK, attribute(_RULE_CHAIN, _text(chain)))


def encode_delete_chain(name: str) -> Request:
    """Deletes a chain with its rules; EBUSY while others lead to it."""
    return _request(_DELCHAIN, NLM_F_ACK, attribute(_CHAIN_NAME, _text(name)))


def encode_delete_set(name: str) -> Request:
    """Deletes a set; EBUSY while a rule refers to it."""
    return _request(_DELSET, NLM_F_ACK, attribute(_SET_NAME, _text(name)))


# ---------------------------------------------------------------- replies


def decode_generation(payload: bytes) -> int:
    """The number of the generation: another after each transaction, whosever it is."""
    return _value(dict(attributes(payload, 4)).get(_GENERATION))


def decode_is_dormant(payload: bytes) -> bool:
    """Whether the table that a reply is about is switched off."""
    return bool(_value(_mine(payload).get(_TABLE_FLAGS)) & _DORMANT)


def decode_chain(payload: bytes) -> Chain | None:
    """The chain of our table that one message of a dump is about; None if it is another's."""
    chain = _mine(payload)
    if _CHAIN_NAME not in chain:
        return None
    name = _string(chain[_CHAIN_NAME])
    if _CHAIN_HOOK not in chain:
        return Chain(name)
    hook = dict(attributes(chain[_CHAIN_HOOK]))
    number, policy = _value(hook.get(_HOOKNUM)), _value(chain.get(_CHAIN_POLICY))
    return Chain(name, (_string(chain.get(_CHAIN_TYPE, b"")), number, _signed(hook.get(_PRIORITY)), policy))


def decode_rule(payload: bytes) -> tuple[str, str] | None:
    """The chain of a rule of our table, and its comment, empty if it has none; None if it is another's."""
    rule = _mine(payload)
    if _RULE_CHAIN not in rule:
        return None
    data = rule.get(_RULE_USERDATA, b"")
    start = 0
    while start + 2 <= len(data):
        kind, length = data[start], data[start + 1]
        if kind == _COMMENT:
            return _string(rule[_RULE_CHAIN]), _string(data[start + 2 : start + 2 + length])
        start += 2 + length
    return _string(rule[_RULE_CHAIN]), ""


def decode_set(payload: bytes) -> SetHeader | None:
    """The set of our table that one message of a dump is about; None if it is another's."""
    header = _mine(payload)
    if _SET_NAME not in header:
        return None
    flags = _value(header.get(_SET_FLAGS))
    family = 0 if flags & _OTHER_KINDS else _FAMILY_OF.get(_value(header.get(_SET_KEY_LEN)), 0)
    size = _value(header[_SET_COUNT]) if _SET_COUNT in header else None
    return SetHeader(_string(header[_SET_NAME]), family, bool(flags & TIMEOUT_FLAG), _SET_EXPR in header, size)


def decode_members(payload: bytes, bits: int) -> Iterator[tuple[str, Member]]:
    """
    The elements in one message of a dump: canonical text of the address or network → what the kernel knows of it.

    Args:
        payload: one message of the reply, from the header of nfnetlink on.
        bits: the prefix length of what is in the set.
    Raises:
        ValueError: an attribute is shorter, or longer, than its length field says.
    """
    for kind, value in attributes(payload, 4):
        if kind == _ELEMENTS:
            yield from decode_elements(value, bits)


# ---------------------------------------------------------------- parts


def _request(command: int, flags: int, *body: bytes) -> Request:
    head = bytes((_INET, 0, 0, 0)) + attribute(1, _text(TABLE))
    return Request(_SUBSYSTEM | command, NLM_F_REQUEST | flags, head + b"".join(body))


def _elements(command: int, flags: int, name: str, packed: bytes) -> Request:
    return _request(
        command, NLM_F_ACK | flags, attribute(_ELEMENTS_SET, _text(name)), attribute(_ELEMENTS | NLA_F_NESTED, packed)
    )


def _mine(payload: bytes) -> dict[int, bytes]:
    """The attributes of something of our table; none at all if it is another's."""
    found = dict(attributes(payload, 4)) if payload[:1] == bytes((_INET,)) else {}
    return found if _string(found.get(1, b"")) == TABLE else {}


def _text(text: str) -> bytes:
    return text.encode() + b"\0"


def _string(value: bytes) -> str:
    return value.partition(b"\0")[0].decode(errors="backslashreplace")


def _value(value: bytes | None) -> int:
    return int.from_bytes(value) if value else 0


def _signed(value: bytes | None) -> int:
    return int.from_bytes(value, signed=True) if value else 0
