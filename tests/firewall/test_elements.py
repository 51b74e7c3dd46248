"""firewall/elements.py: elements to bytes and back."""

import socket
import struct
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.address import pack, render_network
from banwatch.firewall.elements import Member, decode_elements, encode_added, encode_deleted
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


@given(st.binary())
def test_any_bytes_are_read_or_refused(data):
    """Nonsense is a ValueError, never anything else."""
    try:
        found = list(decode_elements(attribute(7 | NLA_F_NESTED, data)))
    except ValueError:
        return
    assert len(found) == 1


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
