"""What other implementations of ipset's protocol, and of nf_tables', say about our sets, and we about their entries."""

import json
import sys
from ipaddress import ip_network
from random import Random

import pytest

from banwatch.address import render_network
from banwatch.config.model import FirewallSpec
from banwatch.firewall.nft_batches import MARKED
from banwatch.firewall.open import open_firewall

pytestmark = [pytest.mark.kernel, pytest.mark.oracle]

LIST = """
import json
from pyroute2 import IPSet

found = []
with IPSet() as sets:
    for reply in sets.list():
        for entry in reply.get_attr("IPSET_ATTR_ADT").get_attrs("IPSET_ATTR_DATA"):
            host = entry.get_attr("IPSET_ATTR_IP_FROM")
            address = host.get_attr("IPSET_ATTR_IPADDR_IPV4") or host.get_attr("IPSET_ATTR_IPADDR_IPV6")
            found.append([reply.get_attr("IPSET_ATTR_SETNAME"), reply.get_attr("IPSET_ATTR_TYPENAME"), address,
                          entry.get_attr("IPSET_ATTR_CIDR"), entry.get_attr("IPSET_ATTR_TIMEOUT")])
print(json.dumps(sorted(found)))
"""
ADD = """
from pyroute2 import IPSet

with IPSet() as sets:
    sets.add("banwatch-sshd-4", "192.0.2.9", etype="net", timeout=300)
"""


async def test_pyroute2_reads_what_we_wrote(firewall, say):
    """Sets, addresses, prefixes and timeouts, 0 being for ever."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban("192.0.2.7", 600), say.ban("198.51.100.0/24", None), say.ban("2001:db8::/64", 600)], say.now)
    found = json.loads(say.run(sys.executable, "-W", "ignore", "-c", LIST))
    assert [(*entry[:4], min(entry[4], 1)) for entry in found] == [
        ("banwatch-sshd-4", "hash:net", "192.0.2.7", 32, 1),
        ("banwatch-sshd-4", "hash:net", "198.51.100.0", 24, 0),
        ("banwatch-sshd-6", "hash:net", "2001:db8::", 64, 1),
    ]


async def test_we_read_what_pyroute2_wrote(firewall, say):
    """An entry that somebody else's program put into our set is an entry like any other."""
    await firewall.setup([say.jail()])
    say.run(sys.executable, "-W", "ignore", "-c", ADD)
    [(key, left)] = (await say.banned(firewall)).items()
    assert key == say.key("192.0.2.9")
    assert 290 <= left <= 300


@pytest.fixture
async def nftables(netns):
    opened = await open_firewall(FirewallSpec("nftables"))
    yield opened
    await opened.close()


def some_networks(dice):
    """Twenty networks of either family and of any length but 0."""
    for _ in range(20):
        longest = dice.choice([32, 128])
        bits = dice.randint(1, longest)
        yield render_network(ip_network((dice.getrandbits(longest).to_bytes(longest // 8), bits), strict=False))


def elements(say):
    """What nft itself says is in the sets of the jail sshd: the network, and the seconds it has left, None being for ever."""
    found = {}
    marks = {text for _, text in MARKED.values()}
    for entry in json.loads(say.run("nft", "-j", "list", "table", "inet", "banwatch"))["nftables"]:
        header = entry.get("set", {})
        if header.get("name", "").startswith("banwatch-sshd-"):
            bits = header["name"].rpartition("-")[2]
            for element in header.get("elem", ()):
                value = element["elem"]
                who = render_network(ip_network(f"{value['val']}/{bits}"))
                if who not in marks:
                    found[who] = (value.get("timeout"), value["counter"]["packets"])
    return found


async def test_nft_reads_what_we_wrote_and_we_what_it_reads(nftables, say):
    """Networks of any length, of both families, with their timeouts: nft, the kernel and we see the same."""
    await nftables.setup([say.jail()])

    dice = Random(1)
    for _ in range(5):
        whos = dict.fromkeys(some_networks(dice))
        bans = [say.ban(who, None if number % 3 == 0 else 600 + number) for number, who in enumerate(whos)]
        await nftables.ban(bans, say.now)
        expected = {ban.target.who: (ban.until and int(ban.until - say.now), 0) for ban in bans}
        assert elements(say) == expected
        banned = await say.banned(nftables)
        assert {target.who: left is None for (_, target), left in banned.items()} == {
            who: left is None for who, (left, _) in expected.items()
        }
        await nftables.unban([(ban.jail, ban.target) for ban in bans])
        assert elements(say) == {}


async def test_we_read_what_nft_wrote(nftables, say):
    """An element that an operator puts into our set is an element like any other, its counters too."""
    await nftables.setup([say.jail()])
    say.run("nft", "add element inet banwatch banwatch-sshd-4-32 { 192.0.2.9 counter packets 7 bytes 420 timeout 300s }")
    say.run("nft", "add element inet banwatch banwatch-sshd-6-64 { 2001:db8:: }")
    banned = await say.banned(nftables)
    assert banned.keys() == {say.key("192.0.2.9"), say.key("2001:db8::/64")}
    assert 290 < banned[say.key("192.0.2.9")] <= 300
    assert banned[say.key("2001:db8::/64")] is None
    assert (await nftables.dropped())["sshd"] == {"192.0.2.9": 7, "2001:db8::/64": 0}
