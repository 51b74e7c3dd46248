"""
Sees to it that the kernel holds what the book says, whoever else has his hands in it: when to look, and how often to repair.

Of changes of rules the kernel tells, where it can; of sets it does not, so that their sizes are asked for every five seconds.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from banwatch.enforcer import Enforcer
from banwatch.errors import FirewallError
from banwatch.firewall.base import POLL_SECONDS, Firewall, Holding
from banwatch.firewall.wire import LONGEST
from banwatch.keeper import Keeper
from banwatch.mender import Mender
from banwatch.reconcile.budget import Budget

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
        given: sets and rules were just laid by us, so that nobody else has changed anything.
        thorough: look at each member.
        paid: it is counted already.
        causes: what was repaired in it already.
    """

    given: bool = False
    thorough: bool = False
    paid: bool = False
    causes: set[str] = field(default_factory=set)


class Reconciler:
    """
    Compares the kernel with the book, and has it mended.

    Args:
        lay: lays sets and rules for all jails that are on; raises FirewallError.
        changing: held by whoever does that.

    Attributes:
        repairs: how many there were, by cause.
        suspended: whether something has to be repaired, and has to wait because it was too often already.
    """

    def __init__(
        self,
        firewall: Firewall,
        keeper: Keeper,
        enforcer: Enforcer,
        mender: Mender,
        log: Any,
        lay: Callable[[], Awaitable[None]],
        changing: asyncio.Lock,
        clock: Callable[[], float],
    ) -> None:
        self._firewall = firewall
        self._keeper = keeper
        self._enforcer = enforcer
        self._mender = mender
        self._log = log
        self._lay = lay
        self._changing = changing
        self._clock = clock
        self._turn = asyncio.Lock()
        self._budget = Budget()
        self._explained: dict[str, int] = {}
        self._unchanged_since: dict[str, int] = {}
        self._rules_changed = False
        self._look_now = asyncio.Event()
        self._in_doubt = False
        self._failure = ""
        self._noted: Sequence[str] = ()
        self.suspended = False
        self.repairs: Counter[str] = Counter(dict.fromkeys(CAUSES, 0))

    async def run(self) -> None:
        """Keep the kernel as the book wants it, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._renew_daily())
            if not self._is_nothing_real:
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
            if self._in_doubt:
                self._fail(error)
            else:
                self._in_doubt = True
                self._look_now.set()  # what was there a moment ago is gone: it may be no more than that
        else:
            self._in_doubt, self._failure = False, ""

    async def compare(self, *, thoroughly: bool = False) -> None:
        """
        Have every set hold what the book says, after sets and rules were laid; the enforcer has to run.

        Args:
            thoroughly: look at each member, also where their number is right. For the beginning.
        """
        self._tell_notes()
        if self._is_nothing_real:
            return
        try:
            await self._compare(_Bout(given=True, thorough=thoroughly))
        except FirewallError as error:
            self._fail(error)

    async def renew(self) -> None:
        """Give the kernel once more the bans that are longer than it can hold."""
        book = self._keeper.engine.book
        await self._mender.put_back([ban for ban in book if ban.until is not None and ban.until - ban.at > LONGEST])

    @property
    def _is_nothing_real(self) -> bool:
        return self._firewall.name == "null"  # which holds what it was told, and in which nobody else has his hands

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

    async def _look(self, rules_changed: bool) -> None:
        holdings = await self._firewall.holdings()
        wrong = await self._find_wrong(holdings, rules_changed)
        if not wrong and all(map(self._agrees, holdings)):
            self.suspended = False
            return
        bout = _Bout()
        if wrong:
            async with self._changing:  # in which sets and rules are laid: they may be right by now
                await self._lay_again(bout, await self._find_wrong(await self._firewall.holdings(), rules_changed))
        await self._compare(bout)

    async def _find_wrong(self, holdings: Iterable[Holding], rules_changed: bool) -> list[str]:
        """What has to be laid again: of CAUSES "set", "rules" or "order"."""
        gone = any(holding.size is None for holding in holdings)
        astray = await self._firewall.astray() if rules_changed else None
        return ["set"] * gone + ([astray] if astray else [])

    async def _lay_again(self, bout: _Bout, causes: Sequence[str]) -> None:
        if not causes:
            return
        if not self._pay(bout):
            self._rules_changed = True  # they still have to be looked at
            return
        try:
            await self._lay()
        except FirewallError:
            self._budget.refund()
            raise
        self._tell_repaired(bout, causes)

    async def _compare(self, bout: _Bout) -> None:
        async with self._turn:
            if not await self._settle() and not bout.given:
                return  # in the middle of so much work nobody can tell; the next look comes soon
            there = [holding for holding in await self._firewall.holdings() if holding.size is not None]
            await self._mender.lose_all_but({(jail, holding.family) for holding in there for jail in holding.jails})
            for holding in there:
                if bout.thorough or not self._agrees(holding):
                    deviation = self._deviation(holding)
                    if await self._mender.mend(holding, partial(self._may, bout), first=bout.thorough):
                        self._explained.pop(holding.name, None)
                    elif holding.changes is not None:
                        self._unchanged_since[holding.name] = holding.changes
                    else:
                        self._explained[holding.name] = deviation

    async def _settle(self) -> bool:
        """Whether the kernel has all that was decided, within a second, so that its numbers and ours can be compared."""
        for _ in range(_BUSY_TIMES):
            if self._enforcer.idle:
                return True
            await asyncio.sleep(_BUSY_SECONDS)
        return False

    def _agrees(self, holding: Holding) -> bool:
        """Whether a set has as many members as it should have, or as many more or less as were found to be in order."""
        if holding.size is None:
            return False
        if holding.changes is not None:
            return holding.changes == self._unchanged_since.get(holding.name)
        return self._deviation(holding) == self._explained.get(holding.name, 0)

    def _deviation(self, holding: Holding) -> int:
        return (holding.size or 0) - self._mender.expected(holding)

    def _may(self, bout: _Bout, causes: Sequence[str]) -> bool:
        if not self._pay(bout):
            return False
        self._tell_repaired(bout, causes)
        return True

    def _pay(self, bout: _Bout) -> bool:
        """Whether something may be repaired now."""
        if bout.given or bout.paid:
            return True
        if not self._budget.spend(self._clock()):
            if not self.suspended:
                self.suspended = True
                self._log.error(self.problems()[-1], hint="find out who; `banwatch-client reload` repairs at once")
            return False
        bout.paid, self.suspended = True, False
        return True

    def _tell_repaired(self, bout: _Bout, causes: Sequence[str]) -> None:
        news = [cause for cause in causes if cause not in bout.causes]
        if bout.given or not news:
            return
        bout.causes.update(news)
        self.repairs.update(news)
        self._log.warning("somebody else has changed the firewall, it is repaired", what=", ".join(news))

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
