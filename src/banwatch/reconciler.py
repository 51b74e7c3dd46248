"""
Sees to it that the kernel holds what the book says, whoever else has his hands in it.

What has gone is put back by way of the enforcer, so that whatever is decided meanwhile is the last word. What somebody has put
into a set of ours by hand is adopted, and what he has taken out is unbanned.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from banwatch.address import family_of
from banwatch.book.book import Book
from banwatch.enforcer import Enforcer, Key, concerns_kernel, key_of
from banwatch.errors import FirewallError
from banwatch.firewall.base import Firewall, Holding
from banwatch.firewall.wire import LONGEST
from banwatch.keeper import Keeper
from banwatch.model import Ban, Target
from banwatch.reconcile.diff import Found, compare, strangers
from banwatch.reporter import Reporter
from banwatch.who import slices

RENEW_SECONDS = 86400.0
"""How often bans are renewed that are longer than the kernel can hold."""


class Reconciler:
    """Compares the kernel with the book, and mends it."""

    def __init__(
        self,
        firewall: Firewall,
        keeper: Keeper,
        enforcer: Enforcer,
        reporter: Reporter,
        log: Any,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._firewall = firewall
        self._keeper = keeper
        self._enforcer = enforcer
        self._reporter = reporter
        self._log = log
        self._clock = clock
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Renew in time what the kernel would end too early, until cancelled."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await self.renew()

    async def renew(self) -> None:
        """Give the kernel once more the bans that are longer than it can hold."""
        await self._put_back([ban for ban in self._book if ban.until is not None and ban.until - ban.at > LONGEST])

    async def compare(self, *, thoroughly: bool = False) -> None:
        """
        Have every set hold what the book says; the enforcer has to run.

        Args:
            thoroughly: look at each member, also where their number is right. For the beginning.
        """
        async with self._turn:
            try:
                for holding in await self._firewall.holdings():
                    if holding.size is not None and (thoroughly or holding.size != self._expected(holding)):
                        await self._mend(holding)
            except FirewallError as error:
                self._log.error("sets cannot be compared with the book", error=error.message, hint=error.hint or None)

    @property
    def _book(self) -> Book:
        return self._keeper.engine.book

    def _expected(self, holding: Holding) -> int:
        """How many members there are where all is well, with our mark."""
        jails, family = holding.jails, holding.family
        if len(jails) == 1:
            return self._reporter.held[jails[0], family] + 1
        bans = (ban for jail in jails for ban in self._book.of_jail(jail).values() if _is_in(ban, family))
        targets = {ban.target for ban in bans if self._reporter.in_force(ban)}
        return len(targets) + 1

    async def _mend(self, holding: Holding) -> None:
        lost: list[Ban] = []
        ends: list[Ban] = []
        removed: list[Ban] = []
        with self._enforcer.watching() as touched:
            members = await self._firewall.members(holding.name)
            found = Found(members.left, members.marked, holding.foreign, len(holding.jails) > 1)
            wanted: set[str] = set()
            async for some in slices([ban for jail in holding.jails for ban in self._book.of_jail(jail).values()]):
                bans = [ban for ban in some if _is_in(ban, holding.family)]
                wanted.update([ban.target.who for ban in bans])
                difference = compare(bans, found, self._clock(), self._reporter.in_force)
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
        if lost and not members.marked:
            self._log.warning("a set was emptied, its bans are put back", set=holding.name, bans=len(lost))
        elif lost or ends:
            self._log.warning("bans were not as they should be, they are put back", set=holding.name, bans=len(lost) + len(ends))
        if await self._put_back(again) and not members.marked:
            await self._firewall.mark(holding)

    def _still(self, bans: Iterable[Ban], touched: set[Key]) -> list[Ban]:
        return [ban for ban in bans if key_of(ban) not in touched and self._is_current(ban)]

    def _is_current(self, ban: Ban) -> bool:
        return self._book.get(ban.jail, ban.target) is ban

    def _unban(self, bans: Iterable[Ban]) -> None:
        self._keeper.enact(self._keeper.engine.unban(map(key_of, bans), self._clock(), "taken out by hand"))

    def _adopt(self, jail: str, strange: Iterable[tuple[str, float | None]], touched: set[Key]) -> int:
        keys = (((jail, Target("net", who)), left) for who, left in strange)
        members = {key: left for key, left in keys if key not in touched}
        adopted = self._keeper.engine.adopt(members, self._clock())
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
