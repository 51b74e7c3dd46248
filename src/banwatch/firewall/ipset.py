"""
Bans by sets in the kernel, which a chain of iptables looks into.

Sets and their elements go over netlink, rules by iptables-restore; so a ban is one message, and never a process.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from banwatch.address import family_of, pack
from banwatch.config.model import JailSpec
from banwatch.errors import FirewallError
from banwatch.firewall.base import MARKS, POLL_SECONDS, Holding, Key, Members, seconds_left
from banwatch.firewall.elements import Element, Member
from banwatch.firewall.events import QUIET_SECONDS, SETTLE_SECONDS, RuleEvents
from banwatch.firewall.iptables import Tables
from banwatch.firewall.plan import Plan, mismatch, ours, plan_sets, set_name
from banwatch.firewall.refusal import BUSY, FULL, explain, number_of, refuse_some
from banwatch.firewall.rules import chain_rules, render_setup, render_teardown
from banwatch.firewall.sets import KernelSets
from banwatch.firewall.wire import PER_MESSAGE, Header, decode_failed
from banwatch.host.netlink import NetlinkError
from banwatch.model import Ban

REFUSALS = 512
"""After so many single refusals by one set in one call the rest is not tried any more: what has no more room has none."""

_Send = Callable[[str, int, Sequence[Element]], Awaitable[None]]


class _Batch:
    """What goes to one set: elements, and whose each is."""

    def __init__(self, family: int) -> None:
        self.family = family
        self.keys: list[Key] = []
        self.elements: list[Element] = []


class IpsetFirewall:
    """
    The backend `ipset`.

    Args:
        kernel: open; `close` closes it.
        tables: by family, 4 and, where the host has it, 6.
        lacking: what is done without, for `notes`.
        events: open, where the kernel tells of changes of all the rules; `close` closes it.
    """

    name = "ipset"

    def __init__(
        self,
        kernel: KernelSets,
        tables: Mapping[int, Tables],
        lacking: Sequence[str] = (),
        events: RuleEvents | None = None,
    ) -> None:
        self._kernel = kernel
        self._tables = tables
        self._lacking = tuple(lacking)
        self._kept: tuple[str, ...] = ()
        self._grown: dict[str, str] = {}
        self._events = events
        self._quiet_until = 0.0
        self._sets: Mapping[tuple[str, int], str] = {}
        self._laid: Mapping[int, tuple[str, ...]] = {}

    @property
    def notes(self) -> Sequence[str]:
        return (*self._lacking, *self._kept, *self._grown.values())

    async def setup(self, jails: Sequence[JailSpec]) -> None:
        plan, laid = self._plan(jails, await self._kernel.headers())  # raises before anything is done
        for name, family in plan.create:
            try:
                await self._kernel.create(name, family)
            except FirewallError as error:
                if error.errno != errno.EEXIST:
                    raise
                self._plan(jails, await self._kernel.headers())  # somebody was faster: it serves as well, or is refused
        for family, tables in self._tables.items():
            await tables.restore(render_setup(await tables.read(), laid[family]))
        self._sets, self._laid = plan.sets, laid
        kept = [name for name in plan.stale if not await self._kernel.destroy(name)]
        self._kept = tuple(f"the set {name} is kept: a rule of somebody else refers to it" for name in kept)

    async def unusable(self, jails: Sequence[JailSpec]) -> Mapping[str, str]:
        existing = await self._kernel.headers()
        self._plan((), existing)
        refused: dict[str, str] = {}
        for jail in jails:
            try:
                self._plan([jail], existing)
            except FirewallError as error:
                refused[jail.name] = error.message
        return refused

    async def present(self, jails: Sequence[JailSpec]) -> frozenset[str]:
        existing = await self._kernel.headers()
        names = {jail.name: [set_name(jail.name, family) for family in self._tables] for jail in jails if jail.enforce}
        return frozenset(jail for jail, sets in names.items() if not existing.keys().isdisjoint(sets))

    async def ban(self, bans: Sequence[Ban], now: float) -> None:
        wanted = (((ban.jail, ban.target), seconds_left(ban.until, now)) for ban in bans if ban.enforce)
        await self._apply(self._kernel.add, wanted, "banned", gone_is_fine=False)

    async def unban(self, bans: Sequence[Key]) -> None:
        await self._apply(self._kernel.delete, ((key, 0) for key in bans), "unbanned", gone_is_fine=True)

    async def holdings(self) -> Sequence[Holding]:
        headers = await self._kernel.headers()
        found = []
        for (name, family), jails in self._sharing().items():
            header = headers.get(name)
            size = None if header is None or mismatch(header, family) else header.elements
            foreign = all(set_name(jail, family) != name for jail in jails)
            found.append(Holding(name, family, tuple(jails), foreign, size))
        return found

    async def astray(self) -> str | None:
        for family, laid in self._laid.items():
            listing = await self._tables[family].read()
            if listing.rules != laid:
                return "rules"
            if not listing.entered:
                return "order"
        return None

    async def rules_changed(self) -> None:
        if self._events is None:
            await asyncio.sleep(POLL_SECONDS)
            return
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._quiet_until - loop.time())
        await self._events.changed()
        await asyncio.sleep(SETTLE_SECONDS)
        self._events.drain()
        self._quiet_until = loop.time() + QUIET_SECONDS

    async def members(self, name: str) -> Members:
        left: dict[str, float | None] = {}

        def keep(who: str, member: Member) -> None:
            left[who] = member.left

        await self._kernel.list(name, keep)
        return Members(left, _without_mark(left))

    async def mark(self, holding: Holding) -> None:
        try:
            await self._kernel.mark(holding.name, holding.family)
        except FirewallError as error:
            if error.errno != FULL or not await self._grows(holding.name):
                raise
            await self._kernel.mark(holding.name, holding.family)

    async def dropped(self) -> Mapping[str, Mapping[str, int]]:
        # Text and numbers, and no tuple for each: of a hundred thousand objects with references the collector of garbage
        # walks through all that there are, and the loop would stand still for that long.
        found: dict[str, dict[str, int]] = {}
        for (name, _), jails in self._sharing().items():
            packets: dict[str, int] = {}

            def keep(who: str, member: Member, packets: dict[str, int] = packets) -> None:
                packets[who] = member.packets

            await self._kernel.list(name, keep)
            _without_mark(packets)
            for jail in jails:
                found.setdefault(jail, {}).update(packets)
        return found

    async def teardown(self) -> None:
        for tables in self._tables.values():
            await tables.restore(render_teardown(await tables.read()))
        for name, family in self._sharing():
            with suppress(FirewallError):  # it may be gone
                await self._kernel.unmark(name, family)
        self._sets, self._laid = {}, {}
        if kept := [name for name in ours(await self._kernel.headers()) if not await self._kernel.destroy(name)]:
            raise FirewallError(f"still in use: {', '.join(kept)}", "rules refer to them; iptables-save | grep match-set", BUSY)

    async def close(self) -> None:
        self._kernel.close()
        if self._events is not None:
            self._events.close()

    def _plan(self, jails: Sequence[JailSpec], existing: Mapping[str, Header]) -> tuple[Plan, Mapping[int, tuple[str, ...]]]:
        """The sets for `jails`, and by family the rules of the chain; FirewallError if they cannot be had."""
        plan = plan_sets(jails, tuple(self._tables), existing)
        return plan, {family: chain_rules(jails, plan.sets, family) for family in self._tables}

    def _sharing(self) -> Mapping[tuple[str, int], Sequence[str]]:
        """By name and family of each set the jails that have their bans in it: by `set:` several may have the same."""
        found: dict[tuple[str, int], list[str]] = {}
        for (jail, family), name in self._sets.items():
            found.setdefault((name, family), []).append(jail)
        return found

    async def _apply(self, send: _Send, wanted: Iterable[tuple[Key, int]], doing: str, *, gone_is_fine: bool) -> None:
        failed: dict[Key, str] = {}
        numbers: list[int | None] = []
        for name, batch in self._sorted_by_set(wanted, {} if gone_is_fine else failed).items():
            numbers += await self._send(send, name, batch, failed, gone_is_fine=gone_is_fine)
        if failed:
            raise refuse_some(doing, failed, next(iter(numbers), None))

    def _sorted_by_set(self, wanted: Iterable[tuple[Key, int]], failed: dict[Key, str]) -> Mapping[str, _Batch]:
        batches: dict[str, _Batch] = {}
        for key, seconds in wanted:
            jail, (realm, who) = key
            if realm != "net":
                continue
            family = family_of(who)
            name = self._sets.get((jail, family))
            if name is None:
                failed[key] = self._why_no_set(jail, family)
                continue
            if who == MARKS[family]:
                failed[key] = "it marks sets as filled, and is no address of anybody"
                continue
            try:
                address, bits = pack(who)
            except (OSError, ValueError):
                failed[key] = "no address or network in canonical text"
                continue
            batch = batches.get(name)
            if batch is None:
                batch = batches[name] = _Batch(family)
            batch.keys.append(key)
            batch.elements.append((address, bits, seconds))
        return batches

    def _why_no_set(self, jail: str, family: int) -> str:
        if family not in self._tables:
            return "; ".join(self._lacking) or f"IPv{family} is not covered"
        return f"jail {jail} has no set"

    async def _send(
        self, send: _Send, name: str, batch: _Batch, failed: dict[Key, str], *, gone_is_fine: bool
    ) -> list[int | None]:
        """Send all of `batch`, a message at a time; what is refused goes to `failed`. Returns the errnos of the refusals."""
        numbers: list[int | None] = []
        start = 0
        while start < len(batch.elements):
            part = batch.elements[start : start + PER_MESSAGE]
            try:
                await send(name, batch.family, part)
                start += len(part)
            except OSError as error:
                number = number_of(error)
                if gone_is_fine and number == errno.ENOENT:
                    break
                at = decode_failed(error.reply) if isinstance(error, NetlinkError) else 0
                if number == FULL and await self._grows(name):
                    start += max(at - 1, 0)
                    continue
                numbers.append(number)
                if not 1 <= at <= len(part) or len(numbers) > REFUSALS:
                    failed.update(dict.fromkeys(batch.keys[start:], explain(number)))
                    break
                failed[batch.keys[start + at - 1]] = explain(number)
                start += at  # those before it are done
            if start < len(batch.elements):
                await asyncio.sleep(0)
        return numbers

    async def _grows(self, name: str) -> bool:
        """Whether a full set could be given more room."""
        try:
            room = await self._kernel.grow(name)
        except FirewallError:
            return False  # what was to be done there fails, and is told
        if room is not None:
            self._grown[name] = f"the set {name} was full, and has room for {room} now"
        return room is not None


def _without_mark(members: dict[str, Any]) -> bool:
    """Take our mark out of what was listed: whether it stood there."""
    found = [mark for mark in MARKS.values() if mark in members]
    for mark in found:
        del members[mark]
    return bool(found)
