"""reconciler.py: what others do to sets and rules of the kernel is repaired, in time and not too often."""

import asyncio
import errno
import random
import subprocess
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress

import pytest
from tests.house import House

from banwatch.config.model import JailSpec
from banwatch.errors import FirewallError
from banwatch.firewall.base import MARKS
from banwatch.firewall.null import NullFirewall
from banwatch.firewall.wire import LONGEST
from banwatch.model import Target

pytestmark = pytest.mark.kernel

FOUR = "banwatch-sshd-4"


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout


async def test_long_bans_are_renewed(make_house):
    """What is longer than the kernel can hold gets its longest timeout again; the others are left alone."""
    house = await make_house()
    await house.ban("192.0.2.7", 60 * 86400.0)
    await house.ban("192.0.2.8", 600.0)
    for who in ("192.0.2.7", "192.0.2.8"):
        run("ipset", "add", "-exist", FOUR, who, "timeout", "99")
    await house.reconciler.renew()
    assert LONGEST - 5 <= house.members()["192.0.2.7"] <= LONGEST
    assert house.members()["192.0.2.8"] <= 99
    assert house.told("ban prolonged") == []


async def test_an_unban_during_a_renewal_is_not_undone(make_house):
    """Whatever comes first, in the end nobody is kept out whom nobody wants to."""
    house = await make_house()
    bans = [await house.ban(f"192.0.2.{number}", 60 * 86400.0) for number in range(1, 4)]
    renewing = asyncio.create_task(house.reconciler.renew())
    await asyncio.sleep(0)
    keys = [(ban.jail, ban.target) for ban in bans]
    await house.keeper.carry_out(house.engine.unban(keys, time.time(), "by command"))
    await renewing
    assert house.members().keys() == {MARKS[4]}


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
async def test_whatever_is_damaged_is_repaired(each_iptables, make_house, monkeypatch, damage):
    """Sets, members, rules and their order, by either iptables: as it was before, told once, and counted by its cause."""
    for module in ("reconciler", "firewall.ipset"):
        monkeypatch.setattr(f"banwatch.{module}.POLL_SECONDS", 0.1)
    four, six = f"iptables-{each_iptables}", f"ip6tables-{each_iptables}"
    house = await make_house()
    ban = await house.ban("192.0.2.7", None)
    await house.ban("2001:db8::/64", None)
    before = everything(house, four, six)
    async with minding(house), asyncio.timeout(10):
        await asyncio.sleep(0)
        run("env", f"four={four}", f"six={six}", "sh", "-ec", damage)
        while not set(DAMAGE[damage].split()) <= set(+house.reconciler.repairs) or everything(house, four, six) != before:
            await asyncio.sleep(0.02)
    assert house.reporter.in_force(ban)
    assert house.reconciler.problems() == []


def everything(house, *programs):
    """All sets with their members, and the chains and rules that concern us."""
    rules = [line for program in programs for line in run(program, "-S").splitlines() if "banwatch" in line]
    return {name: house.members(name) for name in run("ipset", "list", "-name").split()}, rules


@pytest.mark.parametrize("harmless", ["-I INPUT -s 192.0.2.1 -j DROP", "-A INPUT -j ACCEPT", "-N x"])
async def test_what_does_no_harm_is_left_alone(each_iptables, make_house, harmless):
    """Rules of others that let nobody past us stay where they are, and are no reason for anything."""
    house = await make_house()
    run(f"iptables-{each_iptables}", *harmless.split())
    before = run(f"iptables-{each_iptables}", "-S")
    house.reconciler._rules_changed = True
    await house.reconciler.look()
    assert run(f"iptables-{each_iptables}", "-S") == before
    assert +house.reconciler.repairs == Counter()


async def test_too_often(make_house):
    """After five repairs within ten minutes it waits, says so, and does not call in force what is not; then it goes on."""
    house = await make_house()
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
    assert house.members() == {}
    assert not house.reporter.in_force(ban)
    problem = "somebody else keeps changing our sets or rules: they were repaired 5 times within 10 min, and wait now"
    assert house.reconciler.problems() == [problem]
    assert house.told(problem) == [{"hint": "find out who; `banwatch-client reload` repairs at once"}]
    assert +house.reconciler.repairs == Counter(members=5)
    house.now = lambda: start + 600.0
    await house.reconciler.look()
    await house.reconciler.look()
    assert house.members().keys() == {"192.0.2.7", MARKS[4]}
    assert house.reporter.in_force(ban)
    assert (house.reconciler.problems(), house.reconciler.suspended) == ([], False)


async def test_a_reload_does_not_wait(make_house):
    """Who lays sets and rules has them compared at once, however often it was before."""
    house = await make_house()
    house.reconciler._budget.most = 0
    await house.ban("192.0.2.7", None)
    run("ipset", "flush")
    await house.reconciler.look()
    assert house.members() == {}
    await house.reconciler.compare()
    await house.reconciler.look()
    assert house.members().keys() == {"192.0.2.7", MARKS[4]}
    assert not house.reconciler.suspended


async def test_a_gone_set_is_found_by_the_next_ban(make_house, monkeypatch):
    """It is refused, which is word that something is wrong: nobody waits for the next poll."""
    monkeypatch.setattr("banwatch.reconciler.POLL_SECONDS", 3600.0)
    house = await make_house()
    house.enforcer._refused = lambda error: house.reconciler.look_soon() if error.errno == errno.ENOENT else None
    await house.ban("192.0.2.7", None)
    async with minding(house), asyncio.timeout(10):
        await asyncio.sleep(0)
        run("iptables", "-F", "banwatch")
        run("ipset", "destroy", FOUR)
        house.keeper.enact(house.engine.ban([house.ban_of("192.0.2.8", None)]))
        while not house.reporter.in_force(house.ban_of("192.0.2.8")):
            await asyncio.sleep(0.01)
    assert house.members().keys() == {"192.0.2.7", "192.0.2.8", MARKS[4]}


@pytest.mark.parametrize("seed", [1, 2])
async def test_in_the_end_all_is_one(make_house, monkeypatch, seed):
    """Bans and unbans of the book's, among all that others may do to sets and rules: in the end kernel and book are the same."""
    for name in ("reconciler.POLL_SECONDS", "firewall.ipset.POLL_SECONDS", "firewall.ipset.QUIET_SECONDS"):
        monkeypatch.setattr(f"banwatch.{name}", 0.02)
    chance = random.Random(seed)
    house = await make_house()
    house.reconciler._budget.most = 1000
    whos = [f"192.0.2.{number}" for number in range(20)]
    damage = ["ipset flush", "ipset add -exist {} {} timeout 600", "ipset del -exist {} {}", "iptables -F banwatch"]
    damage += ["iptables -F; ip6tables -F; ipset destroy", "iptables -I INPUT -j ACCEPT"]

    async def decide():
        for _ in range(200):
            target = Target("net", chance.choice(whos))
            if chance.random() < 0.6:
                seconds = chance.choice([None, 1.0, 600.0])
                house.keeper.enact(house.engine.ban([house.ban_of(target.who, seconds)]))
            else:
                house.keeper.enact(house.engine.unban([("sshd", target)], time.time(), "by command"))
            await asyncio.sleep(0.005)

    async def disturb():
        for _ in range(25):
            command = chance.choice(damage).format(FOUR, chance.choice(whos))
            await (await asyncio.create_subprocess_shell(command, stderr=subprocess.DEVNULL)).wait()
            await asyncio.sleep(0.02)

    def same():
        lasting = {ban.target.who for ban in house.engine.book if ban.until is None or ban.until > time.time() + 2}
        found = house.members().keys() - {MARKS[4]}
        return house.enforcer.idle and lasting <= found <= set(house.book()) and house.reporter.held.total() == len(house.book())

    async with minding(house), asyncio.timeout(30):
        await asyncio.gather(decide(), disturb())
        while not same() or await house.firewall.astray():
            await asyncio.sleep(0.05)


async def test_what_cannot_be_laid_is_tried_again(make_house):
    """As often as it takes: what did not come about is not counted as a repair; it is told once, and in `status`."""
    house = await make_house()
    ban = await house.ban("192.0.2.7", None)
    run("iptables", "-F", "banwatch")
    run("ipset", "destroy", FOUR)
    house.refusing = 20
    for _ in range(20):
        await house.reconciler.look()
    problem = "sets and rules cannot be looked after: iptables refused"
    assert house.reconciler.problems() == [problem]
    assert house.told("sets and rules cannot be looked after") == [{"error": "iptables refused", "hint": None}]
    await house.reconciler.look()
    assert house.reporter.in_force(ban)
    assert house.reconciler.problems() == []
    assert +house.reconciler.repairs == Counter(set=1, members=1)


async def test_a_firewall_that_is_none():
    """A dry run's holds no sets: nothing is compared, nothing is missing, and nobody wakes up."""
    house = House(NullFirewall(), [JailSpec("sshd")])
    task = asyncio.create_task(house.enforcer.run())
    ban = await house.ban("192.0.2.7")
    await house.reconciler.compare(thoroughly=True)
    assert house.reporter.in_force(ban)
    async with minding(house):
        await asyncio.sleep(0)
        assert {each.get_coro().__name__ for each in asyncio.all_tasks()} >= {"run", "_renew_daily"}
        assert not {each.get_coro().__name__ for each in asyncio.all_tasks()} & {"_poll", "_await_rules"}
    task.cancel()


async def test_one_failure_is_none(make_house):
    """What is destroyed while it is looked at is looked at once more, at once, before anybody hears of it."""
    house = await make_house()
    await house.ban("192.0.2.7")
    run("ipset", "flush", FOUR)
    listing = house.firewall.members

    async def members_of_what_goes(name):
        house.firewall.members = listing
        raise FirewallError("the set is gone")

    house.firewall.members = members_of_what_goes
    await house.reconciler.look()
    assert (house.reconciler.problems(), house.reconciler._look_now.is_set()) == ([], True)
    await house.reconciler.look()
    assert house.members().keys() == {"192.0.2.7", MARKS[4]}
    assert house.told("sets and rules cannot be looked after") == []


async def test_a_reload_in_the_middle_is_no_damage(make_house):
    """What is wrong while sets and rules are being laid is right when that is over, and nobody has to repair it."""
    house = await make_house()
    run("iptables", "-F", "banwatch")
    house.reconciler._rules_changed = True
    async with house.changing:
        looking = asyncio.create_task(house.reconciler.look())
        while not house.changing._waiters:
            await asyncio.sleep(0.01)
        await house.lay()
    await looking
    assert +house.reconciler.repairs == Counter()
    assert house.told("somebody else has changed the firewall, it is repaired") == []


async def test_in_the_middle_of_work(make_house, monkeypatch):
    """While the kernel is given bans nobody compares numbers; when it has them, somebody does."""
    monkeypatch.setattr("banwatch.reconciler._BUSY_SECONDS", 0.0)
    house = await make_house()
    await house.ban("192.0.2.7")
    run("ipset", "flush", FOUR)
    working = house.firewall.ban
    gate = asyncio.Event()

    async def ban_late(bans, now):
        await gate.wait()
        await working(bans, now)

    house.firewall.ban = ban_late
    house.keeper.enact(house.engine.ban([house.ban_of("192.0.2.8")]))
    await house.reconciler.look()
    assert house.members() == {}
    gate.set()
    await house.settled()
    await house.reconciler.look()
    assert house.members().keys() == {"192.0.2.7", "192.0.2.8", MARKS[4]}


async def test_a_difference_that_nobody_can_mend(make_house):
    """A member that the book cannot adopt is looked at once, and not every five seconds."""
    house = await make_house()
    house.engine.ban([house.ban_of("192.0.2.7", enforce=False)])
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


async def test_a_full_set_is_told(make_house):
    """It grows by itself, and its owner hears of it, once."""
    run("ipset", "create", "theirs", "hash:net", "maxelem", "2", "timeout", "0")
    house = await make_house(JailSpec("sshd", ports=((22, 22),), set="theirs"))
    for number in range(4):
        await house.ban(f"192.0.2.{number}")
    for _ in range(2):
        await house.reconciler.look()
    assert house.told("the set theirs was full, and has room for 8 now") == [{}]
    assert len(house.members("theirs")) == 5
    assert +house.reconciler.repairs == Counter()


async def test_the_firewall_does_not_answer(make_house):
    """It is told, and nothing else happens."""
    house = await make_house()
    await house.firewall.close()
    await house.reconciler.compare()
    for _ in range(3):
        await house.reconciler.look()
    [fields] = house.told("sets and rules cannot be looked after")
    assert fields["error"] == "listing the sets: Bad file descriptor (errno 9)"
    assert house.reconciler.problems() == [
        "sets and rules cannot be looked after: listing the sets: Bad file descriptor (errno 9)"
    ]


@pytest.fixture(params=[True, False])
async def nftables(request, make_house, monkeypatch):
    """A house with nftables: the kernel tells the sizes of sets, or (before Linux 6.16) does not."""
    if not request.param:
        monkeypatch.setattr("banwatch.firewall.nft_wire._SET_COUNT", 99)
    monkeypatch.setattr("banwatch.firewall.nftables.POLL_SECONDS", 0.01)
    house = await make_house(backend="nftables")
    for who in ("192.0.2.7", "192.0.2.8", "192.0.2.0/24", "2001:db8::/64"):
        await house.ban(who)
    for _ in range(2):
        await house.reconciler.look()
    return house


async def held(house):
    """Who is in the sets of the jail sshd, and whether their marks are."""
    found = [await house.firewall.members(f"banwatch-sshd-{family}") for family in (4, 6)]
    return {who for members in found for who in members.left}, all(members.marked for members in found)


EVERYBODY = {"192.0.2.7", "192.0.2.8", "192.0.2.0/24", "2001:db8::/64"}


async def test_nftables_where_all_is_well(nftables, monkeypatch):
    """Nothing is repaired, and after the first time no member is looked at."""
    monkeypatch.setattr(nftables.firewall, "members", None)
    for _ in range(3):
        await nftables.reconciler.look()
    assert (sum(nftables.reconciler.repairs.values()), nftables.reconciler.problems()) == (0, [])


@pytest.mark.parametrize(
    ("command", "repaired"),
    [
        ("flush set inet banwatch banwatch-sshd-4-32", {"members"}),
        ("flush set inet banwatch banwatch-sshd-4-24", {"members"}),
        ("flush ruleset", {"set", "rules", "members"}),
        ("delete table inet banwatch", {"set", "rules", "members"}),
        ("flush chain inet banwatch banwatch-sshd; delete set inet banwatch banwatch-sshd-6-64", {"set", "rules", "members"}),
        ("flush chain inet banwatch input", {"rules"}),
        ("add table inet banwatch { flags dormant; }", {"order"}),
    ],
)
async def test_nftables_is_repaired(nftables, command, repaired):
    """Whatever others flush or delete is laid again, with everybody who was in it."""
    run("nft", command)
    await asyncio.wait_for(nftables.firewall.rules_changed(), 10)
    nftables.reconciler._rules_changed = True
    await nftables.reconciler.look()
    await nftables.settled()
    assert await held(nftables) == (EVERYBODY, True)
    assert {cause for cause, times in nftables.reconciler.repairs.items() if times} == repaired
    assert await nftables.firewall.astray() is None
    assert nftables.book().keys() == EVERYBODY


async def test_nftables_by_hand(nftables):
    """What an operator puts into a set is adopted, what he takes out is unbanned."""
    run("nft", "add element inet banwatch banwatch-sshd-4-32 { 192.0.2.9 timeout 100s }")
    await nftables.reconciler.look()
    assert nftables.book() == dict.fromkeys(EVERYBODY, "rule") | {"192.0.2.9": "adopted"}
    run("nft", "delete element inet banwatch banwatch-sshd-4-24 { 192.0.2.0 }")
    await nftables.reconciler.look()
    await nftables.settled()
    everybody = EVERYBODY - {"192.0.2.0/24"} | {"192.0.2.9"}
    assert nftables.book().keys() == everybody
    assert await held(nftables) == (everybody, True)
    assert nftables.mender.by_hand == {"added": 1, "removed": 1}
