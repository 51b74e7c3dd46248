"""
What banwatch asks of a firewall: few verbs, each safe to repeat.

The kernel ends every ban by its own clock, so that nothing here has to be called for that.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import NamedTuple, Protocol

from banwatch.config.model import JailSpec
from banwatch.firewall.wire import LONGEST
from banwatch.model import Ban, Target

Key = tuple[str, Target]
"""What a ban is known by: its jail and its target."""


MARKS = {4: "255.255.255.255", 6: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}
"""By family what stands in a set of ours and is nobody: no packet comes from there. Where it is gone, the set was emptied."""


POLL_SECONDS = 4.5
"""After so many seconds a change is noticed of which the kernel tells nobody; with the repair that is less than five."""


class Holding(NamedTuple):
    """
    A set in use, without its members.

    Args:
        jails: who has bans in it; several only where `set:` names the same for them.
        foreign: somebody else has made it.
        size: how many members it has, our mark among them; None if it is gone.
        changes: where the kernel does not say the size, a number that is another as soon as somebody else may have changed
            something in it; `size` is 0 then.
    """

    name: str
    family: int
    jails: tuple[str, ...]
    foreign: bool
    size: int | None
    changes: int | None = None


class Members(NamedTuple):
    """Who is in a set: seconds left, None is for ever; the mark left out, and whether it stands there."""

    left: Mapping[str, float | None]
    marked: bool


class Firewall(Protocol):
    """
    Every verb raises FirewallError when the kernel, or a program that speaks to it, refuses. Targets that are logins are
    nobody's business here, and are skipped.
    """

    @property
    def name(self) -> str:
        """The backend: "ipset", "nftables" or "null"."""

    @property
    def notes(self) -> Sequence[str]:
        """What this firewall does without, for `status` and the log ("no ip6tables: IPv6 is not covered")."""

    async def setup(self, jails: Sequence[JailSpec]) -> None:
        """
        Have sets and rules for the jails that enforce, and for the allowed; what is in the sets already stays there. Sets
        of ours that no jail uses any more are destroyed. What is right already is not touched.
        """

    async def unusable(self, jails: Sequence[JailSpec]) -> Mapping[str, str]:
        """
        Which of `jails` cannot have their sets or rules, and why: a set that `set:` names is not there, or is not as it
        would have to be. Setup refuses when there is one among its jails. The error is raised for what concerns them all.
        """

    async def present(self, jails: Sequence[JailSpec]) -> frozenset[str]:
        """Which of `jails` have a set in the kernel already, from an earlier life. Works without a setup before it."""

    async def ban(self, bans: Sequence[Ban], now: float) -> None:
        """
        Return when the kernel has acknowledged all of `bans`, one or 100,000; the later end of two in one call is that of
        the later ban. A timeout is at most LONGEST: a longer ban has to be given again before that.

        Raises:
            FirewallError: `failed` says which, and why; all the others are in force.
        """

    async def unban(self, bans: Sequence[Key]) -> None:
        """Return when none of `bans` is in the kernel; the same error as `ban`. Absent already is fine."""

    async def holdings(self) -> Sequence[Holding]:
        """
        The sets that setup has laid, as they are now; many times faster than their members. A set that is there, but is not
        as it would have to be, counts as gone.
        """

    async def astray(self) -> str | None:
        """
        What is wrong with the rules that setup has laid: "rules" if our chain is not as it was laid, "order" if it is not
        entered, or only after something that lets packets pass. None is the good case.
        """

    async def rules_changed(self) -> None:
        """
        Return when rules have changed, or may have. Where the kernel tells it, nobody wakes up for nothing; elsewhere this
        is after POLL_SECONDS.
        """

    async def members(self, name: str) -> Members:
        """Who is in the set `name`. Keeps neither a ban nor the loop waiting."""

    async def mark(self, holding: Holding) -> None:
        """Put our mark into a set; there already is fine."""

    async def dropped(self) -> Mapping[str, Mapping[str, int]]:
        """By jail who is in its sets, and how many packets of each they have met. Keeps neither a ban nor the loop waiting."""

    async def teardown(self) -> None:
        """Leave nothing of ours: no rules, no chain, no sets. Works without a setup before it."""

    async def close(self) -> None:
        """Let go of what is open here; the kernel stays as it is."""


def seconds_left(until: float | None, now: float) -> int:
    """
    The timeout that ends a ban at `until`: rounded up, so that it never ends early, at least 1, at most LONGEST; 0 for
    None, because to the kernel 0 is for ever.
    """
    if until is None:
        return 0
    return min(max(ceil(until - now), 1), LONGEST)
