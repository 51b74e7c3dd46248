"""Ports: names, numbers, ranges, and how few ranges say the same."""

import socket
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.config.ports import join_ranges, parse_port, render_ports
from banwatch.config.problem import UnfitError

ports = st.integers(1, 65535)
ranges = st.tuples(ports, ports).map(sorted).map(tuple)


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("22", (22, 22)),
        ("1000-2000", (1000, 2000)),
        ("1000:2000", (1000, 2000)),
        ("65535", (65535, 65535)),
        ("1-65535", (1, 65535)),
    ],
)
def test_numbers(text, port):
    """One number, or two with - or : between them."""
    assert parse_port(text) == port


@pytest.mark.parametrize("text", ["0", "65536", "2000-1000", "0-10", "1-65536", "999999999"])
def test_numbers_that_are_no_ports(text):
    """Ports go from 1 to 65535, and ranges upwards."""
    with pytest.raises(UnfitError, match="within 1-65535, the lower end first"):
        parse_port(text)


@pytest.mark.parametrize("text", ["", "-", "22,23", "22/tcp", "1-2-3", "٢٢", "s s h", "-p", "ssh\0", "all ports"])
def test_neither_number_nor_name(text):
    """Text that cannot be a port is refused with an example of one."""
    with pytest.raises(UnfitError) as caught:
        parse_port(text)
    assert (caught.value.expected, caught.value.got) == ('a port like "22", "1000-2000" or "ssh"', text)


def test_names(monkeypatch):
    """A name is looked up in the services that this system knows."""
    monkeypatch.setattr(socket, "getservbyname", {"ssh": 22}.__getitem__)
    assert parse_port("ssh") == (22, 22)


def test_unknown_names():
    """A name that the system does not know is named; a number always works."""
    with pytest.raises(UnfitError, match='expected a name that /etc/services has, or the port\'s number, got "no-such-service"'):
        parse_port("no-such-service")


def test_joined():
    """Neighbours and overlaps become one range, in order."""
    assert join_ranges([(465, 465), (25, 25), (26, 30), (100, 200), (150, 160)]) == ((25, 30), (100, 200), (465, 465))


@given(st.lists(ranges, max_size=5))
def test_joining_keeps_the_ports(given_ranges):
    """Joined ranges hold the same ports, each once, with gaps between them."""
    joined = join_ranges(given_ranges)
    assert {p for a, b in joined for p in range(a, b + 1)} == {p for a, b in given_ranges for p in range(a, b + 1)}
    assert all(before[1] + 1 < after[0] for before, after in pairwise(joined))


def test_render():
    """For people: numbers, ranges, all."""
    assert render_ports(((22, 22), (1000, 2000))) == "22, 1000-2000"
    assert render_ports(None) == "all"
