"""jail/prefixes.py: who holds an address, and who lies inside a network."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.address import pack
from banwatch.jail.prefixes import Prefixes


def value_of(text):
    address, length = pack(text)
    return int.from_bytes(address), length


def network4(value, length):
    return ip_network((value >> (32 - length) << (32 - length), length))


# Few bits differ, so that networks often nest.
networks = st.builds(network4, st.sampled_from(range(0xC0000200, 0xC0000240)), st.integers(20, 32))


@given(st.lists(networks, max_size=8), networks)
def test_both_questions_agree_with_ipaddress(entries, asked):
    """The narrowest entry around a network, and the lowest one inside it, are what a look at every entry finds."""
    prefixes = Prefixes([(str(entry), str(entry)) for entry in entries], 32)
    value, length = value_of(str(asked))
    around = [entry for entry in entries if asked.subnet_of(entry)]
    inside = [entry for entry in entries if entry.subnet_of(asked)]
    assert prefixes.covering(value, length) == (str(max(around, key=lambda entry: entry.prefixlen)) if around else None)
    within = prefixes.within(value, length)
    assert (within is not None) == bool(inside)
    if within is not None:
        assert ip_network(within) in inside
        assert ip_network(within).network_address == min(inside).network_address


@given(st.lists(st.tuples(st.booleans(), networks), max_size=10), networks)
def test_it_can_change(steps, asked):
    """After additions and removals it answers as one that was made with what is left."""
    changing, left = Prefixes((), 32), dict[str, str]()
    for adds, network in steps:
        if adds:
            assert changing.add(str(network), str(network)) == (str(network) not in left)
            left.setdefault(str(network), str(network))
        else:
            assert changing.remove(str(network)) == (left.pop(str(network), None) is not None)
    fresh = Prefixes(left.items(), 32)
    value, length = value_of(str(asked))
    assert changing.covering(value, length) == fresh.covering(value, length)
    assert changing.within(value, length) == fresh.within(value, length)
    assert len(changing) == len(fresh) == len(left)


def test_the_other_family_is_left_out():
    """It is no error to name it."""
    prefixes = Prefixes((), 32)
    assert not prefixes.add("2001:db8::/32", "")
    assert not prefixes.remove("2001:db8::/32")


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        (["192.0.2.0/24", "10.0.0.0/8", "198.51.100.7"], {192, 10, 198}),
        (["8.0.0.0/6"], {8, 9, 10, 11}),
        (["0.0.0.0/0"], set(range(256))),
        (["2001:db8::/32"], set()),
    ],
)
def test_first_bytes(entries, found):
    """The first bytes are all those, and no others, under which an address can be held; the other family is left out."""
    assert Prefixes([(entry, "") for entry in entries], 32).first_bytes() == found


def test_the_first_reason_stays():
    """The same network named twice keeps the reason that came first."""
    prefixes = Prefixes([("192.0.2.1", "own address"), ("192.0.2.1", "in ignoreip 192.0.2.1")], 32)
    assert prefixes.covering(*value_of("192.0.2.1")) == "own address"
