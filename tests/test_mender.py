"""mender.py: the kernel's own sets, and others who have their hands in them."""

import asyncio
import subprocess
import time
from collections import Counter

import pytest

from banwatch.config.model import JailSpec
from banwatch.firewall.base import MARKS
from banwatch.model import ALLOW, Target

pytestmark = pytest.mark.kernel

FOUR = "banwatch-sshd-4"


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout


async def test_every_set_is_marked(make_house):
    """From the start on, and what marks it is told to nobody."""
    house = await make_house()
    for jail in ("sshd", "allow"):
        for family in (4, 6):
            assert house.members(f"banwatch-{jail}-{family}") == {MARKS[family]: 0}
    assert await house.firewall.dropped() == {"sshd": {}, "allow": {}}
    assert house.notes.told == []


async def test_where_all_is_well_nothing_is_done(make_house):
    """Bans of both families, prolonged, lifted, and one that has ended: the number of members is what is expected."""
    house = await make_house()
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
async def test_a_set_that_was_emptied(make_house, emptied):
    """Flushed, or destroyed and laid anew: every ban is back with what is left of it, and none of them is told again."""
    house = await make_house()
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
    found = house.members()
    assert found.keys() == {"192.0.2.7", "192.0.2.8", MARKS[4]}
    assert 590 <= found["192.0.2.7"] <= 600
    assert found["192.0.2.8"] == found[MARKS[4]] == 0
    assert house.notes.told[before:] == [("bans are put back into a set", {"set": FOUR, "bans": 2})]
    assert all(house.reporter.in_force(ban) for ban in house.engine.book if ban is not ending)


async def test_taken_out_by_hand(make_house):
    """An operator's unban: the book follows, and it is told; the others stay."""
    house = await make_house()
    await house.ban("192.0.2.7")
    await house.ban("192.0.2.8")
    run("ipset", "del", FOUR, "192.0.2.7")
    await house.reconciler.compare()
    await house.settled()
    assert house.book() == {"192.0.2.8": "rule"}
    assert [fields["why"] for fields in house.told("Unban 192.0.2.7")] == ["taken out by hand"]
    assert house.members().keys() == {"192.0.2.8", MARKS[4]}


async def test_put_in_by_hand(make_house):
    """It is adopted, with its end, and is a ban like others; so are those whom an operator allows."""
    house = await make_house()
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


async def test_flushed_and_put_in_by_hand(make_house):
    """Both at once: the bans are put back, and the newcomer is adopted."""
    house = await make_house()
    await house.ban("192.0.2.7")
    run("ipset", "flush", FOUR)
    run("ipset", "add", FOUR, "192.0.2.8", "timeout", "100")
    await house.reconciler.compare()
    assert house.book() == {"192.0.2.7": "rule", "192.0.2.8": "adopted"}
    assert house.members().keys() == {"192.0.2.7", "192.0.2.8", MARKS[4]}


async def test_a_start_takes_over_and_puts_back(make_house):
    """What the kernel holds of an earlier life is adopted; what the book knows and the kernel does not is put back."""
    first = await make_house()
    await first.ban("192.0.2.7", 600.0)
    second = await make_house()
    assert second.book() == {"192.0.2.7": "adopted"}
    third = type(first)(first.firewall, first.specs)
    third.engine.ban([first.ban_of("192.0.2.7", 600.0), first.ban_of("192.0.2.8", 300.0)])
    task = asyncio.create_task(third.enforcer.run())
    await third.reconciler.compare(thoroughly=True)
    task.cancel()
    assert third.book() == {"192.0.2.7": "rule", "192.0.2.8": "rule"}
    assert first.members().keys() == {"192.0.2.7", "192.0.2.8", MARKS[4]}


async def test_what_is_under_way_is_left_alone(make_house):
    """An unban that the kernel has not heard of yet when the set is listed is neither a stranger nor a loss."""
    house = await make_house()
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
    assert house.members().keys() == {"192.0.2.8", MARKS[4]}


async def test_a_set_of_somebody_else(make_house):
    """Who swaps his list for a new one keeps our bans in it; what is no more on his list is no ban any more."""
    run("ipset", "create", "theirs", "hash:net", "timeout", "0")
    run("ipset", "add", "theirs", "203.0.113.9")
    house = await make_house(JailSpec("sshd", ports=((22, 22),), set="theirs"))
    await house.ban("192.0.2.7")
    assert house.book() == {"203.0.113.9": "adopted", "192.0.2.7": "rule"}
    run("ipset", "create", "new", "hash:net", "timeout", "0")
    run("ipset", "add", "new", "203.0.113.10")
    run("ipset", "swap", "new", "theirs")
    await house.reconciler.compare()
    assert house.book() == {"192.0.2.7": "rule", "203.0.113.10": "adopted"}
    assert house.members("theirs").keys() == {"192.0.2.7", "203.0.113.10", MARKS[4]}
    await house.firewall.teardown()
    assert MARKS[4] not in house.members("theirs")


async def test_a_set_that_two_jails_share(make_house):
    """What one of them has unbanned the other may still want: it is put back, and nobody is adopted twice."""
    run("ipset", "create", "theirs", "hash:net", "timeout", "0")
    shared = [JailSpec(name, ports=((22, 22),), set="theirs") for name in ("sshd", "mail")]
    house = await make_house(*shared)
    await house.ban("192.0.2.7")
    await house.ban("192.0.2.7", jail="mail")
    await house.reconciler.compare()
    assert house.members("theirs").keys() == {"192.0.2.7", MARKS[4]}
    await house.keeper.carry_out(house.engine.unban([("mail", Target("net", "192.0.2.7"))], time.time(), "by command"))
    assert house.members("theirs").keys() == {MARKS[4]}
    await house.reconciler.compare()
    assert (house.book(), house.book("mail")) == ({"192.0.2.7": "rule"}, {})
    assert house.members("theirs").keys() == {"192.0.2.7", MARKS[4]}


async def test_what_is_in_no_set_is_not_in_force(make_house):
    """A set that is gone and cannot be laid again: its bans, of that family alone, are not called enforced."""
    house = await make_house()
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
    assert house.members().keys() == {"192.0.2.7", MARKS[4]}


async def test_by_hand_is_counted(make_house):
    """Who puts somebody in or takes somebody out is no repair."""
    house = await make_house()
    await house.ban("192.0.2.7")
    run("ipset", "del", FOUR, "192.0.2.7")
    run("ipset", "add", FOUR, "192.0.2.8")
    run("ipset", "add", FOUR, "192.0.2.9")
    await house.reconciler.look()
    assert house.mender.by_hand == {"added": 2, "removed": 1}
    assert +house.reconciler.repairs == Counter()
