"""firewall/wire.py: ipset's requests and replies. The kernel itself reads them in test_ipset.py."""

import struct

import pytest

from banwatch.firewall.wire import (
    Header,
    Member,
    decode_failed,
    decode_header,
    decode_members,
    encode_add,
    encode_del,
    encode_list,
)
from banwatch.host.frame import NLA_F_NESTED, NLM_F_EXCL, attribute, attributes

LISTED = bytes.fromhex(
    "0200000005000100060000001100020062616e77617463682d782d34000000000d000300686173683a6e65740000000005000500020000000500"
    "0400030000003c00078008001240000004000800134000400000080019400000000008001a400000028808001840000000020800064000000000"
    "080008400000000874000880380007800c00018008000100c0000207050003002000000008000640000000640c001840000000000000003c0c00"
    "1940000000000000000138000780"
    "0c00018008000100c0000200050003001800000008000640000000000c00184000000000000000000c0019400000000000000000"
)
"""A reply of Linux 6 on a little-endian machine: a set of two elements."""

little_endian = pytest.mark.skipif(struct.pack("=H", 1) != b"\1\0", reason="the sample is of a little-endian machine")


@little_endian
def test_members_of_a_reply():
    """The elements of one message, with what is left and what they have matched; 0 left is for ever."""
    assert list(decode_members(LISTED)) == [("192.0.2.7", Member(100.0, 1, 60)), ("192.0.2.0/24", Member(None, 0, 0))]


@little_endian
def test_header_of_a_reply():
    """The set itself: its type, its family, how much it holds and may hold, and that it has timeouts and counters."""
    sample = Header("banwatch-x-4", "hash:net", 4, timeout=True, elements=2, maxelem=4194304, revision=3, extensions=8)
    assert decode_header(LISTED) == sample


def test_no_header():
    """The second message of a long dump has no header any more."""
    assert decode_header(bytes(4) + attribute(2, b"x\0")) is None


def test_header_of_a_bare_set():
    """A set without timeouts or counters, of a type without a family, is what it is."""
    payload = bytes(4) + attribute(2, b"x\0") + attribute(3, b"list:set\0") + attribute(7 | NLA_F_NESTED, b"")
    assert decode_header(payload) == Header("x", "list:set", 0, timeout=False)


@pytest.mark.parametrize("encode", [encode_add, encode_del])
def test_elements_are_never_exclusive(encode):
    """With NLM_F_EXCL a ban that is there would be an error, and its timeout would stay."""
    request = encode("banwatch-x-4", 4, [(bytes(4), 32, 1)])
    assert not request.flags & NLM_F_EXCL
    assert [kind for kind, _ in attributes(request.payload, 4)] == [1, 2, 9, 8]  # protocol, name, line, elements


def test_which_element_failed():
    """The kernel writes the number into our own request, where it stands beside the elements."""
    request = encode_add("banwatch-x-4", 4, [(bytes(4), 32, 1)] * 3)
    untouched = struct.pack("=i", -4104) + bytes(16) + request.payload
    assert decode_failed(untouched) == 0
    assert decode_failed(untouched.replace(attribute(9, struct.pack(">I", 0)), attribute(9, struct.pack(">I", 2)), 1)) == 2


def test_a_refusal_without_our_request():
    """An error that repeats nothing is about all elements, or none."""
    assert decode_failed(struct.pack("=i", -1)) == 0
    assert decode_failed(b"") == 0


def test_list_names_the_set():
    """Only the sets that are asked for are read, however many others there are."""
    assert dict(attributes(encode_list("banwatch-x-6").payload, 4))[2] == b"banwatch-x-6\0"
