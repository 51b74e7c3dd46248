"""firewall/nft_batches.py: bans by the set that each belongs in."""

import errno
import socket
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.address import render_network
from banwatch.errors import FirewallError
from banwatch.firewall.base import MARKS
from banwatch.firewall.nft_batches import MARKED, Failures, sort_by_place

KNOWN = {("sshd", 4), ("sshd", 6), ("mail", 4)}


def sort(*wanted, known=KNOWN):
    failures = Failures()
    return sort_by_place(wanted, known, failures), failures


def v4(text):
    return socket.inet_aton(text)


def test_places(say):
    """Each goes to the set of its jail, family and length, with its address in bytes, and logins go nowhere."""
    keys = [say.key(who) for who in ("192.0.2.7", "192.0.2.0/24", "2001:db8::/64", "192.0.2.8")]
    mail, login = say.key("192.0.2.7", "mail"), ("sshd", say.ban("login:bob").target)
    batches, failures = sort(*((key, at) for at, key in enumerate(keys)), (mail, 9), (login, 9))
    assert batches == {
        ("sshd", 4, 32): {v4("192.0.2.7"): (keys[0], 0), v4("192.0.2.8"): (keys[3], 3)},
        ("sshd", 4, 24): {v4("192.0.2.0"): (keys[1], 1)},
        ("sshd", 6, 64): {socket.inet_pton(socket.AF_INET6, "2001:db8::"): (keys[2], 2)},
        ("mail", 4, 32): {v4("192.0.2.7"): (mail, 9)},
    }
    assert failures.why == {}
    failures.tell("banned")


def test_the_later_of_two(say):
    """Of two of one target the later counts, also where one of them names it otherwise."""
    first, second = say.key("192.0.2.0/24"), say.key("192.0.2.7/24")
    assert sort((first, 1), (first, 2), (second, 3))[0] == {("sshd", 4, 24): {v4("192.0.2.0"): (second, 3)}}


def test_what_cannot_be(say):
    """Each has its reason, the rest goes on, and the first number that the kernel would have given is told."""
    good = say.key("192.0.2.7")
    bad = {
        say.key("192.0.2.7", "nobody"): "jail nobody has no set",
        say.key("2001:db8::1", "mail"): "jail mail has no set",
        say.key("nonsense"): "no address or network in canonical text",
        say.key("192.0.2.7/x"): "no address or network in canonical text",
        say.key("0.0.0.0/0"): "a network of that size cannot be in a set",
        say.key("192.0.2.7/33"): "a network of that size cannot be in a set",
        say.key("::/0"): "a network of that size cannot be in a set",
        say.key("255.255.255.255"): "it marks sets as filled, and is no address of anybody",
        say.key("255.255.255.0/24"): "it marks sets as filled, and is no address of anybody",
    }
    batches, failures = sort(*((key, 0) for key in bad), (good, 0))
    assert batches == {("sshd", 4, 32): {v4("192.0.2.7"): (good, 0)}}
    assert failures.why == bad
    assert failures.numbers == [4104] * 3
    with pytest.raises(FirewallError) as caught:
        failures.tell("banned")
    assert caught.value.message == "not banned: 192.0.2.7 in nobody (jail nobody has no set), and 8 more"
    assert (caught.value.errno, caught.value.failed) == (4104, bad)


def test_numbers():
    """A refusal of the kernel is told in words, and no answer as such."""
    failures = Failures()
    failures.add_number(["a", "b"], errno.ENOENT)
    failures.add_number(["c"], None)
    assert failures.why == {"a": "the set is gone", "b": "the set is gone", "c": "the kernel did not answer"}
    assert failures.numbers == [errno.ENOENT, None]


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), st.data())
def test_a_mask_is_what_the_rule_computes(ip, data):
    """An address is found in the set of a length by what the mask leaves of it: that of its network."""
    bits = data.draw(st.integers(1, ip.max_prefixlen))
    network = ip_network((ip, bits), strict=False)
    batches, _ = sort((("sshd", ("net", f"{ip}/{bits}")), 0))
    if MARKED.get((ip.version, bits), (b"", ""))[0] == network.network_address.packed:
        assert not batches
    else:
        assert batches == {("sshd", ip.version, bits): {network.network_address.packed: (("sshd", ("net", f"{ip}/{bits}")), 0)}}


@pytest.mark.parametrize("family", [4, 6])
def test_marks_are_nobody(family):
    """Each mark is the network of its length that holds the mark of all, and no address of a host is in any."""
    marks = {bits: ip_network(text) for (of, bits), (_, text) in MARKED.items() if of == family}
    assert sorted(marks) == list(range(3 if family == 4 else 8, 33 if family == 4 else 129))
    for bits, mark in marks.items():
        assert mark == ip_network((MARKS[family], bits), strict=False)
        assert MARKED[family, bits] == (mark.network_address.packed, render_network(mark))
    widest = marks[min(marks)]
    for host in ("198.51.100.1", "10.0.0.1", "223.255.255.255") if family == 4 else ("2001:db8::1", "fd00::1", "fe80::1"):
        assert ip_address(host) not in widest
