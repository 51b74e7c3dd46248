"""
Sees to it that the kernel holds what the book says, whoever else has his hands in it.

What has gone is put back by way of the enforcer, so that whatever is decided meanwhile is the last word. What somebody has put
into a set of ours by hand is adopted, and what he has taken out is unbanned. Of changes of rules the kernel tells, where it can;
of sets it does not, so that their sizes are asked for every five seconds.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from banwatch.address import family_of
from banwatch.book.book import Book
from banwatch.enforcer import Enforcer, Key, concerns_kernel, key_of
from banwatch.errors import FirewallError
from banwatch.firewall.base import POLL_SECONDS, Firewall, Holding
from banwatch.firewall.wire import LONGEST
from banwatch.keeper import Keeper
from banwatch.model import ALLOW, Ban, Target
from banwatch.reconcile.budget import Budget
from banwatch.reconcile.diff import Found, compare, strangers
from banwatch.reporter import Reporter
from banwatch.who import slices

RENEW_SECONDS = 86400.0
"""How often bans are renewed that are longer than the kernel can hold."""

CAUSES = ("set", "members", "ends", "rules", "order")
"""What is repaired: a set was gone, members were gone or ended otherwise, our chain was changed, it was not entered first."""

_BUSY_SECONDS = 0.05
_BUSY_TIMES = 20


@dataclass(slots=True)
class _Bout:
    """
    What is repaired at one time counts as one repair.

    Args:
        free: it need not be paid for, or has been.
        given: sets and rules were just laid by us, so that nobody else has changed anything.
        thorough: look at each member.
        causes: what was repaired in it already.
    """

    free: bool = False
    given: bool = False
    thorough: bool = False
    causes: set[str] = field(default_factory=set)


class Reconciler:
    """
    Compares the kernel with the book, and mends it.

    Args:
        lay: lays sets and rules for all jails that are on; raises FirewallError.

    Attributes:
        repairs: how many there were, by cause.
        by_hand: how many bans somebody has "added" to a set of ours, or "removed" from it.
        suspended: whether something has to be repaired, and has to wait because it was too often already.
    """

    def __init__(
        self,
        firewall: Firewall,
        keeper: Keeper,
        enforcer: Enforcer,
        reporter: Reporter,
        log: Any,
        lay: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._firewall = firewall
        self._keeper = keeper
        self._enforcer = enforcer
        self._reporter = reporter
        self._log = log
        self._lay = lay
        self._clock = clock
        self._turn = asyncio.Lock()
        self._budget = Budget()
        self._explained: dict[str, int] = {}
        self._rules_changed = False
        self._look_now = asyncio.Event()
        self._failure = ""
        self._noted: Sequence[str] = ()
        self.suspended = False
        self.repairs: Counter[str] = Counter(dict.fromkeys(CAUSES, 0))
        self.by_hand: Counter[str] = Counter(added=0, removed=0)

    async def run(self) -> None:
        """Keep the kernel as the book wants it, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._renew_daily())
            if self._firewall.name != "null":
                tasks.create_task(self._await_rules())
                tasks.create_task(self._poll())

    def look_soon(self) -> None:
        """Something has met a set that is gone, or the like: do not wait for the next five seconds."""
        self._look_now.set()

    def problems(self) -> list[str]:
        """What an operator has to know."""
        problems = [self._failure] if self._failure else []
        if self.suspended:
            minutes = self._budget.within / 60
            problems.append(
                f"somebody else keeps changing our sets or rules: they were repaired {self._budget.most} times within"
                f" {minutes:.0f} min, and wait now"
            )
        return problems

    async def look(self) -> None:
        """
        Repair what is not as it should be.

        Asks for sizes only, and for rules if they may have changed: where all is well it takes a tenth of a millisecond.
        """
        changed, self._rules_changed = self._rules_changed, False
        self._tell_notes()
        try:
            await self._look(changed)
        except FirewallError as error:
            self._rules_changed = self._rules_changed or changed
            self._fail(error)
        else:
            self._failure = ""

    async def compare(self, *, thoroughly: bool = False) -> None:
        """
        Have every set hold what the book says, after sets and rules were laid; the enforcer has to run.

        Args:
            thoroughly: look at each member, also where their number is right. For the beginning.
        """
        self._tell_notes()
        try:
            await self._compare(_Bout(free=True, given=True, thorough=thoroughly))
        except FirewallError as error:
            self._fail(error)

    async def renew(self) -> None:
        """Give the kernel once more the bans that are longer than it can hold."""
        await self._put_back([ban for ban in self._book if ban.until is not None and ban.until - ban.at > LONGEST])

    async def _renew_daily(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await self.renew()

    async def _await_rules(self) -> None:
        while True:
            try:
                await self._firewall.rules_changed()
            except OSError:
                await asyncio.sleep(POLL_SECONDS)  # nobody tells us any more, so we look
            self._rules_changed = True
            self._look_now.set()

    async def _poll(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._look_now.wait()
            self._look_now.clear()
            try:
                await self.look()
            except Exception:
                self._log.exception("a look at the firewall failed")  # a fault of ours; the bans go on without it

    @property
    def _book(self) -> Book:
        return self._keeper.engine.book

    async def _look(self, rules_changed: bool) -> None:
        holdings = await self._firewall.holdings()
        astray = await self._firewall.astray() if rules_changed else None
        gone = any(holding.size is None for holding in holdings)
        if not gone and astray is None and all(map(self._agrees, holdings)):
            self.suspended = False
            return
        bout = _Bout()
        if gone or astray:
            if self._may(bout, ["set"] * gone + ([astray] if astray else [])):
                await self._lay()
            else:
                self._rules_changed = self._rules_changed or astray is not None
        await self._compare(bout)

    def _tell_notes(self) -> None:
        """Tell what the firewall does without, or has done by itself, each once while it stays so."""
        notes = self._firewall.notes
        for note in notes:
            if note not in self._noted:
                self._log.warning(note)
        self._noted = notes

    def _fail(self, error: FirewallError) -> None:
        """Tell that something did not work; once, while it stays so."""
        failure = f"sets and rules cannot be looked after: {error.message}"
        if failure != self._failure:
            self._log.error("sets and rules cannot be looked after", error=error.message, hint=error.hint or None)
        self._failure = failure

    def _may(self, bout: _Bout, causes: Sequence[str]) -> bool:
        """Whether something may be repaired now, for `causes`."""
        if not bout.free:
            if not self._budget.spend(self._clock()):
                if not self.suspended:
                    self.suspended = True
                    self._log.error(self.problems()[-1], hint="find out who; `banwatch-client reload` repairs at once")
                return False
            bout.free, self.suspended = True, False
            self._log.warning("somebody else has changed the firewall, it is repaired", what=", ".join(causes))
        if not bout.given:
            self.repairs.update(set(causes) - bout.causes)
            bout.causes.update(causes)
        return True

    def _agrees(self, holding: Holding) -> bool:
        """Whether a set has as many members as it should have, or as many more or less as were found to be in order."""
        return holding.size is not None and self._deviation(holding) == self._explained.get(holding.name, 0)

    def _deviation(self, holding: Holding) -> int:
        return (holding.size or 0) - self._expected(holding)

    def _expected(self, holding: Holding) -> int:
        """How many members there are where all is well, with our mark."""
        jails, family = holding.jails, holding.family
        if len(jails) == 1:
            return self._reporter.held[jails[0], family] + 1
        bans = (ban for ban in self._bans_in(holding) if _is_in(ban, family))
        targets = {ban.target for ban in bans if self._reporter.in_force(ban)}
        return len(targets) + 1

    async def _settle(self) -> bool:
        """Whether the kernel has all that was decided, within a second, so that its numbers and ours can be compared."""
        for _ in range(_BUSY_TIMES):
            if self._enforcer.idle:
                return True
            await asyncio.sleep(_BUSY_SECONDS)
        return False

    async def _compare(self, bout: _Bout) -> None:
        async with self._turn:
            if not await self._settle() and not bout.given:
                return  # in the middle of so much work nobody can tell; the next look comes soon
            holdings = await self._firewall.holdings()
            there = [holding for holding in holdings if holding.size is not None]
            await self._lose_all_but({(jail, holding.family) for holding in there for jail in holding.jails})
            for holding in there:
                if bout.thorough or not self._agrees(holding):
                    deviation = self._deviation(holding)
                    if await self._mend(holding, bout):
                        self._explained.pop(holding.name, None)
                    else:
                        self._explained[holding.name] = deviation

    async def _lose_all_but(self, there: set[tuple[str, int]]) -> None:
        """What should be in a set that is not there is not in force."""
        for jail in (*self._keeper.engine.jails, ALLOW):
            if all((jail, family) in there for family in (4, 6)):
                continue
            async for some in slices(list(self._book.of_jail(jail).values())):
                bans = [ban for ban in some if concerns_kernel(ban) and self._is_current(ban)]
                self._reporter.lost([ban for ban in bans if (jail, family_of(ban.target.who)) not in there])

    def _bans_in(self, holding: Holding) -> list[Ban]:
        """What should be in a set, and what the same jails have in that of the other family."""
        return [ban for jail in holding.jails for ban in self._book.of_jail(jail).values()]

    async def _mend(self, holding: Holding, bout: _Bout) -> bool:
        """Have one set hold what it should; whether there was anything to be done."""
        lost: list[Ban] = []
        ends: list[Ban] = []
        removed: list[Ban] = []
        with self._enforcer.watching() as touched:
            began = self._clock()
            members = await self._firewall.members(holding.name)
            found = Found(members.left, began, self._clock(), members.marked, holding.foreign, len(holding.jails) > 1)
            wanted: set[str] = set()
            async for some in slices(self._bans_in(holding)):
                bans = [ban for ban in some if _is_in(ban, holding.family)]
                wanted.update([ban.target.who for ban in bans])
                difference = compare(bans, found, self._clock(), self._reporter.in_force)
                if bout.thorough:
                    self._reporter.adopted([ban for ban in bans if ban.target.who in found.left])
                lost += difference.lost
                ends += difference.ends
                removed += difference.removed
            # A piece of it is done with nothing in between; whom something happens to before is left to that.
            again: list[Ban] = []
            async for some in slices(lost):
                bans = self._still(some, touched)
                self._reporter.lost(bans)
                again += bans
            async for some in slices(ends):
                again += self._still(some, touched)
            async for some in slices(removed):
                self._unban(self._still(some, touched))
            adopted = 0
            async for strange in slices(list(strangers(found, wanted).items())):
                adopted += self._adopt(holding.jails[0], strange, touched)
        if adopted:
            self._log.info("bans found in the kernel", set=holding.name, bans=adopted)
            self.by_hand["added"] += 0 if bout.thorough else adopted
        if not again and members.marked:
            return bool(adopted or removed)
        causes = ["members"] * bool(lost or not members.marked) + ["ends"] * bool(ends)
        if self._may(bout, causes):
            if again:
                self._log.warning("bans are put back into a set", set=holding.name, bans=len(again))
            if await self._put_back(again) and not members.marked:
                await self._firewall.mark(holding)
        return True

    def _still(self, bans: Iterable[Ban], touched: set[Key]) -> list[Ban]:
        return [ban for ban in bans if key_of(ban) not in touched and self._is_current(ban)]

    def _is_current(self, ban: Ban) -> bool:
        return self._book.get(ban.jail, ban.target) is ban

    def _unban(self, bans: Iterable[Ban]) -> None:
        unbans = self._keeper.engine.unban(map(key_of, bans), self._clock(), "taken out by hand")
        self.by_hand["removed"] += len(unbans)
        self._keeper.enact(unbans)

    def _adopt(self, jail: str, strange: Iterable[tuple[str, float | None]], touched: set[Key]) -> int:
        keys = (((jail, Target("net", who)), left) for who, left in strange)
        members = {key: left for key, left in keys if key not in touched}
        adopted = self._keeper.engine.adopt(members, self._clock())
        self._keeper.record(adopted)
        self._reporter.adopted(adopted)
        self._keeper.arm()
        return len(adopted)

    async def _put_back(self, bans: Sequence[Ban]) -> bool:
        """Renew those of `bans` that are still wanted; whether the kernel has taken them all."""
        taken = True
        async for some in slices(bans):
            try:
                await self._enforcer.renew([ban for ban in some if concerns_kernel(ban) and self._is_current(ban)])
            except FirewallError:
                taken = False  # the enforcer tries on, and tells when it gives up
        return taken


def _is_in(ban: Ban, family: int) -> bool:
    return concerns_kernel(ban) and family_of(ban.target.who) == family
