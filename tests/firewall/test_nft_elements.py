"""firewall/nft_elements.py: elements to bytes and back."""

import struct
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.address import pack, render_network
from banwatch.firewall.elements import Member
from banwatch.firewall.nft_elements import decode_elements, encode_added, encode_counted, encode_keys
from banwatch.host.frame import NLA_F_NESTED, attribute, attributes

U64 = st.integers(0, 2**64 - 1)
LEFT = st.none() | st.integers(0, 10**12)
ADDRESS = st.sampled_from([4, 16]).flatmap(lambda size: st.binary(min_size=size, max_size=size))
MANY = st.sampled_from([4, 16]).flatmap(
    lambda size: st.lists(st.tuples(st.binary(min_size=size, max_size=size), U64, U64, U64), max_size=5)
)


@st.composite
def listings(draw):
    """A prefix length, and networks of it with what is known of them; IPv4-mapped ones have their text as IPv4."""
    family = draw(st.sampled_from([4, 6]))
    bits = draw(st.integers(1, 32 if family == 4 else 128))
    networks = st.ip_addresses(v=family).map(lambda ip: render_network(ip_network((ip, bits), strict=False)))
    whos = networks.filter(lambda who: not who.startswith("::ffff:"))
    return bits, draw(st.lists(st.tuples(whos, LEFT, U64, U64), max_size=5))


def listed(who, left, packets, octets, padded=False, turned=False):
    """An element as the kernel lists it: `padded` where it aligns 64-bit numbers, `turned` in another order."""
    pad = attribute(8, b"") if padded else b""
    key = attribute(1, attribute(1, pack(who)[0]))
    counter = pad + attribute(1, struct.pack(">Q", octets)) + pad + attribute(2, struct.pack(">Q", packets))
    expression = attribute(7, attribute(1, b"counter\0") + attribute(2, counter))
    times = b""
    if left is not None:
        times = pad + attribute(4, struct.pack(">Q", left + 1)) + pad + attribute(5, struct.pack(">Q", left))
    return attribute(1 | NLA_F_NESTED * turned, key + times + expression if turned else key + expression + times)


@pytest.mark.parametrize("form", [{}, {"padded": True}, {"turned": True}])
@given(listing=listings())
def test_what_the_kernel_lists_is_read(form, listing):
    """Network, time left and counters come out as they are, in any layout that a kernel may choose."""
    bits, elements = listing
    data = b"".join(listed(who, *rest, **form) for who, *rest in elements)
    assert list(decode_elements(data, bits)) == [
        (who, Member(None if left is None else left / 1000, packets, octets)) for who, left, packets, octets in elements
    ]


@given(MANY)
def test_elements_come_back(elements):
    """What is packed with its timeout and its counters holds just these, each where the kernel looks for it."""
    members = [Member(None, packets, octets) for _, _, packets, octets in elements]
    packed = encode_counted([(address, left) for address, left, _, _ in elements], members)
    found = []
    for kind, value in attributes(packed):
        element = dict(attributes(value))
        expression = dict(attributes(element[7]))
        counter = dict(attributes(expression[2]))
        assert (kind, expression[1]) == (1, b"counter\0")
        numbers = (int.from_bytes(each) for each in (element[4], counter[2], counter[1]))
        found.append((dict(attributes(element[1]))[1], *numbers))
    assert found == elements


@given(MANY)
def test_timeouts_come_back(elements):
    """Without counters it is the address and the timeout."""
    packed = encode_added([(address, left) for address, left, _, _ in elements])
    found = [dict(attributes(value)) for _, value in attributes(packed)]
    assert [(dict(attributes(of[1]))[1], int.from_bytes(of[4])) for of in found] == [each[:2] for each in elements]
    assert all(of.keys() == {1, 4} for of in found)


@given(st.lists(ADDRESS, max_size=5).filter(lambda found: len(set(map(len, found))) < 2))
def test_keys_come_back(addresses):
    """To delete or to look for elements their addresses are enough."""
    packed = encode_keys(addresses)
    assert [dict(attributes(dict(attributes(value))[1])) for _, value in attributes(packed)] == [{1: each} for each in addresses]


def test_a_timeout_of_nothing_is_for_ever():
    """Kernels since 6.12 may write 0 for an element without an end."""
    data = attribute(1, attribute(1, attribute(1, pack("192.0.2.7")[0])) + attribute(4, bytes(8)))
    assert list(decode_elements(data, 32)) == [("192.0.2.7", Member(None, 0, 0))]


def test_an_element_without_a_counter():
    """One that somebody else's program made may have none, and another expression in its place."""
    limit = attribute(7, attribute(1, b"limit\0") + attribute(2, attribute(1, bytes(8))))
    for more in (b"", limit):
        data = attribute(1, attribute(1, attribute(1, bytes(4))) + more)
        assert list(decode_elements(data, 32)) == [("0.0.0.0", Member(None, 0, 0))]


def test_other_attributes():
    """What is no element is passed over; an element of odd length leaves the next where it is."""
    odd = attribute(1, attribute(1, attribute(1, bytes(4))) + attribute(6, b"x"))
    data = attribute(9, b"?") + odd[:-3] + bytes(3) + listed("192.0.2.7", 5000, 1, 60)
    assert list(decode_elements(data, 32)) == [("0.0.0.0", Member(None, 0, 0)), ("192.0.2.7", Member(5.0, 1, 60))]


@pytest.mark.parametrize("data", [struct.pack("=HH", 3, 1), struct.pack("=HH", 99, 1), attribute(1, attribute(1, b""))])
def test_what_cannot_be(data):
    """Lengths that cannot be are an error, and no element."""
    with pytest.raises(ValueError, match="bytes"):
        list(decode_elements(data, 32))


@given(st.binary(max_size=200), st.integers(1, 32))
def test_any_bytes(data, bits):
    """Whatever comes is elements or a ValueError."""
    try:
        for who, member in decode_elements(data, bits):
            assert isinstance(who, str)
            assert isinstance(member, Member)
    except ValueError:
        pass
