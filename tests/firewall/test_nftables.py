"""firewall/nftables.py: what it does its own way. What every backend does is in test_contract.py, packets in test_traffic.py."""

import asyncio
import json

import pytest

from banwatch.config.model import FirewallSpec, Limit, Rule
from banwatch.errors import FirewallError
from banwatch.firewall.nft import Nft
from banwatch.firewall.nftables import milliseconds_left
from banwatch.firewall.open import open_firewall

DAY = 86400.0


@pytest.mark.parametrize(
    ("until", "milliseconds"),
    [
        (None, 0),
        (100.0, 1_000),
        (100.2, 1_000),
        (102.00001, 2_001),
        (103.5, 3_500),
        (-1e12, 1_000),
        (100.0 + 400 * DAY, 400 * 86_400_000),
        (1e12, 3650 * 86_400_000),
    ],
)
def test_milliseconds_left(until, milliseconds):
    """Rounded up, at least a second, at most ten years, and 0 for nothing but `for ever`."""
    assert milliseconds_left(until, 100.0) == milliseconds


@pytest.fixture
async def firewall(netns):
    """The real one, in a fresh network namespace that the test is in, too."""
    opened = await open_firewall(FirewallSpec("nftables"))
    yield opened
    await opened.close()


def rules(say, chain):
    """The rules of a chain as nft prints them, without their comments."""
    lines = say.run("nft", "list", "chain", "inet", "banwatch", chain).splitlines()[2:-2]
    return [line.strip().partition(" comment ")[0] for line in lines]


def lengths(say):
    """The lengths for which there are sets of the jail sshd."""
    lines = say.run("nft", "list", "sets", "inet").splitlines()
    return {line.split()[1].removeprefix("banwatch-sshd-") for line in lines if line.startswith("\tset banwatch-sshd-")}


@pytest.mark.kernel
async def test_setup(firewall, say):
    """A table of our own, whose rules read like this, and nothing in any other table."""
    jails = [say.jail(ports=((22, 22), (2000, 2010)), action="reject"), say.jail("all", None, interface="eth0")]
    await firewall.setup([*jails, say.jail("look", enforce=False)])
    assert say.run("nft", "list", "tables") == "table inet banwatch\n"
    assert rules(say, "input")[0] == "type filter hook input priority filter - 10; policy accept;"
    assert rules(say, "input")[1:] == [
        'iifname "lo" return',
        "ip saddr @banwatch-allow-4-32 return",
        "ip6 saddr @banwatch-allow-6-128 return",
        "ip6 saddr & ffff:ffff:ffff:ffff:: == @banwatch-allow-6-64 return",
        "tcp dport { 22, 2000-2010 } jump banwatch-sshd",
        'iifname "eth0" meta l4proto { tcp, udp } jump banwatch-all',
    ]
    assert rules(say, "banwatch-all")[-1] == "ip6 saddr & ffff:ffff:ffff:ffff:: == @banwatch-all-6-64 drop"
    assert firewall.notes == ()


@pytest.mark.kernel
async def test_sets_are_as_they_should_be(firewall, say):
    """Addresses with timeouts and counters; no intervals, no size, no merging."""
    await firewall.setup([say.jail()])
    listing = json.loads(say.run("nft", "-j", "list", "set", "inet", "banwatch", "banwatch-sshd-6-64"))
    [header] = [entry["set"] for entry in listing["nftables"] if "set" in entry]
    assert (header.pop("handle") > 0, header.pop("stmt")) == (True, [{"counter": None}])
    assert header == {
        "family": "inet",
        "name": "banwatch-sshd-6-64",
        "table": "banwatch",
        "type": "ipv6_addr",
        "flags": ["timeout"],
    }


@pytest.mark.kernel
async def test_a_set_for_each_length(firewall, say):
    """What the rules can ban has its sets from the start, so that no ban waits for nft; the rest gets them with the first ban."""
    jail = say.jail(rules=(Rule("net", frozenset({"auth"}), "net", Limit(3, 60), 60, (22, 44)),))
    await firewall.setup([jail])
    assert lengths(say) == {"4-32", "4-22", "6-64", "6-44"}
    firewall._nft = Nft("/nonexistent/nft")
    whos = ["192.0.2.7", "192.0.0.0/22", "2001:db8::/64", "2001:db8::/44"]
    await firewall.ban([say.ban(who) for who in whos], say.now)
    with pytest.raises(FirewallError) as caught:
        await firewall.ban([say.ban(who) for who in ("192.0.2.8", "192.0.2.0/24", "2001:db8::1")], say.now)
    why = "nft cannot be started: No such file or directory"
    assert caught.value.failed == {say.key("192.0.2.0/24"): why, say.key("2001:db8::1"): why}
    assert set(await say.banned(firewall)) == {say.key(who) for who in (*whos, "192.0.2.8")}
    firewall._nft = Nft("nft")
    await firewall.ban([say.ban("192.0.2.0/24")], say.now)
    assert lengths(say) == {"4-32", "4-22", "4-24", "6-64", "6-44"}
    assert "ip saddr & 255.255.255.0 == @banwatch-sshd-4-24 drop" in rules(say, "banwatch-sshd")
    assert len(await say.banned(firewall)) == 6


@pytest.mark.kernel
async def test_bans_of_new_lengths_at_once(firewall, say):
    """Two that need sets at the same time do not take them from each other, nor does a reload meanwhile."""
    await firewall.setup([say.jail()])
    bans = [say.ban(f"10.{bits}.0.0/{bits}", None) for bits in (16, 17, 18)]
    await asyncio.gather(*(firewall.ban([ban], say.now) for ban in bans), firewall.setup([say.jail(), say.jail("new")]))
    assert set(await say.banned(firewall)) == {(ban.jail, ban.target) for ban in bans}
    assert lengths(say) == {"4-32", "4-16", "4-17", "4-18", "6-64"}


@pytest.mark.kernel
async def test_host_bits(firewall, say):
    """A network that is written with the bits of a host is the network, as it is to ipset."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban("192.0.2.7/24", None), say.ban("2001:db8::7/64", None)], say.now)
    assert set(await say.banned(firewall)) == {say.key("192.0.2.0/24"), say.key("2001:db8::/64")}
    await firewall.unban([say.key("192.0.2.9/24"), say.key("2001:db8::7/64")])
    assert await say.banned(firewall) == {}


@pytest.mark.kernel
async def test_ban_again_keeps_its_counters(firewall, say):
    """A ban given again has its new end, and what it has stopped until then is not forgotten."""
    await firewall.setup([say.jail()])
    element = "192.0.2.7 counter packets 5 bytes 300 timeout 50s"
    say.run("nft", f"add element inet banwatch banwatch-sshd-4-32 {{ {element} }}")
    for seconds in (1000, 100, None, 7):
        await firewall.ban([say.ban("192.0.2.7", seconds)], say.now)
        assert await firewall.dropped() == {"allow": {}, "sshd": {"192.0.2.7": 5}}
        assert "counter packets 5 bytes 300" in say.run("nft", "list", "set", "inet", "banwatch", "banwatch-sshd-4-32")


@pytest.mark.kernel
async def test_setup_again_touches_nothing(firewall, say):
    """What is right already keeps even the handles of its rules."""
    jails = [say.jail(action="reject"), say.jail("udp", ((1, 9), (53, 53)), protocol=("tcp", "udp")), say.jail("all", None)]
    await firewall.setup(jails)
    await firewall.ban([say.ban("192.0.2.0/24", None)], say.now)
    before = say.run("nft", "-a", "list", "table", "inet", "banwatch")
    firewall._nft = Nft("/nonexistent/nft")
    await firewall.setup(jails)
    assert say.run("nft", "-a", "list", "table", "inet", "banwatch") == before


@pytest.mark.kernel
async def test_damage_by_others(firewall, say):
    """What an operator, or another firewall, has done to our rules is undone by the next setup; the bans were safe."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban("192.0.2.7", None), say.ban("192.0.2.0/24", None)], say.now)
    before = say.run("nft", "list", "table", "inet", "banwatch")
    for damage in (
        "flush chain inet banwatch input",
        "flush table inet banwatch",
        "flush chain inet banwatch input; delete chain inet banwatch input",
        "insert rule inet banwatch input accept",
        "insert rule inet banwatch banwatch-sshd ip saddr 192.0.2.7 return",
        "add table inet banwatch { flags dormant; }",
        "add chain inet banwatch input { policy drop; }",
        "flush chain inet banwatch input; delete chain inet banwatch input;"
        "add chain inet banwatch input { type filter hook forward priority 3; policy accept; }",
    ):
        say.run("nft", damage)
        assert say.run("nft", "list", "table", "inet", "banwatch") != before
        await firewall.setup([say.jail()])
        assert sorted(say.run("nft", "list", "table", "inet", "banwatch").splitlines()) == sorted(before.splitlines())
    assert await say.banned(firewall) == {say.key("192.0.2.7"): None, say.key("192.0.2.0/24"): None}


@pytest.mark.kernel
async def test_a_flushed_ruleset(firewall, say):
    """What begins with `flush ruleset`, as Debian's nftables.conf does, takes all; setup lays it again, with every set."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban("192.0.2.0/24", None)], say.now)
    say.run("nft", "flush", "ruleset")
    with pytest.raises(FirewallError) as caught:
        await firewall.ban([say.ban("192.0.2.7")], say.now)
    assert caught.value.failed == {say.key("192.0.2.7"): "the set is gone"}
    await firewall.setup([say.jail()])
    assert lengths(say) == {"4-32", "4-24", "6-64"}
    firewall._nft = Nft("/nonexistent/nft")
    await firewall.ban([say.ban("192.0.2.0/24", None)], say.now)
    assert await say.banned(firewall) == {say.key("192.0.2.0/24"): None}


@pytest.mark.kernel
async def test_the_rules_of_others(firewall, say):
    """Tables of others, and what iptables has laid, survive setup, reload and teardown to the letter."""
    say.run("iptables-nft", "-P", "INPUT", "DROP")
    say.run("iptables-nft", "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT")
    say.run("nft", "-f", "-", text="add table inet filter\nadd set inet filter banwatch-x-4-32 { type ipv4_addr; }\n")
    say.run("nft", "add table ip banwatch")

    def others():
        return [
            say.run("nft", "-a", "list", "table", *table) for table in (("ip", "filter"), ("inet", "filter"), ("ip", "banwatch"))
        ]

    before = others()
    await firewall.setup([say.jail("x"), say.jail()])
    assert others() == before
    await firewall.setup([say.jail()])
    assert others() == before
    await firewall.teardown()
    assert others() == before


@pytest.mark.kernel
async def test_a_stale_set_in_use(firewall, say):
    """What a rule of somebody else in our table refers to is kept, and noted; teardown takes the table, and so all of it."""
    await firewall.setup([say.jail("old", action="reject")])
    say.run("nft", "-f", "-", text="add chain inet banwatch mine\nadd rule inet banwatch mine ip saddr @banwatch-old-4-32 log\n")
    say.run("nft", "add rule inet banwatch mine jump banwatch-old")
    await firewall.setup([])
    assert firewall.notes == (
        "the chain banwatch-old is kept: a rule of somebody else refers to it",
        "the set banwatch-old-4-32 is kept: a rule of somebody else refers to it",
    )
    assert rules(say, "banwatch-old") == []
    say.run("nft", "flush chain inet banwatch mine")
    await firewall.setup([])
    assert firewall.notes == ()
    assert say.run("nft", "list", "chains", "inet").split("\n")[1:3] == [
        "\tchain input {",
        "\t\ttype filter hook input priority filter - 10; policy accept;",
    ]
    await firewall.teardown()
    assert say.run("nft", "list", "ruleset") == ""


@pytest.mark.kernel
async def test_a_set_that_cannot_be_used(firewall, say):
    """A set of our name that is another thing is an error before anything is changed, for its jail or, the allowed's, for all."""
    say.run("nft", "-f", "-", text="add table inet banwatch\nadd set inet banwatch banwatch-sshd-6-64 { type ether_addr; }\n")
    before = say.run("nft", "list", "ruleset")
    message = "set 'banwatch-sshd-6-64' of the table inet banwatch is not one of IPv6 addresses"
    assert await firewall.unusable([say.jail(), say.jail("mail")]) == {"sshd": message}
    with pytest.raises(FirewallError) as caught:
        await firewall.setup([say.jail()])
    assert caught.value.message == message
    assert say.run("nft", "list", "ruleset") == before
    say.run("nft", "add set inet banwatch banwatch-allow-4-32 { type ipv4_addr; }")
    with pytest.raises(FirewallError, match="'banwatch-allow-4-32' of the table inet banwatch was made without timeouts"):
        await firewall.unusable([])


@pytest.mark.kernel
async def test_a_refusal_by_nft(firewall, say):
    """What nft refuses is told, nothing of it is laid, and the old rules stay."""
    await firewall.setup([say.jail()])
    before = say.run("nft", "list", "ruleset")
    firewall._nft = Nft("/bin/false")
    with pytest.raises(FirewallError, match="false refused"):
        await firewall.setup([say.jail("mail")])
    assert say.run("nft", "list", "ruleset") == before
    await firewall.ban([say.ban("192.0.2.7")], say.now)


@pytest.mark.kernel
async def test_a_size_that_the_kernel_does_not_say(firewall, say, monkeypatch):
    """Before Linux 6.16 there is a number instead, which is another after whatever somebody else does, and not after ours."""
    monkeypatch.setattr("banwatch.firewall.nft_wire._SET_COUNT", 99)
    await firewall.setup([say.jail()])
    before = await firewall.holdings()
    assert {holding.size for holding in before} == {0}
    await firewall.ban([say.ban("192.0.2.7", None), say.ban("192.0.2.0/24")], say.now)
    await firewall.setup([say.jail(ports=((23, 23),))])
    assert await firewall.holdings() == before
    say.run("nft", "flush set inet banwatch banwatch-sshd-4-32")
    assert {holding.changes for holding in await firewall.holdings()} == {before[0].changes + 1}


@pytest.mark.kernel
async def test_a_set_that_is_another_thing_is_gone(firewall, say):
    """Somebody has put a set of something else in the place of ours: there are no bans in it."""
    await firewall.setup([say.jail()])
    name = "inet banwatch banwatch-sshd-4-32"
    say.run("nft", f"flush chain inet banwatch banwatch-sshd; delete set {name}; add set {name} {{ type ether_addr; }}")
    assert [holding.name for holding in await firewall.holdings() if holding.size is None] == ["banwatch-sshd-4"]


@pytest.mark.kernel
async def test_a_set_made_for_a_ban_is_marked(firewall, say):
    """Where all sets of a jail have their marks, one that is made later has one too; where they have none it changes nothing."""
    await firewall.setup([say.jail(), say.jail("mail")])
    [sshd] = [holding for holding in await firewall.holdings() if holding.name == "banwatch-sshd-4"]
    await firewall.mark(sshd)
    await firewall.ban([say.ban("192.0.2.0/24"), say.ban("192.0.2.0/24", jail="mail")], say.now)
    assert (await firewall.members("banwatch-sshd-4")).marked
    assert not (await firewall.members("banwatch-mail-4")).marked


@pytest.mark.kernel
async def test_closed_while_waiting_for_changes(firewall, say, monkeypatch):
    """Whoever waits for changes of the rules is told when there is nobody left who could tell."""
    monkeypatch.setattr("banwatch.firewall.nftables.POLL_SECONDS", 0.01)
    await firewall.close()
    await asyncio.wait_for(firewall.rules_changed(), 10)
