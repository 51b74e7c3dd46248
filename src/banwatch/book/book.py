"""
The book of bans. Pure: time is an argument, and what follows from a change is returned, never done.

There is one entry for each (jail, target). An allowed address is an entry of the reserved jail model.ALLOW.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from types import MappingProxyType

from banwatch.address import by_of
from banwatch.book.ends import Ends, Entry
from banwatch.model import ALLOW, Ban, Target, Unban, is_enforced

Key = tuple[str, Target]

_NOBODY: Mapping[Target, Ban] = MappingProxyType({})

_ADOPTED_SLACK = 2.0
"""The kernel's remaining time is whole seconds, rounded: an adopted entry may seem to end that much later than meant."""


MOST = 1_000_000
"""Bans at once. Each costs half a kilobyte, so that a botnet of any size leaves the host its memory."""


class Book:
    """
    Who is banned until when.

    Args:
        most: bans at once; of more, those that end first have to go (see `shed`).

    Attributes:
        shed_count: how many had to go.
        enforced: how many the kernel has to hold; not those that are only recorded, nor those on logins.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.shed_count = 0
        self.enforced = 0
        self._jails: dict[str, dict[Target, Ban]] = {}
        self._ends = Ends(self._end_of)
        self._size = 0
        self.totals: dict[str, int] = {}
        """Bans since the start by jail: those that were to be enforced on an address, each prolongation left out."""

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Ban]:
        return (ban for bans in self._jails.values() for ban in bans.values())

    def get(self, jail: str, target: Target) -> Ban | None:
        """The entry for (jail, target), or None."""
        return self.of_jail(jail).get(target)

    def of_jail(self, jail: str) -> Mapping[Target, Ban]:
        """The entries of one jail by target, oldest first."""
        return self._jails.get(jail, _NOBODY)

    def ban(self, ban: Ban) -> Ban | None:
        """
        Write `ban` down: the entry that has to be enforced now, or None when nothing changes.

        The later end wins. A ban that is in force is not weakened by one that is only recorded. The kernel's rounding does
        not keep the reason of a ban from replacing "adopted".
        """
        bans = self._jails.get(ban.jail)
        if bans is None:
            bans = self._jails[ban.jail] = {}
        present = bans.get(ban.target)
        if present is not None and not self._outlasts(ban, present):
            return None
        if (present is None or present.enforce < ban.enforce) and is_enforced(ban):
            self.totals[ban.jail] = self.totals.get(ban.jail, 0) + 1
        if present is not None and present.forced:
            ban = ban._replace(forced=True)
        bans[ban.target] = ban
        self._size += present is None
        self.enforced += is_enforced(ban) - (present is not None and is_enforced(present))
        if ban.until is not None:
            self._ends.add(ban.until, ban.jail, ban.target)
        self._compact()
        return ban

    def load(self, bans: Iterable[Ban]) -> None:
        """Begin with `bans` of an earlier life, each (jail, target) once; the book has to be empty."""
        for ban in bans:
            self._jails.setdefault(ban.jail, {})[ban.target] = ban
            self._size += 1
            if is_enforced(ban):
                self.enforced += 1
                self.totals[ban.jail] = self.totals.get(ban.jail, 0) + 1
        self._ends.renew(self._entries())

    def unban(self, jail: str, target: Target, now: float, why: str) -> Unban | None:
        """Take (jail, target) out: what ended, or None if it was not there."""
        ban = self._jails.get(jail, {}).pop(target, None)
        if ban is None:
            return None
        self._size -= 1
        self.enforced -= is_enforced(ban)
        self._compact()
        return Unban(ban, now, why)

    def expire(self, now: float) -> list[Unban]:
        """Take out every ban that has ended at `now`."""
        ended: list[Unban] = []
        while (key := self._ends.pop(now)) is not None:
            ended.append(Unban(self._jails[key[0]].pop(key[1]), now, "expired"))
        self._size -= len(ended)
        self.enforced -= sum(is_enforced(unban.ban) for unban in ended)
        return ended

    def shed(self, now: float) -> list[Unban]:
        """Take out the bans that end first until there is room; what never ends and who is allowed is not touched."""
        over: list[Unban] = []
        spared: list[Ban] = []
        while self._size > self.most and (key := self._ends.pop(inf)) is not None:
            ban = self._jails[key[0]][key[1]]
            if ban.jail == ALLOW:
                spared.append(ban)
                continue
            del self._jails[key[0]][key[1]]
            over.append(Unban(ban, now, "the book is full"))
            self._size -= 1
        for ban in spared:
            self._ends.add(ban.until or inf, ban.jail, ban.target)
        self.shed_count += len(over)
        self.enforced -= sum(is_enforced(unban.ban) for unban in over)
        return over

    def next_expiry(self) -> float | None:
        """When the next ban ends; None if none does."""
        return self._ends.next()

    def adopt(self, members: Mapping[Key, float | None], jails: Iterable[str], now: float) -> list[Ban]:
        """
        Take over what the kernel holds for `jails` and the book does not know: the new entries.

        Args:
            members: seconds left by (jail, target), None for an entry without an end.
        """
        known = set(jails)
        adopted: list[Ban] = []
        for (jail, target), left in members.items():
            if jail not in known or target in self.of_jail(jail):
                continue
            until = None if left is None else now + left
            ban = self.ban(Ban(jail, target, by_of(target), now, until, origin="adopted", why="found in the kernel's set"))
            if ban is not None:
                adopted.append(ban)
        return adopted

    def shift(self, seconds: float) -> None:
        """Move all bans by `seconds`, as the clock was: none ends sooner or later for that."""
        for bans in self._jails.values():
            for target, ban in bans.items():
                bans[target] = ban._replace(at=ban.at + seconds, until=None if ban.until is None else ban.until + seconds)
        self._ends.renew(self._entries())

    def _end_of(self, jail: str, target: Target) -> float | None:
        ban = self.get(jail, target)
        return None if ban is None else ban.until

    def _compact(self) -> None:
        if len(self._ends) > 2 * self._size:  # asked at every ban, and mostly in vain
            self._ends.compact(self._size, self._entries())

    def _entries(self) -> Iterator[Entry]:
        return ((ban.until, ban.jail, ban.target) for ban in self if ban.until is not None)

    def _outlasts(self, ban: Ban, present: Ban) -> bool:
        if ban.enforce != present.enforce:
            return ban.enforce
        if present.until is None:
            return False
        if ban.until is None:
            return True
        slack = _ADOPTED_SLACK if present.origin == "adopted" and ban.origin != "adopted" else 0.0
        return ban.until > present.until - slack
