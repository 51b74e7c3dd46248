"""enforcer.py: the kernel gets what the book wants, in batches, and every change is reported when it is a fact."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from banwatch.enforcer import Enforcer, concerns_kernel
from banwatch.errors import FirewallError
from banwatch.model import Ban, Target, Unban


def ban_of(number, until=600.0):
    return Ban("sshd", Target("net", f"192.0.2.{number}"), "ip", 0.0, until)


LOGIN = ban_of(1)._replace(target=Target("login", "bob"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (ban_of(1), True),
        (Unban(ban_of(1), 0.0, ""), True),
        (ban_of(1)._replace(enforce=False), False),
        (LOGIN, False),
        (Unban(LOGIN, 0.0, ""), False),
    ],
)
def test_concerns_kernel(change, expected):
    """Logins and what is only recorded are no business of the kernel."""
    assert concerns_kernel(change) is expected


class Scripted:
    """A firewall that remembers its calls and fails as often as it is told to."""

    def __init__(self):
        self.calls = []
        self.fail = {}
        self.gate = None

    async def ban(self, bans, now):
        await self._call("ban", [(ban.jail, ban.target) for ban in bans])

    async def unban(self, bans):
        await self._call("unban", list(bans))

    async def _call(self, verb, keys):
        self.calls.append((verb, [target.who for _, target in keys]))
        if self.gate is not None:
            await self.gate.wait()
        failed = {key: "no" for key in keys if self.fail.get(key[1].who, 0) > 0}
        for _, target in failed:
            self.fail[target.who] -= 1
        if failed:
            raise FirewallError("refused", failed=failed)


@pytest.fixture
def world():
    """A firewall, an enforcer in front of it, and what was reported and given up."""
    firewall, done, given_up = Scripted(), [], []
    enforcer = Enforcer(
        firewall,
        lambda changes, at: done.extend(changes),
        lambda change, error: given_up.append((change, error.message)),
        clock=lambda: 5.0,
        retries=(0.0, 0.0),
    )
    return firewall, enforcer, done, given_up


@asynccontextmanager
async def running(enforcer):
    task = asyncio.create_task(enforcer.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_all_that_waits_goes_in_one_batch(world):
    """Bans that are decided together reach the firewall together, and each is reported after it."""
    firewall, enforcer, done, _ = world
    async with running(enforcer):
        bans = [ban_of(1), ban_of(2), ban_of(3)]
        await enforcer.carry_out(bans)
    assert firewall.calls == [("ban", ["192.0.2.1", "192.0.2.2", "192.0.2.3"])]
    assert done == bans


async def test_only_the_last_change_of_a_target_counts(world):
    """A ban that is lifted before the kernel saw it is never put in."""
    firewall, enforcer, done, _ = world
    ban = ban_of(1)
    enforcer.submit([ban, ban_of(2), Unban(ban, 1.0, "by command")])
    await enforcer.settle()
    assert firewall.calls == [("unban", ["192.0.2.1"]), ("ban", ["192.0.2.2"])]
    assert done == [Unban(ban, 1.0, "by command"), ban_of(2)]


async def test_he_who_waited_for_the_earlier_change_is_told_too(world):
    """Nobody waits for ever because a newer change took the place of his."""
    _, enforcer, _, _ = world
    first = asyncio.create_task(enforcer.carry_out([ban_of(1)]))
    await asyncio.sleep(0)
    enforcer.submit([ban_of(1, until=900.0)])
    await enforcer.settle()
    await asyncio.wait_for(first, 5)


async def test_nothing_is_reported_before_the_kernel_answers(world):
    """A ban is told when it is in force, not when it is decided."""
    firewall, enforcer, done, _ = world
    firewall.gate = asyncio.Event()
    async with running(enforcer):
        task = asyncio.create_task(enforcer.carry_out([ban_of(1)]))
        while not firewall.calls:
            await asyncio.sleep(0)
        assert done == []
        assert not task.done()
        firewall.gate.set()
        await asyncio.wait_for(task, 5)
    assert done == [ban_of(1)]


async def test_one_failure_does_not_sink_the_others(world):
    """What failed is tried again by itself, the rest is in force at once."""
    firewall, enforcer, done, given_up = world
    firewall.fail = {"192.0.2.2": 1}
    async with running(enforcer):
        enforcer.submit([ban_of(1), ban_of(2), ban_of(3)])
        while len(done) < 3:
            await asyncio.sleep(0)
    assert firewall.calls == [("ban", ["192.0.2.1", "192.0.2.2", "192.0.2.3"]), ("ban", ["192.0.2.2"])]
    assert done == [ban_of(1), ban_of(3), ban_of(2)]
    assert (given_up, enforcer.retried, enforcer.given_up) == ([], 1, 0)


async def test_retries_are_bounded(world):
    """After the last retry the change is given up, with the reason."""
    firewall, enforcer, done, given_up = world
    firewall.fail = {"192.0.2.2": 99}
    async with running(enforcer):
        enforcer.submit([ban_of(2)])
        while not given_up:
            await asyncio.sleep(0)
    assert given_up == [(ban_of(2), "no")]
    assert (len(firewall.calls), enforcer.retried, enforcer.given_up, done, len(enforcer)) == (3, 2, 1, [], 0)


async def test_the_command_hears_of_the_failure(world):
    """carry_out raises at the first failure instead of waiting for the retries."""
    firewall, enforcer, _, _ = world
    firewall.fail = {"192.0.2.1": 99}
    async with running(enforcer):
        with pytest.raises(FirewallError, match="no"):
            await asyncio.wait_for(enforcer.carry_out([ban_of(1)]), 5)


async def test_an_unban_ends_the_retries_of_a_ban(world):
    """What nobody wants any more is not tried again."""
    firewall, enforcer, done, given_up = world
    enforcer._retries = (60.0,)
    firewall.fail = {"192.0.2.1": 1}
    async with running(enforcer):
        enforcer.submit([ban_of(1)])
        while not len(enforcer) or enforcer.retried == 0:
            await asyncio.sleep(0)
        await asyncio.wait_for(enforcer.carry_out([Unban(ban_of(1), 1.0, "by command")]), 5)
        assert len(enforcer) == 0
    assert firewall.calls == [("ban", ["192.0.2.1"]), ("unban", ["192.0.2.1"])]
    assert done == [Unban(ban_of(1), 1.0, "by command")]
    assert given_up == []


async def test_each_refusal_is_told(world):
    """Once for each time, not for each ban."""
    firewall, enforcer, _, _ = world
    told = []
    enforcer._refused = told.append
    firewall.fail = {"192.0.2.1": 2, "192.0.2.2": 1}
    async with running(enforcer):
        enforcer.submit([ban_of(1), ban_of(2)])
        while len(enforcer):
            await asyncio.sleep(0)
    assert [error.message for error in told] == ["refused", "refused"]


async def test_several_may_wait_for_one_change(world):
    """Each waits for all of his own, and hears of a failure among them when the last is done."""
    firewall, enforcer, _, _ = world
    firewall.fail = {"192.0.2.2": 99}
    first = asyncio.create_task(enforcer.carry_out([ban_of(1), ban_of(2)]))
    second = asyncio.create_task(enforcer.carry_out([ban_of(1), ban_of(3)]))
    gone = asyncio.create_task(enforcer.carry_out([ban_of(3)]))
    await asyncio.sleep(0)
    gone.cancel()
    await enforcer.settle()
    await asyncio.wait_for(second, 5)
    with pytest.raises(FirewallError, match="no"):
        await asyncio.wait_for(first, 5)


async def test_nothing_to_carry_out(world):
    """Is done at once."""
    firewall, enforcer, _, _ = world
    await enforcer.carry_out([])
    assert firewall.calls == []


async def test_a_renewal_stands_behind_what_is_under_way(world):
    """What waits, what is being carried out and what is tried again is newer than the renewal, which leaves it alone."""
    firewall, enforcer, done, _ = world
    enforcer._retries = (60.0,)
    firewall.fail = {"192.0.2.1": 1}
    async with running(enforcer):
        enforcer.submit([ban_of(1)])
        while enforcer.retried == 0:
            await asyncio.sleep(0)
        firewall.gate = asyncio.Event()
        enforcer.submit([Unban(ban_of(2), 1.0, "by command")])
        while len(firewall.calls) < 2:
            await asyncio.sleep(0)
        enforcer.submit([ban_of(3, until=900.0)])
        task = asyncio.create_task(enforcer.renew([ban_of(1), ban_of(2), ban_of(3), ban_of(4)]))
        await asyncio.sleep(0)
        firewall.gate.set()
        await asyncio.wait_for(task, 5)
    assert firewall.calls[1:] == [("unban", ["192.0.2.2"]), ("ban", ["192.0.2.3", "192.0.2.4"])]
    assert done == [Unban(ban_of(2), 1.0, "by command"), ban_of(3, until=900.0), ban_of(4)]


async def test_an_unban_during_a_renewal_is_the_last_word(world):
    """It is carried out after the renewal, so that nobody is left banned whom nobody wants banned."""
    firewall, enforcer, _, _ = world
    firewall.gate = asyncio.Event()
    async with running(enforcer):
        renewal = asyncio.create_task(enforcer.renew([ban_of(1)]))
        while not firewall.calls:
            await asyncio.sleep(0)
        unban = asyncio.create_task(enforcer.carry_out([Unban(ban_of(1), 1.0, "by command")]))
        await asyncio.sleep(0)
        firewall.gate.set()
        await asyncio.wait_for(asyncio.gather(renewal, unban), 5)
    assert firewall.calls == [("ban", ["192.0.2.1"]), ("unban", ["192.0.2.1"])]


async def test_who_watches_sees_what_was_touched(world):
    """All that was wished, carried out or tried again before, and all that came while he watched."""
    firewall, enforcer, _, _ = world
    enforcer._retries = (60.0,)
    firewall.fail = {"192.0.2.1": 1}
    async with running(enforcer):
        enforcer.submit([ban_of(1)])
        while enforcer.retried == 0:
            await asyncio.sleep(0)
        await enforcer.carry_out([ban_of(2)])
        assert enforcer.idle
        firewall.gate = asyncio.Event()
        enforcer.submit([ban_of(3)])
        assert not enforcer.idle
        while len(firewall.calls) < 3:
            await asyncio.sleep(0)
        assert not enforcer.idle
        enforcer.submit([ban_of(4)])
        with enforcer.watching() as touched:
            firewall.gate.set()
            await enforcer.carry_out([ban_of(5)])
        await enforcer.carry_out([ban_of(6)])
    assert {target.who for _, target in touched} == {f"192.0.2.{number}" for number in (1, 3, 4, 5)}
