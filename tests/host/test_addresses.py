"""host/addresses.py: what this host is called, and by which networks it has neighbours."""

import asyncio
import socket
import struct
import subprocess

import pytest

from banwatch.host.addresses import AddressWatch, HostAddress, HostAddresses, decode_address, read_addresses
from banwatch.host.frame import attribute

LO = frozenset({"127.0.0.0/8", "::1", "127.0.0.1"})


def newaddr(prefixlen, address=None, local=None):
    """The payload of an RTM_NEWADDR message."""
    found = b""
    for kind, text in ((1, address), (2, local)):
        if text is not None:
            found += attribute(kind, socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text))
    return struct.pack("=BBBBI", 0, prefixlen, 0, 0, 1) + attribute(3, b"lo\0") + found


@pytest.mark.parametrize(
    ("payload", "address"),
    [
        (newaddr(24, "192.0.2.2", "192.0.2.2"), HostAddress("192.0.2.2", None)),
        (newaddr(32, "192.0.2.9", "192.0.2.2"), HostAddress("192.0.2.2", None)),  # a tunnel: .9 is the other end
        (newaddr(64, "2001:db8::2"), HostAddress("2001:db8::2", "2001:db8::/64")),
        (newaddr(56, "2001:db8:0:ff::2"), HostAddress("2001:db8:0:ff::2", "2001:db8::/56")),
        (newaddr(128, "2001:db8::2"), HostAddress("2001:db8::2", None)),
        (newaddr(64, "2001:db8:1::1", "2001:db8::2"), HostAddress("2001:db8::2", "2001:db8:1::/64")),
        (newaddr(64, "fe80::1"), HostAddress("fe80::1", None)),
        (newaddr(64), None),
        (b"", None),
    ],
)
def test_decode_address(payload, address):
    """Ours is the local end; the network is the one that the other end is in, and says nothing if it is link-local."""
    assert decode_address(payload) == address


async def test_this_host():
    """Reading needs no rights, and loopback is always our own."""
    addresses = await read_addresses()
    assert {"127.0.0.0/8", "::1"} <= addresses.own


def ip(*argv):
    subprocess.run(["ip", *argv], check=True, timeout=10)


@pytest.mark.kernel
async def test_read_addresses(netns):
    """All addresses of all interfaces, and the IPv6 networks on them."""
    ip("link", "add", "d0", "type", "veth", "peer", "name", "d1")
    ip("addr", "add", "192.0.2.2/24", "dev", "d0")
    ip("addr", "add", "2001:db8::2/64", "dev", "d0")
    ip("addr", "add", "2001:db8:1::2/128", "dev", "d0")
    assert await read_addresses() == HostAddresses(
        own=LO | {"192.0.2.2", "2001:db8::2", "2001:db8:1::2"}, onlink=frozenset({"2001:db8::/64"})
    )


@pytest.mark.kernel
async def test_watch(netns):
    """Every change is told once, with all that there is then; what is no change is not told."""
    told = asyncio.Queue()
    ip("link", "add", "d0", "type", "veth", "peer", "name", "d1")
    async with AddressWatch(lambda own, onlink: told.put_nowait((own, onlink))) as watch:
        assert watch.current == HostAddresses(LO, frozenset())
        ip("addr", "add", "192.0.2.2/24", "dev", "d0")
        async with asyncio.timeout(5):
            assert await told.get() == (LO | {"192.0.2.2"}, frozenset())
        ip("addr", "replace", "192.0.2.2/24", "dev", "d0", "valid_lft", "600", "preferred_lft", "600")
        ip("addr", "add", "2001:db8::2/64", "dev", "d0")
        async with asyncio.timeout(5):
            assert await told.get() == (LO | {"192.0.2.2", "2001:db8::2"}, frozenset({"2001:db8::/64"}))
        ip("addr", "flush", "dev", "d0")
        async with asyncio.timeout(5):
            assert await told.get() == (LO, frozenset())
        assert watch.current == HostAddresses(LO, frozenset())
    assert told.empty()
