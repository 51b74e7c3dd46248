"""jail/ignoreip.py: who is never banned, and by which unit everybody else is counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.jail import ignoreip
from banwatch.jail.allowed import Allowed
from banwatch.jail.ignoreip import Guard
from banwatch.model import Target

GUARD = Guard(
    ignore=["192.0.2.0/24", "2001:db8:1:1::5", "2001:db8:cafe::/48", "login:backup"],
    own=["198.51.100.10", "2001:db8:0:10::10"],
    onlink=["2001:db8:0:10::/64"],
)


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ("192.0.2.7", "in ignoreip 192.0.2.0/24"),
        ("192.0.2.0/25", "in ignoreip 192.0.2.0/24"),
        ("192.0.2.0/24", "in ignoreip 192.0.2.0/24"),
        ("192.0.0.0/16", "holds ignoreip 192.0.2.0/24"),
        ("192.0.3.1", None),
        ("198.51.100.10", "own address"),
        ("198.51.100.0/24", "holds own address"),
        ("198.51.100.11", None),
        ("203.0.113.0/24", None),
        ("0.0.0.0/0", "holds own address"),
        ("127.0.0.1", "own address"),
        ("::1", "own address"),
        ("fe80::1", "link-local address"),
        ("2001:db8:cafe:1::/64", "in ignoreip 2001:db8:cafe::/48"),
        ("2001:db8:1:1::/64", "holds ignoreip 2001:db8:1:1::5"),
        ("2001:db8:1:2::/64", None),
        ("255.255.255.255", "nobody's address"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "nobody's address"),
    ],
)
def test_ignored_addresses_and_networks(who, reason):
    """Whoever is ignored or is this host is never banned, nor is a network that holds one of them whole."""
    assert GUARD.ignored(Target("net", who)) == reason


def test_ignored_logins():
    """A login is ignored by its own name, and has nothing to do with addresses."""
    assert GUARD.ignored(Target("login", "backup")) == "in ignoreip login:backup"
    assert GUARD.ignored(Target("login", "192.0.2.7")) is None


@pytest.mark.parametrize(
    ("ip", "unit"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:bad:1::7", "2001:db8:bad:1::/64"),
        ("2001:db8:0:10::7", "2001:db8:0:10::7"),  # on-link
        ("2001:db8:1:1::6", "2001:db8:1:1::6"),  # beside an ignored address
        ("fd00::1", "fd00::1"),
        ("64:ff9b::c000:207", "64:ff9b::c000:207"),
        ("2001:0:1::1", "2001:0:1::1"),
        ("2002:c000:207:1::1", "2002:c000:207::/48"),
        ("fe80::1", None),
    ],
)
def test_unit(ip, unit):
    """IPv6 goes by /64, but by /128 where the neighbours are others, and by /48 in 6to4; link-local not at all."""
    assert GUARD.unit(ip) == unit
    assert GUARD.counted[ip] == unit


@pytest.mark.parametrize("ip", ["192.0.2.7", "198.51.100.10", "127.0.0.9", "::1", "2001:db8:1:1::5", "2001:db8:cafe:9::1"])
def test_ignored_addresses_are_not_counted(ip):
    """What must not be banned is not counted."""
    assert GUARD.counted[ip] is None


@pytest.mark.parametrize(
    ("ip", "prefix", "net"),
    [
        ("203.0.113.7", (24, 48), "203.0.113.0/24"),
        ("203.0.113.7", (16, 48), "203.0.0.0/16"),
        ("203.0.113.7", (32, 48), "203.0.113.7"),
        ("198.51.100.7", (24, 48), "198.51.100.0/24"),
        ("2001:db8:bad:1::7", (24, 48), "2001:db8:bad::/48"),
        ("2001:db8:bad:1::7", (24, 64), "2001:db8:bad:1::/64"),
        ("2001:db8:0:10::7", (24, 48), "2001:db8:0:10::7"),  # on-link
        ("2001:db8:1:1::6", (24, 48), "2001:db8:1:1::6"),  # beside an ignored address
        ("fd00::1", (24, 48), "fd00::1"),
        ("64:ff9b::c000:207", (24, 48), "64:ff9b::c000:207"),
        ("2001:0:1::1", (24, 32), "2001:0:1::1"),
        ("2002:c000:207:1::1", (24, 32), "2002:c000:207::/48"),
        ("fe80::1", (24, 48), None),
    ],
)
def test_net(ip, prefix, net):
    """A network is as wide as the rule says, but never wider than the unit where the neighbours are strangers."""
    assert GUARD.net(ip, prefix) == net


def test_the_cache_is_bounded(monkeypatch):
    """However many addresses come by, only so many are remembered, and the answers stay the same."""
    monkeypatch.setattr(ignoreip, "CACHED", 4)
    guard = Guard(["203.0.113.0/24"])
    for _ in range(2):
        for last in range(10):
            assert guard.counted[f"203.0.113.{last}"] is None
            assert guard.counted[f"203.0.114.{last}"] == f"203.0.114.{last}"
            assert len(guard.counted) <= 4


@given(
    st.ip_addresses().map(str).filter(lambda ip: not ip.startswith("::ffff:")), st.lists(st.ip_addresses().map(str), max_size=3)
)
def test_no_unit_holds_an_ignored_address(ip, ignored):
    """Whatever is counted may be banned as it is: the unit of an address is not ignored and holds nobody who is."""
    unit = Guard(ignored).counted[ip]
    assert unit is None or Guard(ignored).ignored(Target("net", unit)) is None


def test_allowed_by_command():
    """Who is allowed is neither banned nor counted; a ban on a network around him is not made, and one that is there stays."""
    allowed = Allowed()
    guard = Guard((), allowed=allowed)
    for who in ("203.0.113.7", "2001:db8:bad:1::7"):
        assert guard.counted[who] is not None
        allowed.add(Target("net", who))
        guard.counted.clear()
        assert guard.counted[who] is None
        assert guard.ignored(Target("net", who)) == guard.exempt(Target("net", who)) == "allowed"
    around = Target("net", "203.0.113.0/24")
    assert (guard.ignored(around), guard.exempt(around)) == ("holds allowed 203.0.113.7", None)
    assert guard.unit("2001:db8:bad:1::8") == "2001:db8:bad:1::8"  # a neighbour is counted by itself from now on
    allowed.discard(Target("net", "203.0.113.7"))
    guard.counted.clear()
    assert (guard.ignored(around), guard.counted["203.0.113.7"]) == (None, "203.0.113.7")


def test_allowed_logins():
    """A login can be allowed as well."""
    allowed = Allowed()
    allowed.add(Target("login", "bob"))
    guard = Guard((), allowed=allowed)
    assert guard.ignored(Target("login", "bob")) == guard.exempt(Target("login", "bob")) == "allowed"
    assert guard.ignored(Target("login", "eve")) is None
