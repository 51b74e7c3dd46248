"""keeper.py: the book, the kernel and the log in step."""

import asyncio
import time

import pytest

from banwatch.config.model import Config, DaemonSpec, JailSpec
from banwatch.enforcer import Enforcer
from banwatch.engine import Engine
from banwatch.firewall.null import NullFirewall
from banwatch.keeper import Keeper
from banwatch.model import Ban, Target, Unban


class Told:
    """What is a fact, in the order of the telling."""

    def __init__(self):
        self.changes = []
        self.more = asyncio.Event()

    def done(self, changes, at):
        self.changes += changes
        self.more.set()

    def given_up(self, change, error):
        raise AssertionError(change)


def ban(who="192.0.2.7", seconds=600.0, realm="net", **changes):
    now = time.time()
    return Ban("manual", Target(realm, who), "ip", now, now + seconds, **changes)


@pytest.fixture
async def keeper():
    told = Told()
    firewall = NullFirewall()
    enforcer = Enforcer(firewall, told.done, told.given_up)
    keeper = Keeper(Engine(Config(DaemonSpec(), {"manual": JailSpec("manual")}, {})), enforcer, told, time.time)
    task = asyncio.create_task(enforcer.run())
    yield keeper, firewall, told
    keeper.disarm()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_carry_out_returns_when_the_kernel_has_it(keeper):
    """And what concerns the book alone is told without it."""
    keeper, firewall, told = keeper
    entered = keeper.engine.ban([ban(), ban("bob", realm="login")])
    await keeper.carry_out(entered)
    assert [target.who for _, target in await firewall.banned()] == ["192.0.2.7"]
    assert sorted(change.target.who for change in told.changes) == ["192.0.2.7", "bob"]


async def test_a_ban_ends_on_time(keeper):
    """By a timer for the next one alone, which is set anew when an earlier end comes."""
    keeper, firewall, told = keeper
    await keeper.carry_out(keeper.engine.ban([ban(seconds=600.0)]))
    await keeper.carry_out(keeper.engine.ban([ban("192.0.2.8", seconds=0.05)]))
    async with asyncio.timeout(10):
        while not isinstance(told.changes[-1], Unban):
            told.more.clear()
            await told.more.wait()
    assert told.changes[-1].ban.target.who == "192.0.2.8"
    assert [target.who for _, target in await firewall.banned()] == ["192.0.2.7"]


async def test_a_lifted_ban_leaves_no_timer(keeper):
    """Nothing wakes up for a ban that is no more."""
    keeper, _, _ = keeper
    await keeper.carry_out(keeper.engine.ban([ban()]))
    assert keeper._timer is not None
    await keeper.carry_out(keeper.engine.unban([("manual", Target("net", "192.0.2.7"))], time.time(), "by command"))
    assert keeper._timer is None


async def test_a_clock_that_was_set_moves_the_end(keeper):
    """The book is moved with the clock, and the timer follows the book."""
    keeper, _, told = keeper
    await keeper.carry_out(keeper.engine.ban([ban(seconds=3600.0)]))
    told.more.clear()
    keeper.engine.step_clock(-3600.0 + 0.05)
    keeper.rearm()
    await asyncio.wait_for(told.more.wait(), 5)
    assert isinstance(told.changes[-1], Unban)


async def test_a_full_book_lets_go(keeper):
    """More bans than the book holds: those that end first end now, in the kernel too."""
    keeper, firewall, _ = keeper
    keeper.engine.book.most = 2
    keeper.enact(keeper.engine.ban([ban(f"192.0.2.{number}", seconds=600.0 + number) for number in range(4)]))
    await keeper.carry_out(keeper.engine.ban([ban("192.0.2.9", seconds=900.0)]))
    assert sorted(target.who for _, target in await firewall.banned()) == ["192.0.2.3", "192.0.2.9"]
    assert len(keeper.engine.book) == 2
