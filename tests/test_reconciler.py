"""reconciler.py: the kernel's own sets, and others who have their hands in them."""

import asyncio
import errno
import subprocess
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress

import pytest

from banwatch.config.model import Config, DaemonSpec, FirewallSpec, JailSpec
from banwatch.enforcer import Enforcer
from banwatch.engine import Engine
from banwatch.firewall.base import MARKS
from banwatch.firewall.open import open_firewall
from banwatch.firewall.wire import LONGEST
from banwatch.keeper import Keeper
from banwatch.metrics.registry import Metrics
from banwatch.model import ALLOW, Ban, Target
from banwatch.reconciler import Reconciler
from banwatch.reporter import Reporter

pytestmark = pytest.mark.kernel

FOUR = "banwatch-sshd-4"


class Notes:
    """A log that keeps what it is told."""

    def __init__(self):
        self.told = []

    def info(self, event, **fields):
        self.told.append((event, fields))

    warning = error = exception = info


class House:
    """All that the reconciler needs, with a real firewall; what a daemon would be."""

    def __init__(self, firewall, specs):
        self.firewall, self.specs, self.notes = firewall, specs, Notes()
        self.reporter = Reporter(self.notes, Metrics(), False)
        self.enforcer = Enforcer(firewall, self.reporter.done, self.reporter.given_up)
        self.engine = Engine(Config(DaemonSpec(), {spec.name: spec for spec in specs}, {}))
        self.keeper = Keeper(self.engine, self.enforcer, self.reporter, time.time)
        self.now = time.time
        self.reconciler = Reconciler(
            firewall, self.keeper, self.enforcer, self.reporter, self.notes, self.lay, lambda: self.now()
        )

    async def lay(self):
        await self.firewall.setup(self.specs)

    async def ban(self, who, seconds=600.0, jail="sshd", **changes):
        """A ban that is in force when this returns."""
        ban = ban_of(who, seconds, jail, **changes)
        await self.keeper.carry_out(self.engine.ban([ban]))
        return ban

    async def settled(self):
        """Return when the kernel has all that was decided."""
        while not self.enforcer.idle:
            await asyncio.sleep(0)

    def book(self, jail="sshd"):
        return {target.who: ban.origin for target, ban in self.engine.book.of_jail(jail).items()}

    def told(self, event):
        return [fields for told, fields in self.notes.told if told == event]


def ban_of(who, seconds=600.0, jail="sshd", **changes):
    now = time.time()
    return Ban(jail, Target("net", who), "ip", now, None if seconds is None else now + seconds, **changes)


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout


def members(name=FOUR):
    """Who is in a set, with the seconds left; the mark, too."""
    lines = run("ipset", "list", name).partition("Members:\n")[2].splitlines()
    return {line.split()[0]: int(line.split("timeout ")[1].split()[0]) for line in lines}


@pytest.fixture
async def make(netns):
    """Makes houses, whose enforcers run until the test is over."""
    running, firewalls = [], []

    async def make(*specs):
        firewall = await open_firewall(FirewallSpec("ipset"))
        firewalls.append(firewall)
        house = House(firewall, specs or (JailSpec("sshd", ports=((22, 22),)),))
        await firewall.setup(house.specs)
        running.append(asyncio.create_task(house.enforcer.run()))
        await house.reconciler.compare(thoroughly=True)
        return house

    yield make
    for task in running:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    for firewall in firewalls:
        await firewall.close()


async def test_every_set_is_marked(make):
    """From the start on, and what marks it is told to nobody."""
    house = await make()
    for jail in ("sshd", "allow"):
        for family in (4, 6):
            assert members(f"banwatch-{jail}-{family}") == {MARKS[family]: 0}
    assert await house.firewall.dropped() == {"sshd": {}, "allow": {}}
    assert house.notes.told == []


async def test_where_all_is_well_nothing_is_done(make):
    """Bans of both families, prolonged, lifted, and one that has ended: the number of members is what is expected."""
    house = await make()
    await house.ban("192.0.2.7")
    await house.ban("192.0.2.7", 900.0)
    await house.ban("2001:db8::/64", None)
    await house.ban("192.0.2.8")
    await house.keeper.carry_out(house.engine.unban([("sshd", Target("net", "192.0.2.8"))], time.time(), "by command"))
    await house.ban("192.0.2.9", 0.01)
    async with asyncio.timeout(10):
        while "192.0.2.9" in house.book():
            await asyncio.sleep(0.01)
    await house.settled()
    listed = []
    house.firewall.members = listed.append
    await house.reconciler.compare()
    assert listed == []
    assert {holding.name: holding.size for holding in await house.firewall.holdings()} == {
        "banwatch-allow-4": 1, "banwatch-allow-6": 1, FOUR: 2, "banwatch-sshd-6": 2,
    }  # fmt: skip


@pytest.mark.parametrize("emptied", [True, False])
async def test_a_set_that_was_emptied(make, emptied):
    """Flushed, or destroyed and laid anew: every ban is back with what is left of it, and none of them is told again."""
    house = await make()
    await house.ban("192.0.2.7", 600.0)
    await house.ban("192.0.2.8", None)
    await house.ban("2001:db8::/64")
    ending = await house.ban("192.0.2.9", 1.9)
    before = len(house.notes.told)
    if emptied:
        run("ipset", "flush", FOUR)
    else:
        run("iptables", "-F", "banwatch")
        run("ipset", "destroy", FOUR)
        await house.firewall.setup(house.specs)
    await house.reconciler.compare()
    found = members()
    assert found.keys() == {"192.0.2.7", "192.0.2.8", MARKS[4]}
    assert 590 <= found["192.0.2.7"] <= 600
    assert found["192.0.2.8"] == found[MARKS[4]] == 0
    assert house.notes.told[before:] == [("bans are put back into a set", {"set": FOUR, "bans": 2})]
    assert all(house.reporter.in_force(ban) for ban in house.engine.book if ban is not ending)


async def test_taken_out_by_hand(make):
    """An operator's unban: the book follows, and it is told; the others stay."""
    house = await make()
    await house.ban("192.0.2.7")
    await house.ban("192.0.2.8")
    run("ipset", "del", FOUR, "192.0.2.7")
    await house.reconciler.compare()
    await house.settled()
    assert house.book() == {"192.0.2.8": "rule"}
    assert [fields["why"] for fields in house.told("Unban 192.0.2.7")] == ["taken out by hand"]
    assert members().keys() == {"192.0.2.8", MARKS[4]}


async def test_put_in_by_hand(make):
    """It is adopted, with its end, and is a ban like others; so are those whom an operator allows."""
    house = await make()
    run("ipset", "add", FOUR, "192.0.2.7", "timeout", "100")
    run("ipset", "add", "banwatch-sshd-6", "2001:db8::/48")
    run("ipset", "add", "banwatch-allow-4", "198.51.100.0/24")
    await house.reconciler.compare()
    assert house.book() == {"192.0.2.7": "adopted", "2001:db8::/48": "adopted"}
    assert house.book(ALLOW) == {"198.51.100.0/24": "adopted"}
    [ban] = [ban for ban in house.engine.book if ban.target.who == "192.0.2.7"]
    assert 95 <= ban.until - time.time() <= 100
    assert sorted(fields["set"] for fields in house.told("bans found in the kernel")) == [
        "banwatch-allow-4", FOUR, "banwatch-sshd-6",
    ]  # fmt: skip
    assert house.reporter.in_force(ban)
    listed = []
    house.firewall.members = listed.append
    await house.reconciler.compare()
    assert listed == []


async def test_flushed_and_put_in_by_hand(make):
    """Both at once: the bans are put back, and the newcomer is adopted."""
    house = await make()
    await house.ban("192.0.2.7")
    run("ipset", "flush", FOUR)
    run("ipset", "add", FOUR, "192.0.2.8", "timeout", "100")
    await house.reconciler.compare()
    assert house.book() == {"192.0.2.7": "rule", "192.0.2.8": "adopted"}
    assert members().keys() == {"192.0.2.7", "192.0.2.8", MARKS[4]}


async def test_a_start_takes_over_and_puts_back(make):
    """What the kernel holds of an earlier life is adopted; what the book knows and the kernel does not is put back."""
    first = await make()
    await first.ban("192.0.2.7", 600.0)
    second = await make()
    assert second.book() == {"192.0.2.7": "adopted"}
    third = House(first.firewall, first.specs)
    third.engine.ban([ban_of("192.0.2.7", 600.0), ban_of("192.0.2.8", 300.0)])
    task = asyncio.create_task(third.enforcer.run())
    await third.reconciler.compare(thoroughly=True)
    task.cancel()
    assert third.book() == {"192.0.2.7": "rule", "192.0.2.8": "rule"}
    assert members().keys() == {"192.0.2.7", "192.0.2.8", MARKS[4]}


async def test_what_is_under_way_is_left_alone(make):
    """An unban that the kernel has not heard of yet when the set is listed is neither a stranger nor a loss."""
    house = await make()
    ban = await house.ban("192.0.2.7")
    run("ipset", "add", FOUR, "192.0.2.8", "timeout", "100")
    listing = house.firewall.members

    async def members_then_unban(name):
        found = await listing(name)
        await house.keeper.carry_out(house.engine.unban([(ban.jail, ban.target)], time.time(), "by command"))
        return found

    house.firewall.members = members_then_unban
    await house.reconciler.compare()
    assert house.book() == {"192.0.2.8": "adopted"}
    assert members().keys() == {"192.0.2.8", MARKS[4]}


async def test_a_set_of_somebody_else(make):
    """Who swaps his list for a new one keeps our bans in it; what is no more on his list is no ban any more."""
    run("ipset", "create", "theirs", "hash:net", "timeout", "0")
    run("ipset", "add", "theirs", "203.0.113.9")
    house = await make(JailSpec("sshd", ports=((22, 22),), set="theirs"))
    await house.ban("192.0.2.7")
    assert house.book() == {"203.0.113.9": "adopted", "192.0.2.7": "rule"}
    run("ipset", "create", "new", "hash:net", "timeout", "0")
    run("ipset", "add", "new", "203.0.113.10")
    run("ipset", "swap", "new", "theirs")
    await house.reconciler.compare()
    assert house.book() == {"192.0.2.7": "rule", "203.0.113.10": "adopted"}
    assert members("theirs").keys() == {"192.0.2.7", "203.0.113.10", MARKS[4]}
    await house.firewall.teardown()
    assert MARKS[4] not in members("theirs")


async def test_a_set_that_two_jails_share(make):
    """What one of them has unbanned the other may still want: it is put back, and nobody is adopted twice."""
    run("ipset", "create", "theirs", "hash:net", "timeout", "0")
    shared = [JailSpec(name, ports=((22, 22),), set="theirs") for name in ("sshd", "mail")]
    house = await make(*shared)
    await house.ban("192.0.2.7")
    await house.ban("192.0.2.7", jail="mail")
    await house.reconciler.compare()
    assert members("theirs").keys() == {"192.0.2.7", MARKS[4]}
    await house.keeper.carry_out(house.engine.unban([("mail", Target("net", "192.0.2.7"))], time.time(), "by command"))
    assert members("theirs").keys() == {MARKS[4]}
    await house.reconciler.compare()
    assert (house.book(), house.book("mail")) == ({"192.0.2.7": "rule"}, {})
    assert members("theirs").keys() == {"192.0.2.7", MARKS[4]}


async def test_long_bans_are_renewed(make):
    """What is longer than the kernel can hold gets its longest timeout again; the others are left alone."""
    house = await make()
    await house.ban("192.0.2.7", 60 * 86400.0)
    await house.ban("192.0.2.8", 600.0)
    for who in ("192.0.2.7", "192.0.2.8"):
        run("ipset", "add", "-exist", FOUR, who, "timeout", "99")
    await house.reconciler.renew()
    assert LONGEST - 5 <= members()["192.0.2.7"] <= LONGEST
    assert members()["192.0.2.8"] <= 99
    assert house.told("ban prolonged") == []


async def test_an_unban_during_a_renewal_is_not_undone(make):
    """Whatever comes first, in the end nobody is kept out whom nobody wants to."""
    house = await make()
    bans = [await house.ban(f"192.0.2.{number}", 60 * 86400.0) for number in range(1, 4)]
    renewing = asyncio.create_task(house.reconciler.renew())
    await asyncio.sleep(0)
    keys = [(ban.jail, ban.target) for ban in bans]
    await house.keeper.carry_out(house.engine.unban(keys, time.time(), "by command"))
    await renewing
    assert members().keys() == {MARKS[4]}


DAMAGE = {
    "ipset flush": "members",
    "$four -F; $six -F; ipset destroy": "set members",
    "$four -F": "rules",
    "$four -F banwatch": "rules",
    "$six -F banwatch": "rules",
    "$four -F; $four -X": "rules",
    "$four -D INPUT -j banwatch": "order",
    "$four -I INPUT -p tcp --dport 22 -j ACCEPT": "order",
    "$six -I INPUT -p tcp -j RETURN": "order",
    "$four -D banwatch 2; $four -A banwatch -m set --match-set banwatch-allow-4 src -j RETURN": "rules",
    r"printf '*filter\n-A INPUT -p icmp -j ACCEPT\nCOMMIT\n' | $four-restore": "rules",
}
"""What an operator, or a program that he runs, may do to us → what is repaired."""


@asynccontextmanager
async def minding(house):
    """The reconciler runs."""
    task = asyncio.create_task(house.reconciler.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("damage", DAMAGE)
async def test_whatever_is_damaged_is_repaired(each_iptables, make, monkeypatch, damage):
    """Sets, members, rules and their order, by either iptables: as it was before, told once, and counted by its cause."""
    for module in ("reconciler", "firewall.ipset"):
        monkeypatch.setattr(f"banwatch.{module}.POLL_SECONDS", 0.1)
    four, six = f"iptables-{each_iptables}", f"ip6tables-{each_iptables}"
    house = await make()
    ban = await house.ban("192.0.2.7", None)
    await house.ban("2001:db8::/64", None)
    before = everything(four, six)
    async with minding(house), asyncio.timeout(10):
        await asyncio.sleep(0)
        run("env", f"four={four}", f"six={six}", "sh", "-ec", damage)
        while not set(DAMAGE[damage].split()) <= set(+house.reconciler.repairs) or everything(four, six) != before:
            await asyncio.sleep(0.02)
    assert house.reporter.in_force(ban)
    assert house.reconciler.problems() == []


def everything(*programs):
    """All sets with their members, and the chains and rules that concern us."""
    rules = [line for program in programs for line in run(program, "-S").splitlines() if "banwatch" in line]
    return {name: members(name) for name in run("ipset", "list", "-name").split()}, rules


@pytest.mark.parametrize("harmless", ["-I INPUT -s 192.0.2.1 -j DROP", "-A INPUT -j ACCEPT", "-N x"])
async def test_what_does_no_harm_is_left_alone(each_iptables, make, harmless):
    """Rules of others that let nobody past us stay where they are, and are no reason for anything."""
    house = await make()
    run(f"iptables-{each_iptables}", *harmless.split())
    before = run(f"iptables-{each_iptables}", "-S")
    house.reconciler._rules_changed = True
    await house.reconciler.look()
    assert run(f"iptables-{each_iptables}", "-S") == before
    assert +house.reconciler.repairs == Counter()


async def test_too_often(make):
    """After five repairs within ten minutes it waits, says so, and does not call in force what is not; then it goes on."""
    house = await make()
    start = time.time()
    house.now = lambda: start
    ban = await house.ban("192.0.2.7", None)
    for _ in range(5):
        run("ipset", "flush")
        await house.reconciler.look()
    assert house.reconciler.problems() == []
    run("ipset", "flush")
    for _ in range(2):
        await house.reconciler.look()
    assert members() == {}
    assert not house.reporter.in_force(ban)
    problem = "somebody else keeps changing our sets or rules: they were repaired 5 times within 10 min, and wait now"
    assert house.reconciler.problems() == [problem]
    assert house.told(problem) == [{"hint": "find out who; `banwatch-client reload` repairs at once"}]
    assert +house.reconciler.repairs == Counter(members=5)
    house.now = lambda: start + 600.0
    await house.reconciler.look()
    await house.reconciler.look()
    assert members().keys() == {"192.0.2.7", MARKS[4]}
    assert house.reporter.in_force(ban)
    assert (house.reconciler.problems(), house.reconciler.suspended) == ([], False)


async def test_what_is_in_no_set_is_not_in_force(make):
    """A set that is gone and cannot be laid again: its bans, of that family alone, are not called enforced."""
    house = await make()
    four, six = await house.ban("192.0.2.7", None), await house.ban("2001:db8::/64", None)
    house.reconciler._budget.most = 0
    run("iptables", "-F", "banwatch")
    run("ipset", "destroy", FOUR)
    await house.reconciler.look()
    assert (house.reporter.in_force(four), house.reporter.in_force(six)) == (False, True)
    assert house.reporter.held.total() == 1
    house.reconciler._budget.most = 1
    await house.reconciler.look()
    assert house.reporter.in_force(four)
    assert members().keys() == {"192.0.2.7", MARKS[4]}


async def test_a_reload_does_not_wait(make):
    """Who lays sets and rules has them compared at once, however often it was before."""
    house = await make()
    house.reconciler._budget.most = 0
    await house.ban("192.0.2.7", None)
    run("ipset", "flush")
    await house.reconciler.look()
    assert members() == {}
    await house.reconciler.compare()
    await house.reconciler.look()
    assert members().keys() == {"192.0.2.7", MARKS[4]}
    assert not house.reconciler.suspended


async def test_a_gone_set_is_found_by_the_next_ban(make, monkeypatch):
    """It is refused, which is word that something is wrong: nobody waits for the next poll."""
    monkeypatch.setattr("banwatch.reconciler.POLL_SECONDS", 3600.0)
    house = await make()
    house.enforcer._refused = lambda error: house.reconciler.look_soon() if error.errno == errno.ENOENT else None
    await house.ban("192.0.2.7", None)
    async with minding(house), asyncio.timeout(10):
        await asyncio.sleep(0)
        run("iptables", "-F", "banwatch")
        run("ipset", "destroy", FOUR)
        house.keeper.enact(house.engine.ban([ban_of("192.0.2.8", None)]))
        while not house.reporter.in_force(ban_of("192.0.2.8")):
            await asyncio.sleep(0.01)
    assert members().keys() == {"192.0.2.7", "192.0.2.8", MARKS[4]}


async def test_in_the_middle_of_work(make, monkeypatch):
    """While the kernel is given bans nobody compares numbers; when it has them, somebody does."""
    monkeypatch.setattr("banwatch.reconciler._BUSY_SECONDS", 0.0)
    house = await make()
    await house.ban("192.0.2.7")
    run("ipset", "flush", FOUR)
    working = house.firewall.ban
    gate = asyncio.Event()

    async def ban_late(bans, now):
        await gate.wait()
        await working(bans, now)

    house.firewall.ban = ban_late
    house.keeper.enact(house.engine.ban([ban_of("192.0.2.8")]))
    await house.reconciler.look()
    assert members() == {}
    gate.set()
    await house.settled()
    await house.reconciler.look()
    assert members().keys() == {"192.0.2.7", "192.0.2.8", MARKS[4]}


async def test_a_difference_that_nobody_can_mend(make):
    """A member that the book cannot adopt is looked at once, and not every five seconds."""
    house = await make()
    house.engine.ban([ban_of("192.0.2.7", enforce=False)])
    run("ipset", "add", FOUR, "192.0.2.7")
    listing, listed = house.firewall.members, []

    async def members_noted(name):
        listed.append(name)
        return await listing(name)

    house.firewall.members = members_noted
    for _ in range(3):
        await house.reconciler.look()
    assert listed == [FOUR]
    run("ipset", "del", FOUR, "192.0.2.7")
    await house.reconciler.look()
    await house.reconciler.look()
    assert listed == [FOUR, FOUR]


async def test_by_hand_is_counted(make):
    """Who puts somebody in or takes somebody out is no repair."""
    house = await make()
    await house.ban("192.0.2.7")
    run("ipset", "del", FOUR, "192.0.2.7")
    run("ipset", "add", FOUR, "192.0.2.8")
    run("ipset", "add", FOUR, "192.0.2.9")
    await house.reconciler.look()
    assert house.reconciler.by_hand == {"added": 2, "removed": 1}
    assert +house.reconciler.repairs == Counter()


async def test_a_full_set_is_told(make):
    """It grows by itself, and its owner hears of it, once."""
    run("ipset", "create", "theirs", "hash:net", "maxelem", "2", "timeout", "0")
    house = await make(JailSpec("sshd", ports=((22, 22),), set="theirs"))
    for number in range(4):
        await house.ban(f"192.0.2.{number}")
    for _ in range(2):
        await house.reconciler.look()
    assert house.told("the set theirs was full, and has room for 8 now") == [{}]
    assert len(members("theirs")) == 5
    assert +house.reconciler.repairs == Counter()


async def test_the_firewall_does_not_answer(make):
    """It is told, and nothing else happens."""
    house = await make()
    await house.firewall.close()
    await house.reconciler.compare()
    await house.reconciler.look()
    [fields] = house.told("sets and rules cannot be looked after")
    assert fields["error"] == "listing the sets: Bad file descriptor (errno 9)"
    assert house.reconciler.problems() == [
        "sets and rules cannot be looked after: listing the sets: Bad file descriptor (errno 9)"
    ]
