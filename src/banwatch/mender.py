"""
Brings one set of the kernel and the book together: what is lost is put back, by way of the enforcer, so that whatever is decided
meanwhile is the last word; whom somebody has put in by hand is adopted, and whom he has taken out is unbanned.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from banwatch.address import family_of
from banwatch.book.book import Book
from banwatch.enforcer import Enforcer, Key, concerns_kernel, key_of
from banwatch.errors import FirewallError
from banwatch.firewall.base import Firewall, Holding
from banwatch.keeper import Keeper
from banwatch.model import ALLOW, Ban, Target
from banwatch.reconcile.diff import Found, compare, strangers
from banwatch.reporter import Reporter
from banwatch.who import slices


class Mender:
    """
    Mends sets, a piece at a time: no ban waits for it.

    Attributes:
        by_hand: how many bans somebody has "added" to a set of ours, or "removed" from it.
    """

    def __init__(
        self, firewall: Firewall, keeper: Keeper, enforcer: Enforcer, reporter: Reporter, log: Any, clock: Callable[[], float]
    ) -> None:
        self._firewall = firewall
        self._keeper = keeper
        self._enforcer = enforcer
        self._reporter = reporter
        self._log = log
        self._clock = clock
        self.by_hand: Counter[str] = Counter(added=0, removed=0)

    def expected(self, holding: Holding) -> int:
        """How many members a set has where all is well, with our mark."""
        if len(holding.jails) == 1:
            return self._reporter.held[holding.jails[0], holding.family] + 1
        bans = (ban for ban in self._bans_in(holding) if _is_in(ban, holding.family))
        return len({ban.target for ban in bans if self._reporter.in_force(ban)}) + 1

    async def mend(self, holding: Holding, may: Callable[[Sequence[str]], bool], *, first: bool = False) -> bool:
        """
        Have one set hold what it should; whether there was anything to be done.

        Args:
            may: asked before anything is put back, with what is wrong: "members" that are gone, "ends" that are others.
            first: at the start. What the book remembers was a fact in an earlier life, so that it is no news when it is put
                back; and strangers are our own, of a life that nothing is remembered of.
        Raises:
            FirewallError: the set cannot be listed, or not be marked.
        """
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
                if first:
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
            self.by_hand["added"] += 0 if first else adopted
        if not again and members.marked:
            return bool(adopted or removed)
        if may(["members"] * bool(lost or not members.marked) + ["ends"] * bool(ends)):
            if again:
                self._log.warning("bans are put back into a set", set=holding.name, bans=len(again))
            if await self.put_back(again) and not members.marked:
                await self._firewall.mark(holding)
        return True

    async def put_back(self, bans: Sequence[Ban]) -> bool:
        """Renew those of `bans` that are still wanted; whether the kernel has taken them all."""
        taken = True
        async for some in slices(bans):
            try:
                await self._enforcer.renew([ban for ban in some if concerns_kernel(ban) and self._is_current(ban)])
            except FirewallError:
                taken = False  # the enforcer tries on, and tells when it gives up
        return taken

    async def lose_all_but(self, there: set[tuple[str, int]]) -> None:
        """What should be in a set that is not there is not in force; `there` are those that are, by jail and family."""
        for jail in (*self._keeper.engine.jails, ALLOW):
            if all((jail, family) in there for family in (4, 6)):
                continue
            async for some in slices(list(self._book.of_jail(jail).values())):
                bans = [ban for ban in some if concerns_kernel(ban) and self._is_current(ban)]
                self._reporter.lost([ban for ban in bans if (jail, family_of(ban.target.who)) not in there])

    @property
    def _book(self) -> Book:
        return self._keeper.engine.book

    def _bans_in(self, holding: Holding) -> list[Ban]:
        """What should be in a set, and what the same jails have in that of the other family."""
        return [ban for jail in holding.jails for ban in self._book.of_jail(jail).values()]

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


def _is_in(ban: Ban, family: int) -> bool:
    return concerns_kernel(ban) and family_of(ban.target.who) == family
