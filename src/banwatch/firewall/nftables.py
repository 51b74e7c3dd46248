"""
Bans by sets in a table of nftables of our own.

Elements go over netlink, the rules by nft; so a ban is one transaction, and never a process, but for the first network of its
length in a jail, for which there is no set yet.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from math import ceil
from typing import TypeVar

from banwatch.config.duration import LONGEST
from banwatch.config.model import JailSpec
from banwatch.errors import FirewallError
from banwatch.firewall.base import POLL_SECONDS, Holding, Key, Members
from banwatch.firewall.elements import Member
from banwatch.firewall.nft import Nft
from banwatch.firewall.nft_batches import MARKED, Batches, Failures, Place, sort_by_place
from banwatch.firewall.nft_elements import Element
from banwatch.firewall.nft_link import Link
from banwatch.firewall.nft_members import KernelMembers
from banwatch.firewall.nft_rules import (
    Layout,
    Lengths,
    Standing,
    find_astray,
    has_set,
    lengths_for,
    member_set,
    mismatch,
    plan_layout,
    render_setup,
    stale,
)
from banwatch.firewall.nft_table import KernelTable
from banwatch.firewall.nft_wire import PER_MESSAGE, SetHeader
from banwatch.firewall.plan import set_name
from banwatch.firewall.refusal import NFTABLES, number_of, refusal
from banwatch.model import Ban

T = TypeVar("T")
_Send = Callable[[str, Sequence[Element]], Awaitable[None]]


class NftablesFirewall:
    """
    The backend `nftables`.

    Args:
        link: open; `close` closes it.
        lacking: what is done without, or why it is this backend, for `notes`.
    """

    name = "nftables"

    def __init__(self, link: Link, nft: Nft, lacking: Sequence[str] = ()) -> None:
        self._link = link
        self._table = KernelTable(link)
        self._members = KernelMembers(link)
        self._nft = nft
        self._lacking = tuple(lacking)
        self._kept: tuple[str, ...] = ()
        self._jails: tuple[JailSpec, ...] = ()
        self._lengths: Lengths = {}
        self._layout = Layout({}, {})
        self._laying = asyncio.Lock()
        self._looked_at: int | None = None

    @property
    def notes(self) -> Sequence[str]:
        return self._lacking + self._kept

    async def setup(self, jails: Sequence[JailSpec]) -> None:
        async with self._laying:
            standing = await self._table.look()
            lengths = lengths_for(jails, standing.sets)
            # a table that somebody deleted is laid with all the sets that it had
            layout = await self._lay(jails, {key: bits | self._lengths.get(key, bits) for key, bits in lengths.items()}, standing)
            await self._clear(*stale(standing, layout))

    async def unusable(self, jails: Sequence[JailSpec]) -> Mapping[str, str]:
        sets = await self._table.sets()
        plan_layout((), lengths_for((), sets), sets)
        refused: dict[str, str] = {}
        for jail in jails:
            try:
                plan_layout([jail], lengths_for([jail], sets), sets)
            except FirewallError as error:
                refused[jail.name] = error.message
        return refused

    async def present(self, jails: Sequence[JailSpec]) -> frozenset[str]:
        existing = await self._table.sets()
        return frozenset(jail.name for jail in jails if jail.enforce and has_set(jail.name, existing))

    async def ban(self, bans: Sequence[Ban], now: float) -> None:
        failures = Failures()
        wanted = (((ban.jail, ban.target), milliseconds_left(ban.until, now)) for ban in bans if ban.enforce)
        batches = sort_by_place(wanted, self._lengths, failures)
        if not all(map(self._is_laid, batches)):
            batches = await self._with_sets(batches, failures)
        await self._send(self._members.add, batches, failures)
        failures.tell("banned")

    async def unban(self, bans: Sequence[Key]) -> None:
        failures = Failures()
        batches = sort_by_place(((key, 0) for key in bans), self._lengths, Failures())
        laid = {place: batch for place, batch in batches.items() if self._is_laid(place)}
        await self._send(self._members.delete, laid, failures, gone_is_fine=True)
        failures.tell("unbanned")

    async def holdings(self) -> Sequence[Holding]:
        headers = await self._table.sets()
        untold = any(header.size is None for header in headers.values())
        changes = await self._link.done_by_others() if untold else None
        return [self._hold(jail, family, headers, changes) for jail, family in self._lengths]

    async def astray(self) -> str | None:
        return find_astray(await self._table.look(), self._layout)

    async def rules_changed(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                others = await self._link.done_by_others()
            except FirewallError:
                return  # whoever looks then will tell it
            if others != self._looked_at:
                self._looked_at = others
                return

    async def members(self, name: str) -> Members:
        [(key, lengths)] = [(key, lengths) for key, lengths in self._lengths.items() if set_name(*key) == name]
        left, marked = await self._list(*key, lengths, lambda member: member.left)
        return Members(left, marked)

    async def mark(self, holding: Holding) -> None:
        [jail] = holding.jails
        await self._mark((jail, holding.family, bits) for bits in self._lengths.get((jail, holding.family), ()))

    async def dropped(self) -> Mapping[str, Mapping[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for (jail, family), lengths in self._lengths.items():
            packets, _ = await self._list(jail, family, lengths, lambda member: member.packets, surely=False)
            found.setdefault(jail, {}).update(packets)
        return found

    async def teardown(self) -> None:
        async with self._laying:
            await self._table.delete_table()
            self._jails, self._lengths, self._layout, self._kept = (), {}, Layout({}, {}), ()

    async def close(self) -> None:
        self._link.close()

    async def _lay(self, jails: Sequence[JailSpec], lengths: Lengths, standing: Standing) -> Layout:
        """Have sets for `lengths`, and the rules; what is right already is not touched."""
        layout = plan_layout(jails, lengths, standing.sets)
        if text := render_setup(standing, layout):
            await self._nft.lay(text)
            self._link.count_own()
        self._jails, self._lengths, self._layout = tuple(jails), lengths, layout
        return layout

    async def _clear(self, chains: Sequence[str], sets: Sequence[str]) -> None:
        """Delete what is no longer used; what somebody's rule in our table needs is kept, and noted."""
        kept = []
        for name in chains:  # they lead to one another, and to the sets
            await self._table.delete_rules(name)
        for what, names, delete in (("chain", chains, self._table.delete_chain), ("set", sets, self._table.delete_set)):
            for name in names:
                try:
                    await delete(name)
                except FirewallError as error:
                    if error.errno != errno.EBUSY:
                        raise
                    kept.append(f"the {what} {name} is kept: a rule of somebody else refers to it")
        self._kept = tuple(kept)

    async def _with_sets(self, batches: Batches, failures: Failures) -> Batches:
        """Those of `batches` for which there are sets, after the missing ones were made, if they can be."""
        async with self._laying:
            lengths = {key: set(bits) for key, bits in self._lengths.items()}
            for jail, family, bits in batches:
                lengths[jail, family].add(bits)
            try:
                standing = await self._table.look()
                await self._lay(self._jails, {key: frozenset(bits) for key, bits in lengths.items()}, standing)
                await self._mark(place for place in batches if member_set(*place) not in standing.sets)
            except FirewallError as error:
                for place, batch in batches.items():
                    if not self._is_laid(place):
                        failures.add((key for key, _ in batch.values()), error.message)
        return {place: batch for place, batch in batches.items() if self._is_laid(place)}

    def _is_laid(self, place: Place) -> bool:
        return place[2] in self._lengths.get(place[:2], ())

    async def _send(self, send: _Send, batches: Batches, failures: Failures, *, gone_is_fine: bool = False) -> None:
        """Send all of `batches`, a message at a time; once a set refuses, the rest for it is not tried any more."""
        for place, batch in batches.items():
            elements = [(address, left) for address, (_, left) in batch.items()]
            for start in range(0, len(elements), PER_MESSAGE):
                if start:
                    await asyncio.sleep(0)
                try:
                    await send(member_set(*place), elements[start : start + PER_MESSAGE])
                except OSError as error:
                    number = number_of(error)
                    if not (gone_is_fine and number == errno.ENOENT):
                        failures.add_number((key for key, _ in list(batch.values())[start:]), number)
                    break

    def _hold(self, jail: str, family: int, headers: Mapping[str, SetHeader], changes: int | None) -> Holding:
        """The sets of a jail as one."""
        lengths = self._lengths[jail, family]
        sets = [header for bits in lengths if (header := headers.get(member_set(jail, family, bits)))]
        size: int | None = None
        if len(sets) == len(lengths) and not any(mismatch(header, family) for header in sets):
            marks = sum((family, bits) in MARKED for bits in lengths)
            size = 0 if changes is not None else max(sum(header.size or 0 for header in sets) - marks + 1, 0)
        return Holding(set_name(jail, family), family, (jail,), foreign=False, size=size, changes=changes)

    async def _mark(self, places: Iterable[Place]) -> None:
        """Put the mark of its length into each set; there already is fine."""
        for place in places:
            if place[1:] in MARKED:
                name = member_set(*place)
                try:
                    await self._members.add(name, [(MARKED[place[1:]][0], 0)])
                except OSError as error:
                    raise refusal(f"marking the set {name}", error, NFTABLES) from error

    async def _list(
        self, jail: str, family: int, lengths: Iterable[int], pick: Callable[[Member], T], *, surely: bool = True
    ) -> tuple[dict[str, T], bool]:
        """Who is in the sets of a jail, and what `pick` makes of each; and whether all their marks stand there."""
        found: dict[str, T] = {}
        marked = True
        for bits in lengths:
            members = await self._members.list_all(member_set(jail, family, bits), bits, pick, surely=surely)
            if (family, bits) in MARKED:
                mark = MARKED[family, bits][1]
                marked = marked and mark in members
                members.pop(mark, None)
            found |= members
        return found, marked


def milliseconds_left(until: float | None, now: float) -> int:
    """
    The timeout that ends a ban at `until`: rounded up, so that it never ends early, at least a second (a timeout below the
    kernel's tick would be none), at most ten years; 0 for None, because to the kernel 0 is for ever.
    """
    if until is None:
        return 0
    return min(max(ceil(1000 * (until - now)), 1000), 1000 * LONGEST)
