"""firewall/ipset.py: what it does its own way. What every backend does is in test_contract.py, packets are in test_traffic.py."""

import asyncio
import re
import socket

import pytest

from banwatch.errors import FirewallError
from banwatch.firewall.base import LONGEST
from banwatch.firewall.ipset import IpsetFirewall
from banwatch.firewall.iptables import Tables
from banwatch.firewall.sets import KernelSets
from banwatch.firewall.wire import encode_list
from banwatch.host.frame import encode_message
from banwatch.host.netlink import NETLINK_NETFILTER

pytestmark = pytest.mark.kernel

EMPTY = "-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n"


def sets(say):
    return sorted(say.run("ipset", "list", "-name").split())


def rules(say, family=4, kind=None):
    name = {4: "iptables", 6: "ip6tables"}[family]
    return say.run(f"{name}-{kind}" if kind else name, "-S")


async def test_setup(each_iptables, firewall, say):
    """Sets and a chain per family, exactly these, entered from INPUT."""
    await firewall.setup([say.jail(action="reject"), say.jail("all", None, interface="eth0"), say.jail("look", enforce=False)])
    assert sets(say) == [f"banwatch-{jail}-{family}" for jail in ("all", "allow", "sshd") for family in (4, 6)]
    for family, unreachable in ((4, "icmp"), (6, "icmp6")):
        assert rules(say, family, each_iptables) == EMPTY + (
            "-N banwatch\n"
            "-A INPUT -j banwatch\n"
            "-A banwatch -i lo -j RETURN\n"
            f"-A banwatch -m set --match-set banwatch-allow-{family} src -j RETURN\n"
            f"-A banwatch -p tcp -m multiport --dports 22 -m set --match-set banwatch-sshd-{family} src"
            " -j REJECT --reject-with tcp-reset\n"
            f"-A banwatch -i eth0 -p tcp -m set --match-set banwatch-all-{family} src -j DROP\n"
            f"-A banwatch -i eth0 -p udp -m set --match-set banwatch-all-{family} src -j DROP\n"
        ), unreachable
    assert firewall.notes == ()


async def test_sets_are_as_they_should_be(firewall, say):
    """Timeouts, counters, and room for 4 million."""
    await firewall.setup([say.jail()])
    lines = say.run("ipset", "list", "banwatch-sshd-6").splitlines()
    assert lines[1] == "Type: hash:net"
    assert lines[3].split("bucketsize")[0].strip() == "Header: family inet6 hashsize 1024 maxelem 4194304 timeout 0 counters"


async def test_setup_again_touches_nothing(each_iptables, firewall, say):
    """Rules that are right already keep even their counters."""
    jails = [say.jail(), say.jail("udp", ((1, 9), (53, 53)), protocol=("tcp", "udp"), action="reject"), say.jail("all", None)]
    await firewall.setup(jails)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("127.0.0.1", 9))
    listing = [f"{name}-{each_iptables}" for name in ("iptables", "ip6tables")]
    before = [say.run(name, "-S", "-v") for name in listing]
    assert "-A banwatch -i lo -c 0 0" not in before[0]
    await firewall.setup(jails)
    assert [say.run(name, "-S", "-v") for name in listing] == before


async def test_reload(each_iptables, firewall, say):
    """The sets of a jail that is gone go with its rules; what is in the others stays, and there are rules for the new one."""
    await firewall.setup([say.jail("old"), say.jail("kept")])
    await firewall.ban([say.ban("192.0.2.7", jail="old"), say.ban("192.0.2.7", None, "kept")], say.now)
    await firewall.setup([say.jail("kept", ((23, 23),)), say.jail("new")])
    assert sets(say) == [f"banwatch-{jail}-{family}" for jail in ("allow", "kept", "new") for family in (4, 6)]
    assert await say.banned(firewall) == {say.key("192.0.2.7", "kept"): None}
    text = rules(say, 4, each_iptables)
    assert "banwatch-old" not in text
    assert "--dports 23 -m set --match-set banwatch-kept-4" in text


async def test_flushed_by_others(each_iptables, firewall, say):
    """What an operator, or another firewall, has flushed or deleted is laid again by the next setup; the bans were safe."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban("192.0.2.7", None)], say.now)
    command = f"iptables-{each_iptables}"
    before = rules(say, 4, each_iptables)
    for damage in ([["-F"]], [["-D", "INPUT", "-j", "banwatch"]], [["-F"], ["-X"]], [["-D", "banwatch", "2"]]):
        for words in damage:
            say.run(command, *words)
        assert rules(say, 4, each_iptables) != before
        await firewall.setup([say.jail()])
        assert rules(say, 4, each_iptables) == before
    assert await say.banned(firewall) == {say.key("192.0.2.7"): None}


async def test_the_rules_of_others(each_iptables, firewall, say):
    """Policies and rules of others survive setup and teardown, and a rule that would let packets in comes after us."""
    command = f"iptables-{each_iptables}"
    say.run(command, "-P", "INPUT", "DROP")
    say.run(command, "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT")
    before = rules(say, 4, each_iptables)
    await firewall.setup([say.jail()])
    assert [line for line in rules(say, 4, each_iptables).splitlines() if " INPUT" in line] == [
        "-P INPUT DROP",
        "-A INPUT -j banwatch",
        "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT",
    ]
    say.run(command, "-I", "INPUT", "-s", "192.0.2.0/24", "-j", "ACCEPT")
    await firewall.setup([say.jail()])
    assert [line for line in rules(say, 4, each_iptables).splitlines() if "-A INPUT" in line] == [
        "-A INPUT -j banwatch",
        "-A INPUT -s 192.0.2.0/24 -j ACCEPT",
        "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT",
    ]
    say.run(command, "-D", "INPUT", "-s", "192.0.2.0/24", "-j", "ACCEPT")
    await firewall.teardown()
    assert rules(say, 4, each_iptables) == before


async def test_astray(each_iptables, firewall, say):
    """What is wrong with the rules, of either family: nothing, our chain, or its place."""
    assert await firewall.astray() is None
    await firewall.setup([say.jail()])
    assert await firewall.astray() is None
    for stem in ("iptables", "ip6tables"):
        command = f"{stem}-{each_iptables}"
        say.run(command, "-D", "banwatch", "1")
        assert await firewall.astray() == "rules"
        await firewall.setup([say.jail()])
        say.run(command, "-I", "INPUT", "-j", "ACCEPT")
        assert await firewall.astray() == "order"
        await firewall.setup([say.jail()])
        assert await firewall.astray() is None
    await firewall.teardown()
    assert await firewall.astray() is None


async def test_word_of_changes(each_iptables, firewall, say, monkeypatch):
    """It comes from the kernel where it can, else after some time, whether there was one or not."""
    monkeypatch.setattr("banwatch.firewall.ipset.POLL_SECONDS", 0.01)
    monkeypatch.setattr("banwatch.firewall.ipset.QUIET_SECONDS", 0.01)
    await firewall.setup([say.jail()])
    if each_iptables == "nft":
        await asyncio.wait_for(firewall.rules_changed(), 10)  # our own
        waiting = asyncio.create_task(firewall.rules_changed())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        say.run("iptables-nft", "-F", "banwatch")
    else:
        waiting = asyncio.create_task(firewall.rules_changed())
    await asyncio.wait_for(waiting, 10)


async def test_a_set_that_is_gone_or_another(firewall, say):
    """Has no size; the others have theirs."""
    await firewall.setup([say.jail()])
    for family in ("iptables", "ip6tables"):
        say.run(family, "-F", "banwatch")
    say.run("ipset", "destroy", "banwatch-sshd-4")
    say.run("ipset", "destroy", "banwatch-sshd-6")
    say.run("ipset", "create", "banwatch-sshd-6", "hash:ip", "family", "inet6", "timeout", "0")
    sizes = {holding.name: holding.size for holding in await firewall.holdings()}
    assert sizes == {"banwatch-allow-4": 0, "banwatch-allow-6": 0, "banwatch-sshd-4": None, "banwatch-sshd-6": None}


async def test_the_mark(firewall, say):
    """It is nobody: not among the members, not to be banned, and not counted as dropped."""
    await firewall.setup([say.jail()])
    for holding in await firewall.holdings():
        await firewall.mark(holding)
        await firewall.mark(holding)
    assert [holding.size for holding in await firewall.holdings()] == [1, 1, 1, 1]
    assert await firewall.members("banwatch-sshd-6") == ({}, True)
    assert await firewall.dropped() == {"allow": {}, "sshd": {}}
    with pytest.raises(FirewallError) as caught:
        await firewall.ban([say.ban("255.255.255.255")], say.now)
    assert caught.value.failed == {say.key("255.255.255.255"): "it marks sets as filled, and is no address of anybody"}


@pytest.mark.parametrize(("type_", "message"), [("hash:net", None), ("hash:ip", "set 'banwatch-sshd-4' is of type hash:ip")])
async def test_somebody_was_faster(firewall, say, monkeypatch, type_, message):
    """A set that is made between our look and our making it is used, if it can be."""
    create = firewall._kernel.create

    async def create_late(name, family):
        if name == "banwatch-sshd-4":
            say.run("ipset", "create", name, type_, "timeout", "0")
        await create(name, family)

    monkeypatch.setattr(firewall._kernel, "create", create_late)
    if message is None:
        await firewall.setup([say.jail()])
        await firewall.ban([say.ban("192.0.2.7", None)], say.now)
        assert await say.banned(firewall) == {say.key("192.0.2.7"): None}
    else:
        with pytest.raises(FirewallError, match=message):
            await firewall.setup([say.jail()])


async def test_teardown(each_iptables, firewall, say):
    """Nothing of ours is left, of others everything; and that can be said twice."""
    say.run("ipset", "create", "mine", "hash:ip")
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban("192.0.2.7"), say.ban("2001:db8::/64")], say.now)
    for _ in range(2):
        await firewall.teardown()
        assert sets(say) == ["mine"]
        assert [rules(say, family, each_iptables) for family in (4, 6)] == [EMPTY, EMPTY]
        assert await say.banned(firewall) == {}


async def test_timeouts(firewall, say):
    """The kernel is told what is left, rounded up; what it cannot keep so long is cut to the longest it can."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban("192.0.2.7", 599.2), say.ban("192.0.2.8", 365 * 86400.0)], say.now)
    left = await say.banned(firewall)
    assert left[say.key("192.0.2.7")] in (599.0, 600.0)
    assert left[say.key("192.0.2.8")] in (LONGEST - 1.0, float(LONGEST))


async def test_ban_again(firewall, say):
    """A ban given again has the new end, shorter or longer, and keeps its counters."""
    await firewall.setup([say.jail()])
    say.run("ipset", "add", "banwatch-sshd-4", "192.0.2.7", "timeout", "50", "packets", "5", "bytes", "300")
    for seconds, told in ((1000, (999.0, 1000.0)), (100, (99.0, 100.0)), (None, (None,)), (7, (6.0, 7.0))):
        await firewall.ban([say.ban("192.0.2.7", seconds)], say.now)
        assert (await say.banned(firewall))[say.key("192.0.2.7")] in told
        assert await firewall.dropped() == {"allow": {}, "sshd": {"192.0.2.7": 5}}
        assert "192.0.2.7" in (listed := say.run("ipset", "list", "banwatch-sshd-4"))
        assert listed.endswith("packets 5 bytes 300\n")


async def test_a_full_set_grows(firewall, say):
    """Four times and four times again, without a gap: its rule, members, counters and comments stay, whoever made it."""
    say.run("ipset", "create", "theirs", "hash:net", "maxelem", "4", "timeout", "0", "counters", "comment")
    say.run("ipset", "add", "theirs", "203.0.113.0/24", "packets", "5", "bytes", "300", "comment", "a list of mine")
    say.run("ipset", "add", "theirs", "203.0.113.9", "nomatch", "timeout", "1000")
    await firewall.setup([say.jail(set="theirs")])
    hosts = [f"10.0.0.{low}" for low in range(30)]
    await firewall.ban([say.ban(who, 600.0) for who in hosts], say.now)
    listed = say.run("ipset", "list", "theirs")
    assert "maxelem 64 timeout 0 counters comment" in listed
    assert '203.0.113.0/24 timeout 0 packets 5 bytes 300 comment "a list of mine"\n' in listed
    assert re.search(r"203\.0\.113\.9 timeout (999|100[012]) nomatch", listed)
    assert {who for _, (_, who) in await say.banned(firewall)} == {*hosts, "203.0.113.0/24"}
    assert "--match-set theirs src -j DROP" in rules(say)
    assert sets(say) == ["banwatch-allow-4", "banwatch-allow-6", "banwatch-sshd-6", "theirs"]
    assert firewall.notes == ("the set theirs was full, and has room for 64 now",)


async def test_a_full_set_grows_while_it_is_listed(firewall, say):
    """To the kernel a set that is listed is busy, and changes places with none: that is waited for."""
    say.run("ipset", "create", "theirs", "hash:net", "maxelem", "4096", "timeout", "0")
    await firewall.setup([say.jail(set="theirs")])
    bans = [say.ban(f"10.{a}.{b}.1", None) for a in range(20) for b in range(256)]
    await firewall.ban(bans[:4000], say.now)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as other:
        other.send(encode_message(encode_list("theirs"), 1))
        other.recv(65536)  # the first of many
        asyncio.get_running_loop().call_later(0.5, other.close)
        await firewall.ban(bans[4000:], say.now)
    assert len(await say.banned(firewall)) == len(bans)
    assert firewall.notes == ("the set theirs was full, and has room for 16384 now",)


async def test_a_full_set_grows_for_its_mark(firewall, say):
    """The mark needs room as well."""
    say.run("ipset", "create", "theirs", "hash:net", "family", "inet6", "maxelem", "1", "timeout", "0")
    say.run("ipset", "add", "theirs", "2001:db8::/64")
    await firewall.setup([say.jail(set="theirs")])
    [theirs] = [holding for holding in await firewall.holdings() if holding.name == "theirs"]
    await firewall.mark(theirs)
    assert await firewall.members("theirs") == ({"2001:db8::/64": None}, True)


async def test_a_set_that_has_no_more_room(firewall, say, monkeypatch):
    """What does not fit is told; what is in it already can still be renewed; and a full set is not tried for ever."""
    monkeypatch.setattr("banwatch.firewall.ipset.REFUSALS", 3)
    monkeypatch.setattr("banwatch.firewall.sets.MAXELEM", 4)
    say.run("ipset", "create", "banwatch-sshd-4", "hash:net", "maxelem", "4", "timeout", "0", "counters")
    await firewall.setup([say.jail()])
    hosts = [f"10.0.0.{low}" for low in range(10)]
    with pytest.raises(FirewallError) as caught:
        await firewall.ban([say.ban(who, None) for who in hosts], say.now)
    assert caught.value.failed == {say.key(who): "the set is full" for who in hosts[4:]}
    assert caught.value.errno == 4352
    with pytest.raises(FirewallError) as caught:
        await firewall.ban([say.ban("10.0.0.9", None), say.ban("10.0.0.3", 600)], say.now)
    assert caught.value.message == "not banned: 10.0.0.9 in sshd (the set is full)"
    assert (await say.banned(firewall))[say.key("10.0.0.3")] is not None


async def test_what_was_there_before_us(firewall, say):
    """Restart: sets are kept with what is in them, whoever put it there, and when they end."""
    say.run("ipset", "create", "banwatch-sshd-4", "hash:net", "timeout", "0", "counters")
    say.run("ipset", "add", "banwatch-sshd-4", "192.0.2.7")
    await firewall.setup([say.jail()])
    assert await say.banned(firewall) == {say.key("192.0.2.7"): None}


async def test_a_set_of_somebody_else(firewall, say):
    """`set:` is filled, looked into by the rule, and left alone at the end; two jails may share it."""
    say.run("ipset", "create", "bad", "hash:net", "timeout", "0")
    jails = [say.jail(set="bad"), say.jail("mail", ((25, 25),), set="bad")]
    await firewall.setup(jails)
    await firewall.ban([say.ban("192.0.2.7", None)], say.now)
    assert "--match-set bad src -j DROP" in rules(say)
    assert await say.banned(firewall) == {say.key("192.0.2.7"): None, say.key("192.0.2.7", "mail"): None}
    await firewall.teardown()
    assert sets(say) == ["bad"]


async def test_a_set_that_cannot_be_used(firewall, say):
    """A set of another type is an error before anything is changed."""
    say.run("ipset", "create", "banwatch-sshd-6", "hash:ip", "family", "inet6")
    with pytest.raises(FirewallError, match="set 'banwatch-sshd-6' is of type hash:ip, not hash:net"):
        await firewall.setup([say.jail()])
    assert sets(say) == ["banwatch-sshd-6"]
    assert rules(say) == EMPTY


async def test_who_is_unusable(firewall, say):
    """Each jail that names a set which is missing, or wrong, with its reason, and nobody else; nothing is changed."""
    say.run("ipset", "create", "six", "hash:net", "family", "inet6", "timeout", "0")
    say.run("ipset", "create", "ports", "hash:ip,port", "timeout", "0")
    say.run("ipset", "create", "endless", "hash:net")
    say.run("ipset", "create", "banwatch-own-4", "hash:ip", "timeout", "0")
    before = sets(say)
    names = ("none", "ports", "endless")
    jails = [say.jail(), say.jail("six", set="six"), say.jail("own"), *(say.jail(name, set=name) for name in names)]
    assert await firewall.unusable(jails) == {
        "own": "set 'banwatch-own-4' is of type hash:ip, not hash:net",
        "none": "jail none: there is no set 'none' (ipset create none hash:net timeout 0 counters)",
        "ports": "set 'ports' is of type hash:ip,port, not hash:net",
        "endless": "set 'endless' was made without `timeout`, so that no ban in it would end",
    }
    assert sets(say) == before
    assert rules(say) == EMPTY
    await firewall.setup(jails[:2])


async def test_the_set_of_the_allowed_concerns_all(firewall, say):
    """Where it cannot be used nobody can be protected from being locked out, so that nothing starts."""
    say.run("ipset", "create", "banwatch-allow-4", "hash:ip", "timeout", "0")
    with pytest.raises(FirewallError, match="set 'banwatch-allow-4' is of type hash:ip"):
        await firewall.unusable([say.jail()])


async def test_a_stale_set_in_use(firewall, say, monkeypatch):
    """A set of ours that a rule of somebody else refers to is kept, and noted; at the end it is an error."""
    monkeypatch.setattr("banwatch.firewall.sets._CLEARING", (0.0, 0.01))
    await firewall.setup([say.jail()])
    rule = ["INPUT", "-m", "set", "--match-set", "banwatch-sshd-4", "src", "-j", "LOG"]
    say.run("iptables", "-A", *rule)
    await firewall.setup([])
    assert firewall.notes == ("the set banwatch-sshd-4 is kept: a rule of somebody else refers to it",)
    with pytest.raises(FirewallError, match="still in use: banwatch-sshd-4"):
        await firewall.teardown()
    say.run("iptables", "-D", *rule)
    await firewall.setup([])
    assert firewall.notes == ()
    assert sets(say) == ["banwatch-allow-4", "banwatch-allow-6"]


async def test_without_ipv6(netns, say):
    """Where IPv6 is not covered IPv4 is, and a ban of an IPv6 address says why it is not in force."""
    lacking = ["ip6tables: not found, so IPv6 is not covered"]
    firewall = IpsetFirewall(await KernelSets().open((4,)), {4: Tables("iptables", "iptables-restore")}, lacking)
    await firewall.setup([say.jail()])
    assert sets(say) == ["banwatch-allow-4", "banwatch-sshd-4"]
    with pytest.raises(FirewallError) as caught:
        await firewall.ban([say.ban("2001:db8::/64", None), say.ban("192.0.2.7", None)], say.now)
    assert caught.value.failed == {say.key("2001:db8::/64"): lacking[0]}
    assert set(await say.banned(firewall)) == {say.key("192.0.2.7")}
    assert firewall.notes == tuple(lacking)
    await firewall.close()
