"""conftest.py: the namespaces that other tests stand on."""

import socket

import pytest

pytestmark = pytest.mark.kernel


def test_a_fresh_namespace_has_lo_and_nothing_else(netns):
    """Whatever a test does to its network, it does to nobody else's."""
    assert socket.if_nameindex() == [(1, "lo")]


def test_a_namespace_is_left_again(veth_pair):
    """Entering is for opening things; what is opened stays there."""
    before = socket.if_nameindex()
    with veth_pair.victim:
        assert "veth0" in [name for _, name in socket.if_nameindex()]
    assert socket.if_nameindex() == before


@pytest.mark.parametrize(("source", "family"), [("198.51.100.7", socket.AF_INET), ("2001:db8:bad::7", socket.AF_INET6)])
async def test_the_attacker_reaches_the_victim(veth_pair, source, family):
    """Any address of the attacker's networks gets an answer: a connection where something listens, a reset elsewhere."""
    with veth_pair.victim.socket(family) as server:
        server.bind(("", 22))
        server.listen()
        assert await veth_pair.connects(source, 22) == "open"
        assert await veth_pair.connects(source, 23) == "refused"
