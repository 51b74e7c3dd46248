"""host/frame.py: netlink's headers and attributes."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.host.frame import (
    HEADER,
    NLA_F_NESTED,
    Message,
    Request,
    attribute,
    attributes,
    decode_error,
    decode_messages,
    encode_message,
)

KINDS = st.integers(0, 0x3FFF)


@given(st.lists(st.tuples(KINDS, st.binary(max_size=40))))
def test_attributes_are_inverse(pairs):
    """What is packed is what is read, whatever the lengths, and flags are not part of the type."""
    assert list(attributes(b"".join(attribute(kind | NLA_F_NESTED, value) for kind, value in pairs))) == pairs


@given(
    st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary().filter(lambda data: len(data) % 4 == 0), st.integers(0, 2**32 - 1)
)
def test_messages_are_inverse(kind, flags, payload, sequence):
    """Several messages in one datagram come out one by one."""
    data = encode_message(Request(kind, flags, payload), sequence)
    assert list(decode_messages(data * 2)) == [Message(kind, flags, sequence, payload)] * 2


@given(st.binary())
def test_any_bytes_are_read_or_refused(data):
    """Nonsense is a ValueError, never anything else, and never an endless loop."""
    for read in (decode_messages, attributes):
        with suppress(ValueError):
            list(read(data))


def test_a_length_that_cannot_be_is_refused():
    """A message says its own length, header included."""
    with pytest.raises(ValueError, match="a netlink message of 15 bytes in 16"):
        list(decode_messages(HEADER.pack(15, 2, 0, 1, 0)))
    with pytest.raises(ValueError, match="a netlink attribute of 9 bytes in 8"):
        list(attributes(struct.pack("=HHI", 9, 1, 0)))


@pytest.mark.parametrize(("payload", "number"), [((0).to_bytes(4), 0), (b"", 0)])
def test_no_error(payload, number):
    """An acknowledgement is an error of number 0; the end of a dump need not say even that."""
    assert decode_error(payload) == number
