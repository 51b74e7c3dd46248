"""
A firewall that remembers what it was told and touches nothing: for dry runs, and for tests.

Like the kernel it forgets a ban when its time is over.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from banwatch.config.model import JailSpec
from banwatch.errors import FirewallError
from banwatch.firewall.base import Holding, Key, Members
from banwatch.model import Ban, is_enforced


class NullFirewall:
    """
    The backend `null`.

    Args:
        clock: what takes the place of the kernel's clock.
    """

    name = "null"
    notes: Sequence[str] = ()

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._until: dict[Key, float | None] = {}
        self._swept = 0
        self.jails: tuple[JailSpec, ...] = ()

    async def setup(self, jails: Sequence[JailSpec]) -> None:
        self.jails = tuple(jails)

    async def unusable(self, jails: Sequence[JailSpec]) -> Mapping[str, str]:  # noqa: ARG002  whoever they are
        return {}

    async def present(self, jails: Sequence[JailSpec]) -> frozenset[str]:
        return frozenset(jail.name for jail in jails) & {jail.name for jail in self.jails}

    async def ban(self, bans: Sequence[Ban], now: float) -> None:
        self._until.update({(ban.jail, ban.target): ban.until for ban in bans if is_enforced(ban)})
        if len(self._until) > 2 * self._swept + 1024:
            self._forget(now)

    async def unban(self, bans: Sequence[Key]) -> None:
        for key in bans:
            self._until.pop(key, None)

    async def holdings(self) -> Sequence[Holding]:
        return ()

    async def astray(self) -> str | None:
        return None

    async def rules_changed(self) -> None:
        await asyncio.Event().wait()  # there are none

    async def members(self, name: str) -> Members:
        raise FirewallError(f"there is no set {name}")

    async def mark(self, holding: Holding) -> None:
        """There are no sets."""

    async def banned(self) -> Mapping[Key, float | None]:
        """What it was told: seconds left by (jail, target), None is for ever."""
        now = self._clock()
        self._forget(now)
        return {key: None if until is None else until - now for key, until in self._until.items()}

    async def dropped(self) -> Mapping[str, Mapping[str, int]]:
        return {}

    async def teardown(self) -> None:
        self._until.clear()
        self.jails = ()

    async def close(self) -> None:
        """Nothing is open."""

    def _forget(self, now: float) -> None:
        self._until = {key: until for key, until in self._until.items() if until is None or until > now}
        self._swept = len(self._until)
