"""address.py: canonical text and the units of counting."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.address import (
    by_of,
    canonical_ip,
    family_of,
    network_of,
    pack,
    parse_network,
    parse_who,
    render_network,
    unit_of,
    unpack,
)
from banwatch.model import Target


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("[192.0.2.7]", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("192.030.0.6", None),
        ("999.1.1.1", None),
        ("1.2.3", None),
        ("", None),
        ("example.org", None),
    ],
)
def test_canonical_ip(text, canonical):
    """Every way to write an address ends in one text, and look-alikes are no addresses."""
    assert canonical_ip(text) == canonical


@pytest.mark.parametrize(
    ("ip", "unit"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fd00::1", "fd00::1"),
        ("64:ff9b::c000:207", "64:ff9b::c000:207"),
        ("2001:0:1::1", "2001:0:1::1"),
        ("2002:c000:207:1::1", "2002:c000:207::/48"),
        ("fe80::1", None),
    ],
)
def test_unit_of(ip, unit):
    """IPv6 is counted by /64, except where the address says that this would be too much or too little."""
    assert unit_of(ip) == unit


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("192.0.2.7", Target("net", "192.0.2.7")),
        ("192.0.2.7/32", Target("net", "192.0.2.7")),
        ("192.0.2.0/24", Target("net", "192.0.2.0/24")),
        ("2001:db8::/32", Target("net", "2001:db8::/32")),
        ("::ffff:192.0.2.0/120", Target("net", "192.0.2.0/24")),
        ("2001:db8::7%eth0", Target("net", "2001:db8::7")),
        ("fe80::%eth0/64", Target("net", "fe80::/64")),
        ("login:192.0.2.7", Target("login", "192.0.2.7")),
    ],
)
def test_parse_who(text, target):
    """WHO is an address, a network or a login, and a login can look like an address without being one."""
    assert parse_who(text) == target


@pytest.mark.parametrize("text", ["192.0.2.1/24", "example.org", "login:", "", "1.2.3.4/33"])
def test_parse_who_refuses(text):
    """Anything else is refused with what was expected."""
    with pytest.raises(ValueError, match="expected"):
        parse_who(text)


def test_target_renders_as_who():
    """A target reads like the WHO that names it."""
    assert str(Target("login", "bob")) == "login:bob"
    assert str(Target("net", "192.0.2.0/24")) == "192.0.2.0/24"


@pytest.mark.parametrize(
    ("who", "by"),
    [
        ("192.0.2.7", "ip"),
        ("192.0.2.0/24", "net"),
        ("2001:db8::1", "ip"),
        ("2001:db8::/64", "ip"),
        ("2001:db8::/48", "net"),
        ("login:192.0.2.7", "login"),
    ],
)
def test_by_of(who, by):
    """An IPv6 /64 is one attacker, as it is where attackers are counted."""
    assert by_of(parse_who(who)) == by


def test_network_of():
    """The prefix is chosen by the family."""
    assert network_of("192.0.2.7", 24, 48) == "192.0.2.0/24"
    assert network_of("2001:db8:1:2::7", 24, 48) == "2001:db8:1::/48"


@given(st.ip_addresses(), st.integers(0, 128))
def test_pack_and_unpack_are_inverse(address, prefixlen):
    """What goes to the kernel comes back as the same text."""
    network = parse_network(f"{address}/{address.max_prefixlen}").supernet(
        new_prefix=min(prefixlen, parse_network(str(address)).max_prefixlen)
    )
    text = render_network(network)
    assert unpack(*pack(text)) == text
    assert family_of(text) == network.version


@given(st.ip_addresses() | st.text(max_size=12), st.sampled_from(["", "[", "%"]))
def test_canonical_ip_agrees_with_the_library(address, around):
    """The same addresses as Python's own ipaddress knows, in the same form."""
    text = str(address)
    if "%" in text or text.startswith("["):
        return
    shown = f"[{text}]" if around == "[" else text
    try:
        expected = ip_address(text)
    except ValueError:
        assert canonical_ip(shown) is None
        return
    mapped = expected.ipv4_mapped if expected.version == 6 else None
    assert canonical_ip(shown) == str(mapped or expected)
    assert canonical_ip(canonical_ip(shown)) == canonical_ip(shown)


@given(st.ip_addresses(v=6))
def test_unit_of_is_a_network_around_the_address(address):
    """Whatever the unit is, the address is in it, and it is no wider than /48."""
    unit = unit_of(str(address))
    if unit is not None:
        network = ip_network(unit)
        assert address in network
        assert network.prefixlen in (48, 64, 128)
