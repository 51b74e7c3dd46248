"""What firewall/base.py promises, by every backend on the real kernel; their own ways are in test_ipset.py, test_nftables.py."""

import asyncio
import time
from contextlib import suppress

import pytest

from banwatch.config.model import FirewallSpec, Limit, Rule
from banwatch.errors import FirewallError
from banwatch.firewall.open import open_firewall

pytestmark = pytest.mark.kernel


class Backend:
    """A backend by its name, and what another program says of its sets."""

    def __init__(self, name, say):
        self.name = name
        self._run = say.run

    def open(self):
        return open_firewall(FirewallSpec(self.name))

    def sets(self):
        """The sets of ours, without the lengths of nftables'."""
        if self.name == "ipset":
            return sorted(self._run("ipset", "list", "-name").split())
        lines = self._run("nft", "list", "sets", "inet").split("\n")
        return sorted({line.split()[1].rpartition("-")[0] for line in lines if line.startswith("\tset ")})

    def clean(self):
        """Whether neither a set nor a rule of ours is left."""
        return (self._run("ipset", "list", "-name"), self._run("nft", "list", "tables", "inet")) == ("", "") and all(
            "banwatch" not in self._run(command, "-S") for command in ("iptables", "ip6tables")
        )

    def lose(self):
        """Do away with the set of the jail sshd for IPv4 addresses, as somebody else might."""
        if self.name == "ipset":
            for command in (["iptables", "-F", "banwatch"], ["ipset", "destroy", "banwatch-sshd-4"]):
                self._run(*command)
        else:
            for what in ("flush chain inet banwatch banwatch-sshd", "delete set inet banwatch banwatch-sshd-4-32"):
                self._run("nft", what)

    def empty(self):
        """Empty the set of the jail sshd for IPv4 addresses."""
        if self.name == "ipset":
            self._run("ipset", "flush", "banwatch-sshd-4")
        else:
            self._run("nft", "flush set inet banwatch banwatch-sshd-4-32")


@pytest.fixture(params=["ipset", "nftables"])
def backend(request, netns, say):
    """Each in turn, in a fresh network namespace that the test is in, too."""
    return Backend(request.param, say)


@pytest.fixture
async def firewall(backend):
    opened = await backend.open()
    yield opened
    await opened.close()


async def sizes(firewall):
    """How many are in each set; counted where the kernel does not say it."""
    holdings = await firewall.holdings()
    found = {holding.name: holding.size for holding in holdings if holding.changes is None}
    for name in {holding.name for holding in holdings} - found.keys():
        members = await firewall.members(name)
        found[name] = len(members.left) + members.marked
    return found


async def until(condition, seconds=5.0):
    """Wait for what the kernel does by its own clock, and no longer than `seconds`."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


async def test_setup_and_teardown(backend, firewall, say):
    """Sets for who enforces and for the allowed; nothing of it is left afterwards, and that can be said twice."""
    await firewall.setup([say.jail(), say.jail("look", enforce=False)])
    assert backend.sets() == [f"banwatch-{jail}-{family}" for jail in ("allow", "sshd") for family in (4, 6)]
    await firewall.ban([say.ban("192.0.2.7"), say.ban("192.0.2.0/25"), say.ban("2001:db8::/64")], say.now)
    for _ in range(2):
        await firewall.teardown()
        assert backend.clean()
        assert await say.banned(firewall) == {}


async def test_teardown_without_setup(backend, firewall, say):
    """What a daemon that is no more has left can be taken away by another."""
    await firewall.setup([say.jail()])
    other = await backend.open()
    await other.teardown()
    await other.close()
    assert backend.clean()


async def test_present_finds_what_an_earlier_life_has_left(backend, firewall, say):
    """A jail is known by what is there of it, long names included, before anything was set up."""
    long = "a-jail-whose-name-does-not-fit-a-set"
    await firewall.setup([say.jail(), say.jail(long)])
    jails = [say.jail(), say.jail("ssh"), say.jail(long), say.jail("other"), say.jail("look", enforce=False)]
    other = await backend.open()
    assert await other.present(jails) == {"sshd", long}
    await other.close()


async def test_ban_and_unban(firewall, say):
    """Addresses and networks of both families, each in its jail, and a host beside the networks that hold it."""
    hosts = ["192.0.2.7", "192.0.2.0/24", "192.0.0.0/16", "192.0.2.6/31", "2001:db8::7", "2001:db8::/64", "2001:db8::/33"]
    await firewall.setup([say.jail(), say.jail("mail")])
    bans = [say.ban(who, None) for who in hosts]
    bans += [say.ban("192.0.2.7", None, "mail"), say.ban("2001:db8::/64", None, "mail"), say.ban("198.51.100.1", None, "allow")]
    await firewall.ban([*bans, say.ban("login:bob", None), say.ban("192.0.2.9", None, enforce=False)], say.now)
    keys = [(ban.jail, ban.target) for ban in bans]
    assert await say.banned(firewall) == dict.fromkeys(keys)
    gone = [say.key("192.0.2.7"), say.key("192.0.2.0/24"), say.key("2001:db8::/64"), say.key("2001:db8::/64", "mail")]
    await firewall.unban(gone)
    assert await say.banned(firewall) == dict.fromkeys(key for key in keys if key not in gone)


async def test_timeouts(firewall, say):
    """The kernel is told what is left, never less; a ban for ever has no end, and the longest there is, at least 24 days."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban("192.0.2.7", 599.2), say.ban("192.0.2.0/24", 365 * 86400.0), say.ban("192.0.2.8", None)], say.now)
    left = await say.banned(firewall)
    assert 598.0 < left[say.key("192.0.2.7")] <= 600.0
    assert 24 * 86400.0 < left[say.key("192.0.2.0/24")] <= 365 * 86400.0
    assert left[say.key("192.0.2.8")] is None


async def test_a_ban_ends_by_the_kernel(firewall, say):
    """Nobody has to do anything for it, in either family; what is for ever stays."""
    await firewall.setup([say.jail()])
    bans = [("192.0.2.7", 0.3), ("192.0.2.0/24", 1), ("2001:db8::/64", -5), ("192.0.2.8", None)]
    await firewall.ban([say.ban(*ban) for ban in bans], say.now)
    assert len(await say.banned(firewall)) == 4

    async def ended():
        return await say.banned(firewall) == {say.key("192.0.2.8"): None}

    await until(ended)


async def test_ban_again(firewall, say):
    """A ban given again has the new end: longer, shorter, none, and one again."""
    await firewall.setup([say.jail()])
    whos = ["192.0.2.7", "192.0.2.0/24", "2001:db8::/64"]
    for seconds in (50, 1000, 100, None, 7, None, 60):
        await firewall.ban([say.ban(who, seconds) for who in whos], say.now)
        left = await say.banned(firewall)
        assert set(left) == {say.key(who) for who in whos}
        assert all(of is None if seconds is None else seconds - 2 < of <= seconds for of in left.values())


async def test_many_again(firewall, say):
    """Of many at once, those that are there get their new end, and those that are not there are added."""
    await firewall.setup([say.jail()])
    hosts = [f"10.0.{high}.{low}" for high in range(8) for low in range(256)]
    await firewall.ban([say.ban(who, 600) for who in hosts[::3]], say.now)
    await firewall.ban([say.ban(who, None) for who in hosts], say.now)
    assert await say.banned(firewall) == {say.key(who): None for who in hosts}


async def test_twice_in_one_call(firewall, say):
    """Of two bans of one target the later one counts; two unbans of it are one."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban("192.0.2.7", 9), say.ban("192.0.2.7", None)], say.now)
    assert await say.banned(firewall) == {say.key("192.0.2.7"): None}
    await firewall.unban([say.key("192.0.2.7")] * 2)
    assert await say.banned(firewall) == {}


async def test_unban_what_is_not_there(backend, firewall, say):
    """Absent is what was wanted: a member, a set, a jail; whoever is there beside them goes."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban("192.0.2.7"), say.ban("192.0.2.8")], say.now)
    absent = [say.key(who) for who in ("192.0.2.6", "192.0.2.0/27", "2001:db8::/64", "nonsense")]
    await firewall.unban([*absent, say.key("192.0.2.7"), say.key("192.0.2.7", "mail")])
    assert set(await say.banned(firewall)) == {say.key("192.0.2.8")}
    backend.lose()
    await firewall.unban([say.key("192.0.2.8")])


async def test_a_burst(firewall, say):
    """10,000 at once are all there when the call returns, and all gone after the other."""
    await firewall.setup([say.jail()])
    hosts = [f"10.0.{high}.{low}" for high in range(32) for low in range(256)]
    nets = [f"2001:db8:{number:x}::/64" for number in range(1, 10_001 - len(hosts))]
    bans = [say.ban(who, None) for who in hosts + nets]
    await firewall.ban(bans, say.now)
    assert await say.banned(firewall) == dict.fromkeys([say.key(who) for who in hosts + nets])
    await firewall.unban([(ban.jail, ban.target) for ban in bans])
    assert await say.banned(firewall) == {}


async def test_a_hundred_thousand(firewall, say):
    """100,000 bans are in force within two seconds of a processor, the kernel's part among them."""
    await firewall.setup([say.jail()])
    bans = [say.ban(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 3600) for number in range(100_000)]
    start = time.process_time()
    await firewall.ban(bans, say.now)
    assert time.process_time() - start < 2.0
    for holding in await firewall.holdings():
        await firewall.mark(holding)
    assert (await sizes(firewall))["banwatch-sshd-4"] == 100_001


async def test_one_refused_of_many(firewall, say):
    """What cannot be is told, each with its reason, and all the others are in force."""
    await firewall.setup([say.jail()])
    hosts = [f"10.0.{high}.{low}" for high in range(5) for low in range(256)]
    bans = [say.ban(who, None) for who in hosts]
    for at in (1000, 700, 3, 0):
        bans.insert(at, say.ban("0.0.0.0/0", None))
    bans += [say.ban("192.0.2.7", None, "nobody"), say.ban("not an address", None), say.ban("::/0", None)]
    with pytest.raises(FirewallError) as caught:
        await firewall.ban(bans, say.now)
    assert caught.value.failed == {
        say.key("0.0.0.0/0"): "a network of that size cannot be in a set",
        say.key("::/0"): "a network of that size cannot be in a set",
        say.key("192.0.2.7", "nobody"): "jail nobody has no set",
        say.key("not an address"): "no address or network in canonical text",
    }
    assert caught.value.message.startswith("not banned: ")
    assert caught.value.message.endswith(", and 3 more")
    assert (caught.value.errno, caught.value.code) == (4104, 69)
    assert set(await say.banned(firewall)) == {say.key(who) for who in hosts}


async def test_a_set_that_is_gone(backend, firewall, say):
    """A set destroyed behind our back is told as such, for all that was meant for it; another setup mends it."""
    await firewall.setup([say.jail()])
    backend.lose()
    bans = [say.ban("192.0.2.7", None), say.ban("192.0.2.8", None), say.ban("2001:db8::/64", None)]
    with pytest.raises(FirewallError) as caught:
        await firewall.ban(bans, say.now)
    assert caught.value.failed == {say.key("192.0.2.7"): "the set is gone", say.key("192.0.2.8"): "the set is gone"}
    assert caught.value.hint == "something has destroyed it; it is laid again within 5 s"
    assert [holding.name for holding in await firewall.holdings() if holding.size is None] == ["banwatch-sshd-4"]
    with pytest.raises(FirewallError, match=r"listing the set banwatch-sshd-4.*: the set is gone"):
        await say.banned(firewall)
    await firewall.setup([say.jail()])
    await firewall.ban(bans, say.now)
    assert len(await say.banned(firewall)) == 3


async def test_reload(backend, firewall, say):
    """The sets of a jail that is gone go with its rules; what is in the others stays, and there are sets for the new one."""
    await firewall.setup([say.jail("old"), say.jail("kept")])
    await firewall.ban([say.ban("192.0.2.7", jail="old"), say.ban("192.0.2.0/28", None, "kept")], say.now)
    await firewall.setup([say.jail("kept", ((23, 23),)), say.jail("new")])
    assert backend.sets() == [f"banwatch-{jail}-{family}" for jail in ("allow", "kept", "new") for family in (4, 6)]
    assert await say.banned(firewall) == {say.key("192.0.2.0/28", "kept"): None}


async def test_another_life(backend, firewall, say):
    """Bans stay when the daemon dies, with what is left of them, and the next one finds them."""
    jails = [say.jail(), say.jail("net", rules=(Rule("net", frozenset({"auth"}), "net", Limit(3, 60), 60, (22, 44)),))]
    await firewall.setup(jails)
    bans = [say.ban("192.0.2.7", 300), say.ban("192.0.0.0/19", None), say.ban("192.0.0.0/22", 300, "net")]
    await firewall.ban([*bans, say.ban("2001:db8::/44", 300, "net"), say.ban("2001:db8::1", None, "allow")], say.now)
    await firewall.close()
    other = await backend.open()
    await other.setup(jails)
    left = await say.banned(other)
    assert {key: of is None for key, of in left.items()} == {
        say.key("192.0.2.7"): False,
        say.key("192.0.0.0/19"): True,
        say.key("192.0.0.0/22", "net"): False,
        say.key("2001:db8::/44", "net"): False,
        say.key("2001:db8::1", "allow"): True,
    }
    assert all(290 < of <= 300 for of in left.values() if of is not None)
    await other.close()


async def test_who_is_unusable(firewall, say):
    """A jail that names a set which cannot be used is told, with its reason, and nobody else; setup refuses it."""
    jails = [say.jail(), say.jail("mail", set="nowhere"), say.jail("idle", set="nowhere", enforce=False)]
    refused = await firewall.unusable(jails)
    assert list(refused) == ["mail"]
    with pytest.raises(FirewallError) as caught:
        await firewall.setup(jails)
    assert caught.value.message == refused["mail"]
    await firewall.setup(jails[:1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"interface": 'eth0" accept; #'}, "jail sshd: interface 'eth0\" accept; #' is no name that iptables could take"),
        ({"protocol": ("icmp",)}, "jail sshd: protocol 'icmp' has no ports"),
    ],
)
async def test_names_are_names(backend, firewall, say, change, message):
    """What the configuration says cannot become another word of a rule; nothing is done by halves."""
    with pytest.raises(FirewallError) as caught:
        await firewall.setup([say.jail(**change)])
    assert caught.value.message == message
    assert backend.clean()


async def test_odd_names(backend, firewall, say):
    """Whatever a jail is called, it gets its sets and its rules."""
    names = ["9 lives", "drop", "été", "a.b_c-d", "x" * 80, "-f"]
    await firewall.setup([say.jail(name) for name in names])
    await firewall.ban([say.ban("192.0.2.7", None, name) for name in names], say.now)
    assert await say.banned(firewall) == {say.key("192.0.2.7", name): None for name in names}
    assert len(backend.sets()) == 2 * len(names) + 2


async def test_holdings_and_marks(backend, firewall, say):
    """A set tells its size; its mark counts, but is nobody, and can be put in twice. A set that is emptied has lost it."""
    await firewall.setup([say.jail()])
    names = [(f"banwatch-{jail}-{family}", family, (jail,)) for jail in ("allow", "sshd") for family in (4, 6)]
    assert sorted(holding[:4] for holding in await firewall.holdings()) == [(*name, False) for name in names]
    assert await firewall.members("banwatch-sshd-4") == ({}, False)
    for _ in range(2):
        for holding in await firewall.holdings():
            await firewall.mark(holding)
        assert await sizes(firewall) == dict.fromkeys((name for name, _, _ in names), 1)
    hosts = ["192.0.2.7", "192.0.2.0/24", "128.0.0.0/1", "192.0.0.0/3"]
    await firewall.ban([say.ban(who, None) for who in (*hosts, "2001:db8::/64", "2000::/7")], say.now)
    assert await sizes(firewall) == {"banwatch-allow-4": 1, "banwatch-allow-6": 1, "banwatch-sshd-4": 5, "banwatch-sshd-6": 3}
    assert await firewall.members("banwatch-sshd-4") == (dict.fromkeys(hosts), True)
    assert await firewall.dropped() == {"allow": {}, "sshd": dict.fromkeys((*hosts, "2001:db8::/64", "2000::/7"), 0)}
    backend.empty()
    members = await firewall.members("banwatch-sshd-4")
    assert not members.marked
    assert "192.0.2.7" not in members.left


async def test_the_mark_is_nobody(firewall, say):
    """It cannot be banned, and not be unbanned."""
    await firewall.setup([say.jail()])
    for holding in await firewall.holdings():
        await firewall.mark(holding)
    marks = ["255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
    with pytest.raises(FirewallError) as caught:
        await firewall.ban([say.ban(who) for who in marks], say.now)
    assert caught.value.failed == dict.fromkeys(map(say.key, marks), "it marks sets as filled, and is no address of anybody")
    await firewall.unban([say.key(who) for who in marks])
    assert list((await sizes(firewall)).values()) == [1] * 4


async def test_astray(backend, firewall, say):
    """Rules are as they were laid until somebody takes one away."""
    assert await firewall.astray() is None
    await firewall.setup([say.jail()])
    assert await firewall.astray() is None
    backend.lose()
    assert await firewall.astray() == "rules"
    await firewall.setup([say.jail()])
    assert await firewall.astray() is None


async def test_rules_changed(backend, firewall, say, monkeypatch):
    """It is told soon that somebody else has changed rules; what we do ourselves to members is nothing of the kind."""
    monkeypatch.setattr("banwatch.firewall.nftables.POLL_SECONDS", 0.05)
    await firewall.setup([say.jail()])
    await asyncio.wait_for(firewall.rules_changed(), 10)  # our own
    waiting = asyncio.create_task(firewall.rules_changed())
    for seconds in (600, 700):
        await firewall.ban([say.ban("192.0.2.7", seconds), say.ban("2001:db8::/64", seconds)], say.now)
    await firewall.unban([say.key("192.0.2.7")])
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.3)
    assert not waiting.done()
    backend.lose()
    await asyncio.wait_for(waiting, 10)


async def test_a_listing_delays_no_ban(firewall, say):
    """While some thousand members are listed a ban is made and acknowledged; one who then gives up listing disturbs nobody."""
    await firewall.setup([say.jail()])
    await firewall.ban([say.ban(f"10.{a}.{b}.1", None) for a in range(20) for b in range(256)], say.now)
    listing = asyncio.create_task(firewall.dropped())
    for _ in range(4):  # it has begun
        await asyncio.sleep(0)
    await firewall.ban([say.ban("192.0.2.7", None)], say.now)
    assert not listing.done()
    listing.cancel()
    with suppress(asyncio.CancelledError):
        await listing
    assert listing.cancelled()
    assert len(await say.banned(firewall)) == 5121


async def test_closed(backend, firewall, say):
    """After close there is nobody to speak to, and the kernel is as it was."""
    await firewall.setup([say.jail()])
    before = backend.sets()
    await firewall.close()
    with pytest.raises(FirewallError, match="listing the sets"):
        await say.banned(firewall)
    assert backend.sets() == before
