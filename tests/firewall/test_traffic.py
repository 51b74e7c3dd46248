"""The rules of each backend among packets: what must not arrive is sent, and does not."""

import asyncio
import socket
import struct
from contextlib import AsyncExitStack, ExitStack, suppress

import pytest

from banwatch.config.model import FirewallSpec
from banwatch.firewall.open import open_firewall

pytestmark = pytest.mark.kernel

HOST4, OTHER4 = "198.51.100.7", "198.51.100.8"
HOST6, OTHER6 = "2001:db8:bad:1::7", "2001:db8:bad:2::7"


@pytest.fixture
async def net(veth_pair):
    """The test is in the victim; something listens on the tcp ports 22 and 23 of both families."""
    async with AsyncExitStack() as stack:
        stack.enter_context(veth_pair.victim)
        for port in (22, 23):
            server = stack.enter_context(socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True))
            server.setblocking(False)
        yield veth_pair


@pytest.fixture(params=["ipset", "nftables"])
async def firewall(request, net):
    opened = await open_firewall(FirewallSpec(request.param))
    yield opened
    await opened.close()


@pytest.mark.parametrize(("action", "seen"), [("drop", "silent"), ("reject", "refused")])
async def test_a_ban(net, firewall, say, action, seen):
    """Who is banned does not get to the jail's port, in either family; others do, and other ports are open to all."""
    await firewall.setup([say.jail(action=action)])
    assert await net.connects(HOST4, 22) == "open"
    await firewall.ban([say.ban(HOST4), say.ban("2001:db8:bad:1::/64")], say.now)
    assert [await net.connects(host, 22) for host in (HOST4, HOST6)] == [seen, seen]
    assert [await net.connects(host, 22) for host in (OTHER4, OTHER6)] == ["open", "open"]
    assert [await net.connects(host, 23) for host in (HOST4, HOST6)] == ["open", "open"]
    await firewall.unban([say.key(HOST4), say.key("2001:db8:bad:1::/64")])
    assert [await net.connects(host, 22) for host in (HOST4, HOST6)] == ["open", "open"]


async def test_each_iptables(each_iptables, net, say):
    """It makes no difference which kind of iptables lays the rules."""
    firewall = await open_firewall(FirewallSpec("ipset"))
    await firewall.setup([say.jail(action="reject")])
    await firewall.ban([say.ban(HOST4), say.ban("2001:db8:bad:1::/64")], say.now)
    assert [await net.connects(host, 22) for host in (HOST4, HOST6, OTHER4, OTHER6)] == ["refused", "refused", "open", "open"]
    await firewall.close()


async def test_a_network(net, firewall, say):
    """A network holds its addresses, and no others."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban("198.51.100.0/29"), say.ban("2001:db8:bad:1::/64")], say.now)
    assert [await net.connects(host, 22) for host in (HOST4, OTHER4, HOST6, OTHER6)] == ["silent", "open", "silent", "open"]


async def test_a_host_within_a_network(net, firewall, say):
    """Whoever is banned by himself and in networks of several lengths is out until the last of them is gone."""
    await firewall.setup([say.jail()])
    whos = [HOST4, "198.51.100.0/29", "198.51.0.0/16"]
    await firewall.ban([say.ban(who) for who in whos], say.now)
    for who in whos:
        assert await net.connects(HOST4, 22) == "silent"
        await firewall.unban([say.key(who)])
    assert await net.connects(HOST4, 22) == "open"


async def test_an_end(net, firewall, say):
    """When its time is over, the kernel lets the address in again."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban(HOST4, 1)], say.now)
    assert await net.connects(HOST4, 22) == "silent"
    async with asyncio.timeout(5):
        while await net.connects(HOST4, 22) != "open":
            pass


async def test_the_allowed(net, firewall, say):
    """Who is allowed gets in although banned."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban("198.51.100.0/24"), say.ban(HOST4, None, "allow")], say.now)
    await firewall.ban([say.ban("2001:db8:bad::/48"), say.ban("2001:db8:bad:1::/80", None, "allow")], say.now)
    assert [await net.connects(host, 22) for host in (HOST4, OTHER4, HOST6, OTHER6)] == ["open", "silent", "open", "silent"]


async def test_the_allowed_under_a_policy_that_denies(net, firewall, say):
    """Allowed means not banned: a firewall that lets nobody in still does not."""
    say.run("iptables", "-P", "INPUT", "DROP")
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban(HOST4, None, "allow")], say.now)
    assert await net.connects(HOST4, 22) == "silent"


async def test_an_interface(net, firewall, say):
    """A jail of one interface leaves the others alone."""
    await firewall.setup([say.jail("there", interface=net.link), say.jail("elsewhere", ((23, 23),), interface="wg0")])
    await firewall.ban([say.ban(HOST4, jail=jail) for jail in ("there", "elsewhere")], say.now)
    assert [await net.connects(HOST4, port) for port in (22, 23)] == ["silent", "open"]


async def test_many_ports(net, firewall, say):
    """A jail with more ports than one match holds covers them all, and none between them."""
    ports = (*((port, port) for port in range(2001, 2016)), (20, 22), (30, 40))
    await firewall.setup([say.jail(ports=ports)])
    await firewall.ban([say.ban(HOST4)], say.now)
    assert [await net.connects(HOST4, port) for port in (22, 23)] == ["silent", "open"]


async def test_loopback(net, firewall, say):
    """What this host says to itself always arrives."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban("127.0.0.1"), say.ban("::1"), say.ban(net.victim4)], say.now)
    for address in ("127.0.0.1", "::1", net.victim4):
        socket.create_connection((address, 22), timeout=2).close()


async def test_an_open_connection(net, firewall, say):
    """A ban ends what is said over a connection that was open before it."""
    loop = asyncio.get_running_loop()
    await firewall.setup([say.jail("mail", ((2525, 2525),))])
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server((net.victim4, 2525)))
        server.setblocking(False)
        attacker = stack.enter_context(net.attacker.socket())
        attacker.bind((HOST4, 0))
        await loop.sock_connect(attacker, (net.victim4, 2525))
        victim, _ = await loop.sock_accept(server)
        stack.enter_context(victim)
        await loop.sock_sendall(attacker, b"one")
        assert await loop.sock_recv(victim, 99) == b"one"
        await firewall.ban([say.ban(HOST4, jail="mail")], say.now)
        await loop.sock_sendall(attacker, b"two")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await loop.sock_recv(victim, 99)


async def test_what_was_dropped_is_counted(net, firewall, say):
    """The kernel tells how many packets a ban has stopped, and renewing the ban does not forget it."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban(HOST4), say.ban(OTHER4)], say.now)
    await net.connects(HOST4, 22)
    dropped = (await firewall.dropped())["sshd"]
    assert dropped[HOST4] >= 1
    assert dropped[OTHER4] == 0
    await firewall.ban([say.ban(HOST4, None)], say.now)
    assert (await firewall.dropped())["sshd"][HOST4] >= dropped[HOST4]


async def readable(sock):
    """Return when `sock` has something to read, or an error."""
    loop = asyncio.get_running_loop()
    waiting = loop.create_future()
    loop.add_reader(sock, lambda: waiting.done() or waiting.set_result(None))
    try:
        await waiting
    finally:
        loop.remove_reader(sock)


async def answered(net, source, kind, protocol, data, port=0):
    """Whether `data`, sent from `source`, is answered: "yes", "no", or "refused" by an ICMP error."""
    loop = asyncio.get_running_loop()
    family, target = (socket.AF_INET6, net.victim6) if ":" in source else (socket.AF_INET, net.victim4)
    with net.attacker:
        sock = socket.socket(family, kind, protocol)
    with sock:
        sock.setblocking(False)
        sock.bind((source, 0))
        sock.connect((target, port))
        await loop.sock_sendall(sock, data)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await readable(sock)
        try:
            sock.recv(999)
        except BlockingIOError:
            return "no"
        except ConnectionRefusedError:
            return "refused"
    return "yes"


@pytest.mark.parametrize(("host", "other"), [(HOST4, OTHER4), (HOST6, OTHER6)])
@pytest.mark.parametrize(("action", "seen"), [("drop", "no"), ("reject", "refused")])
async def test_datagrams(net, firewall, say, host, other, action, seen):
    """Udp is dropped or answered by an ICMP error; here nobody listens, so that to others it is the host that refuses."""
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with server:
        server.bind(("::", 53))
        await firewall.setup([say.jail("dns", ((53, 53),), protocol=("udp",), action=action)])
        await firewall.ban([say.ban(host, jail="dns")], say.now)
        assert await answered(net, host, socket.SOCK_DGRAM, 0, b"x", 53) == seen
        assert await answered(net, other, socket.SOCK_DGRAM, 0, b"x", 53) == "no"
        assert await answered(net, host, socket.SOCK_DGRAM, 0, b"x", 54) == "refused"


async def test_every_port(net, firewall, say):
    """`all` stops tcp and udp, and lets ICMPv6 through, without which there is no IPv6."""
    await firewall.setup([say.jail("manual", None)])
    await firewall.ban([say.ban(HOST6, jail="manual")], say.now)
    echo = struct.pack(">BBHHH", 128, 0, 0, 1, 1)
    assert await answered(net, HOST6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6, echo) == "yes"
    assert await answered(net, HOST6, socket.SOCK_DGRAM, 0, b"x", 54) == "no"
    assert [await net.connects(HOST6, port) for port in (22, 23)] == ["silent", "silent"]
