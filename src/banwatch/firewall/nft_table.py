"""
The table `inet banwatch` in the kernel, over netlink: who looks at it, fills its sets, takes parts of it away.

Two sockets, because a conversation is one request at a time: a long listing on one keeps no ban on the other waiting.
"""

import errno
from collections.abc import Callable, Mapping, Sequence
from typing import Self, TypeVar

from banwatch.firewall.elements import Member
from banwatch.firewall.nft_elements import Element, encode_added, encode_counted, encode_keys
from banwatch.firewall.nft_rules import Standing
from banwatch.firewall.nft_wire import (
    LOOKED_UP,
    Chain,
    SetHeader,
    batch,
    decode_chain,
    decode_generation,
    decode_is_dormant,
    decode_members,
    decode_rule,
    decode_set,
    encode_add,
    encode_chains,
    encode_del,
    encode_delete_chain,
    encode_delete_rules,
    encode_delete_set,
    encode_delete_table,
    encode_generation,
    encode_list,
    encode_look_up,
    encode_rules,
    encode_set,
    encode_sets,
    encode_table,
)
from banwatch.firewall.refusal import NFTABLES, refusal
from banwatch.host.frame import Request
from banwatch.host.netlink import NETLINK_NETFILTER, Netlink, NetlinkError

T = TypeVar("T")

_ATTEMPTS = 3
_LISTINGS = 3
_NOTHING_COUNTED = Member(None)


class KernelTable:
    """Our table in a network namespace, that of the thread which opens it. Building it opens nothing."""

    def __init__(self) -> None:
        self._writing = Netlink(NETLINK_NETFILTER)
        self._reading = Netlink(NETLINK_NETFILTER)
        # Whether many elements are added on the chance that none is there, or looked for before: to undo what has failed takes
        # the kernel 10 ms, in which nothing else happens here.
        self._expecting_new = True
        self._own = 0

    async def open(self) -> Self:
        """
        Open the sockets, and ask the kernel whether it has nf_tables.

        Raises:
            FirewallError: it has not, or rights are missing.
        """
        try:
            self._writing.open()
            self._reading.open()
            await self._writing.request(encode_generation())
        except OSError as error:
            self.close()
            raise refusal("nftables cannot be used", error, NFTABLES) from error
        return self

    def close(self) -> None:
        """Close the sockets; again is fine."""
        self._writing.close()
        self._reading.close()

    def count_own(self) -> None:
        """Note that a transaction was made for us, by whatever program."""
        self._own += 1

    async def done_by_others(self) -> int:
        """
        How many transactions others have made in this network namespace, but for a number that stays the same.

        Raises:
            FirewallError: the kernel does not tell.
        """
        generation = 0

        def keep(payload: bytes) -> None:
            nonlocal generation
            generation = decode_generation(payload)

        try:
            await self._writing.request(encode_generation(), keep)  # where it stands in line with our own
        except OSError as error:
            raise refusal("asking for the generation", error, NFTABLES) from error
        return generation - self._own & 0xFFFFFFFF

    async def sets(self) -> Mapping[str, SetHeader]:
        """
        The sets of our table by their names; none if there is no table.

        Raises:
            FirewallError: the kernel does not tell.
        """
        sets: dict[str, SetHeader] = {}

        def keep(payload: bytes) -> None:
            if header := decode_set(payload):
                sets[header.name] = header

        await self._ask("listing the sets", encode_sets(), keep, gone_is_fine=True)
        return sets

    async def look(self) -> Standing:
        """
        All that stands in our table, but for the elements.

        Raises:
            FirewallError: the kernel does not tell.
        """
        dormant = False
        chains: dict[str, Chain] = {}
        rules: dict[str, dict[bytes, str]] = {}

        def keep_table(payload: bytes) -> None:
            nonlocal dormant
            dormant = decode_is_dormant(payload)

        def keep_chain(payload: bytes) -> None:
            if chain := decode_chain(payload):
                chains[chain.name] = chain

        def keep_rule(payload: bytes) -> None:
            if rule := decode_rule(payload):
                rules.setdefault(rule[0], {})[payload] = rule[1]  # a dump that is taken again tells a rule twice

        await self._ask("looking at the table", encode_table(), keep_table, gone_is_fine=True)
        await self._ask("listing the chains", encode_chains(), keep_chain)
        await self._ask("listing the rules", encode_rules(), keep_rule, gone_is_fine=True)
        found = {chain: tuple(comments.values()) for chain, comments in rules.items()}
        return Standing(await self.sets(), chains, found, dormant)

    async def members(self, name: str, bits: int, pick: Callable[[Member], T], *, surely: bool = True) -> dict[str, T]:
        """
        The canonical text of every element of a set of networks of `bits`, and what `pick` makes of what the kernel knows of
        it. It is read some hundreds at a time, and the loop goes on in between.

        Args:
            surely: leave out nobody who is there all the time; else some may be missing when the set changes meanwhile.
        Raises:
            FirewallError: the set is gone, or the kernel does not tell.
        """
        found: dict[str, T] = {}
        parts = 0

        def keep(payload: bytes) -> None:
            nonlocal parts
            parts += 1
            for who, member in decode_members(payload, bits):
                found[who] = pick(member)

        # The kernel goes on with a listing by counting to where it was: it leaves out others for those that are taken out
        # meanwhile, and any number of them when it orders a growing set anew, which it does a while after it has grown.
        for attempt in range(_LISTINGS if surely else 1):
            known, parts = len(found), 0
            generation, size = await self._moment(name)
            await self._ask(f"listing the set {name}", encode_list(name), keep)
            if parts < 3:
                break  # what comes in one piece, and an end, is as it was at one moment
            if attempt and len(found) == known:
                break
            if size is not None and len(found) >= size and (await self._moment(name))[0] == generation:
                break
        return found

    async def _moment(self, name: str) -> tuple[int, int | None]:
        """The number of the generation, and how many elements a set has, where the kernel says it."""
        generation, size = 0, None

        def keep(place: int, payload: bytes) -> None:
            nonlocal generation, size
            if place == 0:
                generation = decode_generation(payload)
            elif header := decode_set(payload):
                size = header.size

        doing = f"listing the set {name}"
        try:
            refused = await self._reading.request_all([encode_generation(), encode_set(name)], keep)
        except OSError as error:
            raise refusal(doing, error, NFTABLES) from error
        if refused:
            raise refusal(doing, refused[max(refused)], NFTABLES)
        return generation, size

    async def add(self, name: str, elements: Sequence[Element]) -> None:
        """
        Add up to PER_MESSAGE elements of different addresses, or give those that are there their new timeouts; what those have
        counted they keep.

        Raises:
            OSError: as Netlink.request; none is added.
        """
        if len(elements) > LOOKED_UP and self._expecting_new:
            try:
                await self._change(encode_add(name, encode_added(elements), only_new=True))
            except NetlinkError as error:
                if error.errno != errno.EEXIST:
                    raise
            else:
                return
        addresses = [address for address, _ in elements]
        counted = await self._look_up(name, addresses)
        self._expecting_new = all(member is None for member in counted)
        if self._expecting_new:
            await self._change(encode_add(name, encode_added(elements)))
            return
        # Added, if it has ended meanwhile, so surely deleted, and added with what it had: in one transaction none can fail.
        keys, packed = encode_keys(addresses), encode_counted(elements, (member or _NOTHING_COUNTED for member in counted))
        await self._change_surely(encode_add(name, keys), encode_del(name, keys), encode_add(name, packed))

    async def delete(self, name: str, elements: Sequence[Element]) -> None:
        """
        Delete up to PER_MESSAGE elements of different addresses, those that are there.

        Raises:
            OSError: as Netlink.request; none is deleted. ENOENT if the set is not there.
        """
        keys = encode_keys([address for address, _ in elements])
        await self._change_surely(encode_add(name, keys), encode_del(name, keys))

    async def delete_rules(self, chain: str) -> None:
        """
        Delete the rules of a chain; gone already is fine.

        Raises:
            FirewallError: why not.
        """
        await self._delete(f"deleting the rules of the chain {chain}", encode_delete_rules(chain))

    async def delete_chain(self, name: str) -> None:
        """
        Delete a chain; gone already is fine.

        Raises:
            FirewallError: a rule leads to it.
        """
        await self._delete(f"deleting the chain {name}", encode_delete_chain(name))

    async def delete_set(self, name: str) -> None:
        """
        Delete a set; gone already is fine.

        Raises:
            FirewallError: a rule refers to it.
        """
        await self._delete(f"deleting the set {name}", encode_delete_set(name))

    async def delete_table(self) -> None:
        """
        Delete our table, with all that is in it; gone already is fine.

        Raises:
            FirewallError: why not.
        """
        await self._delete("deleting the table", encode_delete_table())

    async def _look_up(self, name: str, addresses: Sequence[bytes]) -> Sequence[Member | None]:
        """What the kernel knows of each of `addresses`; None if it is not there."""
        found: list[Member | None] = [None] * len(addresses)
        bits = 8 * len(addresses[0])
        for start in range(0, len(addresses), LOOKED_UP):
            asked = [encode_look_up(name, encode_keys([address])) for address in addresses[start : start + LOOKED_UP]]

            def keep(place: int, payload: bytes, start: int = start) -> None:
                for _, member in decode_members(payload, bits):
                    found[start + place] = member

            for error in (await self._writing.request_all(asked, keep)).values():
                if error.errno != errno.ENOENT:
                    raise error
        return found

    async def _change(self, *requests: Request) -> None:
        """Have all of `requests` done or none; raises the first refusal."""
        if refused := await self._transact(requests):
            raise refused[min(refused)]

    async def _change_surely(self, *requests: Request) -> None:
        """The same where an element that is surely there is deleted, unless its time ends in that very moment."""
        for _ in range(_ATTEMPTS):
            refused = await self._transact(requests)
            if not refused:
                return
            if min(refused) < 2 or refused[min(refused)].errno != errno.ENOENT:  # 1 is the first of them
                break
        raise refused[min(refused)]

    async def _transact(self, requests: Sequence[Request]) -> Mapping[int, NetlinkError]:
        refused = await self._writing.request_all(batch(requests))
        if not refused:
            self.count_own()
        return refused

    async def _delete(self, doing: str, request: Request) -> None:
        try:
            await self._change(request)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise refusal(doing, error, NFTABLES) from error

    async def _ask(
        self, doing: str, request: Request, each: Callable[[bytes], None] | None = None, *, gone_is_fine: bool = False
    ) -> None:
        try:
            await self._reading.request(request, each)
        except OSError as error:
            if not (gone_is_fine and error.errno == errno.ENOENT):
                raise refusal(doing, error, NFTABLES) from error
