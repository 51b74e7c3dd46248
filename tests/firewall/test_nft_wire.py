"""firewall/nft_wire.py: nf_tables' requests and replies. The kernel itself reads them in test_nft_table.py."""

import struct

import pytest

from banwatch.firewall.elements import Member
from banwatch.firewall.nft_wire import (
    Chain,
    SetHeader,
    batch,
    decode_chain,
    decode_is_dormant,
    decode_members,
    decode_rule,
    decode_set,
    encode_add,
    encode_del,
    encode_delete_set,
    encode_list,
)
from banwatch.host.frame import NLA_F_NESTED, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, attribute, attributes

LISTED = bytes.fromhex(
    "010000040d00010062616e776174636800000000170002"
    "0062616e77617463682d737368642d342d333200009400"
    "03003c0001000c00010008000100010203052c0007000c000100636f756e746572001c0002000c00010000000000000000000c00020000000000000000"
    "00540001000c00010008000100010203062c0007000c000100636f756e746572001c0002000c000100000000000000012c0c0002000000000000000005"
    "0c000400000000000000c3500c000500000000000000c2f4"
)
"""A reply of Linux 6.18 on a little-endian machine: two elements."""

little_endian = pytest.mark.skipif(struct.pack("=H", 1) != b"\1\0", reason="the sample is of a little-endian machine")


def told(*rest, table=b"banwatch\0", family=1):
    """A message about something in a table."""
    return bytes((family, 0, 0, 4)) + attribute(1, table) + b"".join(rest)


def u32(kind, number):
    return attribute(kind, struct.pack(">I", number & 0xFFFFFFFF))


@little_endian
def test_members_of_a_reply():
    """The elements of one message, with what is left and what they have matched; None left is for ever."""
    assert list(decode_members(LISTED, 32)) == [("1.2.3.5", Member(None, 0, 0)), ("1.2.3.6", Member(49.908, 5, 300))]


def test_a_batch():
    """What changes something stands between a beginning and an end, which name nf_tables' number and are not acknowledged."""
    request = encode_delete_set("x")
    begin, middle, end = batch([request])
    assert middle is request
    assert (begin.type, begin.payload, end.type, end.payload) == (16, b"\0\0\0\x0a", 17, b"\0\0\0\x0a")
    assert not (begin.flags | end.flags) & NLM_F_ACK


def test_elements_of_a_set():
    """A change names the family, the table and the set, and wants to be acknowledged; only what must be new is exclusive."""
    add, new, gone = encode_add("s", b"1234"), encode_add("s", b"1234", only_new=True), encode_del("s", b"1234")
    for request in (add, new, gone):
        assert request.flags & NLM_F_ACK
        assert request.payload[0] == 1
        assert list(attributes(request.payload, 4)) == [(1, b"banwatch\0"), (2, b"s\0"), (3, b"1234")]
    assert (add.type, new.type, gone.type) == (0xA0C, 0xA0C, 0xA0E)
    assert (add.flags & NLM_F_CREATE, add.flags & NLM_F_EXCL, new.flags & NLM_F_EXCL) == (NLM_F_CREATE, 0, NLM_F_EXCL)
    assert encode_list("s").flags & NLM_F_DUMP == NLM_F_DUMP


def test_a_chain():
    """A base chain has a hook, another has none; the priority has a sign."""
    hook = attribute(4 | NLA_F_NESTED, u32(1, 1) + u32(2, -10))
    assert decode_chain(told(attribute(3, b"input\0"), hook, u32(5, 1), attribute(7, b"filter\0"))) == Chain(
        "input", ("filter", 1, -10, 1)
    )
    assert decode_chain(told(attribute(3, b"refuse\0"))) == Chain("refuse")


@pytest.mark.parametrize(
    ("data", "comment"),
    [
        (b"\0\x04abc\0", "abc"),
        (b"\1\x02??\0\x02x\0", "x"),
        (b"\1\x02??", ""),
        (b"\0", ""),
        (b"\0\xffab", "ab"),
        (b"", ""),
    ],
)
def test_a_rule(data, comment):
    """What is of interest of a rule is its chain and its comment, which is one of several things that nft notes down."""
    assert decode_rule(told(attribute(2, b"input\0"), attribute(7, data))) == ("input", comment)
    assert decode_rule(told(attribute(2, b"input\0"))) == ("input", "")


def test_a_set():
    """Family, timeouts, counters, and the size where the kernel tells it."""
    name, counter = attribute(2, b"s\0"), attribute(17 | NLA_F_NESTED, b"")
    assert decode_set(told(name, u32(3, 0x10), u32(5, 4), counter)) == SetHeader("s", 4, timeout=True, counters=True)
    assert decode_set(told(name, u32(3, 0), u32(5, 16), u32(20, 7))) == SetHeader("s", 6, timeout=False, counters=False, size=7)


@pytest.mark.parametrize(("flags", "length"), [(0x14, 4), (0x18, 4), (0x10, 2), (0x11, 4)])
def test_a_set_of_another_kind(flags, length):
    """Intervals, maps, and sets of anything else than addresses are of no family."""
    assert decode_set(told(attribute(2, b"s\0"), u32(3, flags), u32(5, length))).family == 0


@pytest.mark.parametrize("decode", [decode_chain, decode_rule, decode_set])
@pytest.mark.parametrize("whose", [{"table": b"filter\0"}, {"family": 2}, {"table": b"banwatch2\0"}])
def test_what_is_not_ours(decode, whose):
    """Other tables are nobody's business here, also one of our name in another family."""
    assert decode(told(attribute(2, b"x\0"), attribute(3, b"x\0"), **whose)) is None
    assert decode(b"") is None


def test_a_table():
    """A table may be switched off."""
    assert decode_is_dormant(told(u32(2, 1)))
    assert not decode_is_dormant(told(u32(2, 0)))
    assert not decode_is_dormant(told(u32(2, 1), table=b"filter\0"))
