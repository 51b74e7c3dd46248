"""
The members of nftables' sets in the kernel: who lists them, adds them, takes them out.

A set is named by its name; it holds networks of one length.
"""

import errno
from collections.abc import Callable, Sequence
from typing import TypeVar

from banwatch.firewall.elements import Member
from banwatch.firewall.nft_elements import Element, encode_added, encode_counted, encode_keys
from banwatch.firewall.nft_link import Link
from banwatch.firewall.nft_wire import (
    LOOKED_UP,
    decode_generation,
    decode_members,
    decode_set,
    encode_add,
    encode_del,
    encode_generation,
    encode_list,
    encode_look_up,
    encode_set,
)
from banwatch.firewall.refusal import NFTABLES, refusal
from banwatch.host.frame import Request
from banwatch.host.netlink import NetlinkError

T = TypeVar("T")

_ATTEMPTS = 3
_LISTINGS = 3
_NOTHING_COUNTED = Member(None)


class KernelMembers:
    """
    Args:
        link: open.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        # Whether many elements are added on the chance that none is there, or looked for before: to undo what has failed takes
        # the kernel 10 ms, in which nothing else happens here.
        self._expecting_new = True

    async def list_all(self, name: str, bits: int, pick: Callable[[Member], T], *, surely: bool = True) -> dict[str, T]:
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
            await self._link.ask(f"listing the set {name}", encode_list(name), keep)
            if parts < 3:
                break  # what comes in one piece, and an end, is as it was at one moment
            if attempt and len(found) == known:
                break
            if size is not None and len(found) >= size and (await self._moment(name))[0] == generation:
                break
        return found

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

    async def _look_up(self, name: str, addresses: Sequence[bytes]) -> Sequence[Member | None]:
        """What the kernel knows of each of `addresses`; None if it is not there."""
        found: list[Member | None] = [None] * len(addresses)
        bits = 8 * len(addresses[0])
        for start in range(0, len(addresses), LOOKED_UP):
            asked = [encode_look_up(name, encode_keys([address])) for address in addresses[start : start + LOOKED_UP]]

            def keep(place: int, payload: bytes, start: int = start) -> None:
                for _, member in decode_members(payload, bits):
                    found[start + place] = member

            for error in (await self._link.writing.request_all(asked, keep)).values():
                if error.errno != errno.ENOENT:
                    raise error
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
            refused = await self._link.reading.request_all([encode_generation(), encode_set(name)], keep)
        except OSError as error:
            raise refusal(doing, error, NFTABLES) from error
        if refused:
            raise refusal(doing, refused[max(refused)], NFTABLES)
        return generation, size

    async def _change(self, *requests: Request) -> None:
        """Have all of `requests` done or none; raises the first refusal."""
        if refused := await self._link.transact(*requests):
            raise refused[min(refused)]

    async def _change_surely(self, *requests: Request) -> None:
        """The same where an element that is surely there is deleted, unless its time ends in that very moment."""
        for _ in range(_ATTEMPTS):
            refused = await self._link.transact(*requests)
            if not refused:
                return
            if min(refused) == 1 or refused[min(refused)].errno != errno.ENOENT:  # before the deletion: the set is gone
                raise refused[min(refused)]
        raise NetlinkError(errno.EAGAIN)
