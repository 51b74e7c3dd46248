"""firewall/elements.py: elements to bytes and back."""

import socket
import struct
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.address import pack, render_network
from banwatch.firewall.elements import Member, decode_elements, encode_added, encode_deleted, recode_elements
from banwatch.host.frame import NLA_F_NESTED, NLA_F_NET_BYTEORDER, attribute, attributes

U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
MEMBERS = st.builds(Member, U32.map(lambda left: float(left) or None), U64, U64)


def networks(family):
    """Canonical texts of networks of one family; IPv4-mapped ones are none, their canonical text is of the other."""
    return st.builds(
        lambda ip, bits: render_network(ip_network((ip, min(bits, ip.max_prefixlen)), strict=False)),
        st.ip_addresses(v=family),
        st.integers(0, 128),
    ).filter(lambda who: not who.startswith("::ffff:"))


def listed(who, member, padded=False):
    """An element as the kernel lists it; `padded` where it aligns 64-bit numbers."""
    address, bits = pack(who)
    pad = attribute(30, b"") if padded else b""
    ip = attribute(1 if len(address) == 4 else 2, address)
    return attribute(
        7 | NLA_F_NESTED,
        attribute(1 | NLA_F_NESTED, ip)
        + attribute(3, bytes([bits]))
        + attribute(6 | NLA_F_NET_BYTEORDER, struct.pack(">I", int(member.left or 0)))
        + pad
        + attribute(24 | NLA_F_NET_BYTEORDER, struct.pack(">Q", member.bytes))
        + pad
        + attribute(25 | NLA_F_NET_BYTEORDER, struct.pack(">Q", member.packets)),
    )


@pytest.mark.parametrize("padded", [False, True])
@given(data=st.data(), family=st.sampled_from([4, 6]))
def test_what_the_kernel_lists_is_read(padded, data, family):
    """Address, network, time left and counters come out as they are, with padding between them and without."""
    elements = data.draw(st.lists(st.tuples(networks(family), MEMBERS), max_size=5))
    assert list(decode_elements(b"".join(listed(who, member, padded) for who, member in elements))) == elements


def test_a_set_of_somebody_else():
    """An element without counters, timeout or prefix length is read as well, among others that have them."""
    bare = attribute(7 | NLA_F_NESTED, attribute(1 | NLA_F_NESTED, attribute(1, socket.inet_aton("192.0.2.7"))))
    full = listed("192.0.2.8", Member(5.0, 1, 60))
    assert list(decode_elements(full + bare)) == [("192.0.2.8", Member(5.0, 1, 60)), ("192.0.2.7", Member(None, 0, 0))]


def test_other_attributes_of_the_same_length():
    """What has the length of our elements but not their attributes is not taken for them."""
    element = listed("192.0.2.8", Member(5.0, 1, 60))
    other = element.replace(struct.pack("=H", 6 | NLA_F_NET_BYTEORDER), struct.pack("=H", 10 | NLA_F_NET_BYTEORDER))
    assert list(decode_elements(element + other)) == [("192.0.2.8", Member(5.0, 1, 60)), ("192.0.2.8", Member(None, 1, 60))]


def test_an_exception_is_no_member():
    """What a set is told not to match is not in it."""
    flags = attribute(8 | NLA_F_NET_BYTEORDER, struct.pack(">I", 4))
    element = attribute(7 | NLA_F_NESTED, attribute(1 | NLA_F_NESTED, attribute(1, socket.inet_aton("192.0.2.7"))) + flags)
    assert list(decode_elements(element)) == []


@given(data=st.data(), family=st.sampled_from([4, 6]))
def test_what_is_listed_can_be_added(data, family):
    """With the byte order of its address said, a second longer if it ends at all, and everything else as it was."""
    elements = data.draw(st.lists(st.tuples(networks(family), MEMBERS), max_size=5))
    comment = attribute(26, b"mine\0")
    again = list(recode_elements(b"".join(with_more(listed(who, member), comment) for who, member in elements)))
    assert list(decode_elements(b"".join(again))) == [
        (who, member._replace(left=None if member.left is None else min(member.left + 1, 2.0**32 - 1)))
        for who, member in elements
    ]
    for element in again:
        assert element.endswith(comment)
        kind = struct.unpack_from("=H", element, 10)[0]
        assert kind & NLA_F_NET_BYTEORDER


def with_more(element, part):
    """The same element with one attribute more."""
    return attribute(7 | NLA_F_NESTED, element[4:] + part)


@given(st.binary())
def test_any_bytes_are_read_or_refused(data):
    """Nonsense is a ValueError, never anything else."""
    try:
        found = list(decode_elements(attribute(7 | NLA_F_NESTED, data)))
    except ValueError:
        return
    assert len(found) <= 1


def read_back(data):
    """What elements of ours say, attribute by attribute."""
    for kind, element in attributes(data):
        assert kind == 7
        parts = dict(attributes(element))
        ((_, address),) = attributes(parts[1])
        yield address, parts[3][0], int.from_bytes(parts.get(6, b"")), int.from_bytes(parts[9])


@given(data=st.data(), family=st.sampled_from([4, 6]))
def test_what_is_sent_is_what_was_meant(data, family):
    """Each element says its address, its prefix length, its timeout in network order, and its number from 1 on."""
    drawn = data.draw(st.lists(st.tuples(networks(family).map(pack), U32), max_size=5))
    elements = [(address, bits, seconds) for (address, bits), seconds in drawn]
    numbered = [(*element, number) for number, element in enumerate(elements, 1)]
    assert list(read_back(encode_added(family, elements))) == numbered
    assert list(read_back(encode_deleted(family, elements))) == [
        (address, bits, 0, number) for address, bits, _, number in numbered
    ]


def test_sizes():
    """512 elements of either family fit into one attribute, whose length has 16 bits."""
    assert len(encode_added(4, [(bytes(4), 32, 1)])) == 40
    assert len(encode_added(6, [(bytes(16), 128, 1)])) == 52
    assert 512 * 52 < 0xFFFF
