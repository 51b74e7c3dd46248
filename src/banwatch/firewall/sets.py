"""
ipset's sets over netlink, by their names: who makes them, lists them, fills them.

Two sockets, because a conversation is one request at a time: a long listing on one keeps no ban on the other waiting.
"""

import asyncio
import errno
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from banwatch.address import pack
from banwatch.errors import FirewallError
from banwatch.firewall.base import MARKS
from banwatch.firewall.elements import Element, Member
from banwatch.firewall.refusal import BUSY, REFERENCED, refusal
from banwatch.firewall.wire import (
    MAXELEM,
    TYPE,
    Header,
    decode_again,
    decode_header,
    decode_members,
    encode_add,
    encode_add_again,
    encode_create,
    encode_create_like,
    encode_del,
    encode_destroy,
    encode_headers,
    encode_list,
    encode_protocol,
    encode_swap,
    encode_type,
)
from banwatch.host.frame import Request
from banwatch.host.netlink import NETLINK_NETFILTER, Netlink

# rules that were deleted hold on to their sets until the kernel has come to clearing them up
_CLEARING = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)

_AGAIN = 100
"""Elements with comments in one message, whose attributes are 64 KiB at most."""


class KernelSets:
    """The sets of a network namespace, that of the thread which opens it. Building it opens nothing."""

    def __init__(self) -> None:
        self._writing = Netlink(NETLINK_NETFILTER)
        self._reading = Netlink(NETLINK_NETFILTER)

    async def open(self, families: Sequence[int]) -> Self:
        """
        Open the sockets, and ask the kernel whether it has what is needed for `families`.

        Raises:
            FirewallError: it has not, or rights are missing.
        """
        try:
            self._writing.open()
            self._reading.open()
            await self._writing.request(encode_protocol())
            for family in families:
                await self._writing.request(encode_type(family))
        except OSError as error:
            self.close()
            raise refusal("ipset cannot be used", error) from error
        return self

    def close(self) -> None:
        """Close the sockets; again is fine."""
        self._writing.close()
        self._reading.close()

    async def headers(self) -> Mapping[str, Header]:
        """
        Every set there is by its name, whoever made it.

        Raises:
            FirewallError: the kernel does not tell.
        """
        headers: dict[str, Header] = {}

        def keep(payload: bytes) -> None:
            if header := decode_header(payload):
                headers[header.name] = header

        await self._ask(self._reading, "listing the sets", encode_headers(), keep)
        return headers

    async def list(self, name: str, each: Callable[[str, Member], None]) -> None:
        """
        Call `each` with the canonical text of every element of a set, and what the kernel knows of it: some hundreds at a
        time, and the loop goes on in between.

        Raises:
            FirewallError: the set is gone, or the kernel does not tell.
        """

        def keep(payload: bytes) -> None:
            for who, member in decode_members(payload):
                each(who, member)

        await self._ask(self._reading, f"listing the set {name}", encode_list(name), keep)

    async def create(self, name: str, family: int) -> None:
        """
        Make a set of ours.

        Raises:
            FirewallError: why not.
        """
        await self._ask(self._writing, f"creating the set {name}", encode_create(name, family))

    async def destroy(self, name: str) -> bool:
        """
        Destroy a set, gone already is fine; False if a rule still refers to it.

        Raises:
            FirewallError: the kernel refuses for another reason.
        """
        for pause in _CLEARING:
            await asyncio.sleep(pause)
            try:
                await self._ask(self._writing, f"destroying the set {name}", encode_destroy(name))
            except FirewallError as error:
                if error.errno == errno.ENOENT:
                    return True
                if error.errno not in (BUSY, REFERENCED):
                    raise
            else:
                return True
        return False

    async def grow(self, name: str) -> int | None:
        """
        Give a set four times its room: how much it has now; None if it has as much as a set may have, or is none of our type.

        A bigger one is filled and changes places with it, so that there is no moment without it, and every rule stays.

        Raises:
            FirewallError: why not; the set is as it was.
        """
        header = (await self.headers()).get(name)
        if header is None or header.type != TYPE or not header.timeout or header.maxelem >= MAXELEM:
            return None
        room = min(4 * header.maxelem, MAXELEM)
        bigger = f"banwatch-~-{header.family}"  # the name of no jail's set, and one that a setup would take away
        await self.destroy(bigger)
        await self._ask(self._writing, f"creating a bigger set {name}", encode_create_like(bigger, header._replace(maxelem=room)))
        try:
            elements: list[bytes] = []
            await self._ask(
                self._reading, f"listing the set {name}", encode_list(name), lambda it: elements.extend(decode_again(it))
            )
            for start in range(0, len(elements), _AGAIN):
                request = encode_add_again(bigger, header.family, elements[start : start + _AGAIN])
                await self._ask(self._writing, f"filling a bigger set {name}", request)
                await asyncio.sleep(0)
            await self._swap(bigger, name)
        finally:
            await self.destroy(bigger)
        return room

    async def _swap(self, one: str, other: str) -> None:
        for again in _CLEARING[1:]:
            try:
                await self._ask(self._writing, f"swapping the set {other}", encode_swap(one, other))
            except FirewallError as error:
                if error.errno != errno.EBUSY or again == _CLEARING[-1]:
                    raise
            else:
                return
            await asyncio.sleep(again)  # somebody lists one of them just now

    async def add(self, name: str, family: int, elements: Sequence[Element]) -> None:
        """
        Add up to PER_MESSAGE elements, or give those that are there their new timeouts.

        Raises:
            OSError: as Netlink.request.
        """
        await self._writing.request(encode_add(name, family, elements))

    async def delete(self, name: str, family: int, elements: Sequence[Element]) -> None:
        """Delete up to PER_MESSAGE elements, those that are there; raises as `add`."""
        await self._writing.request(encode_del(name, family, elements))

    async def mark(self, name: str, family: int) -> None:
        """
        Put our mark into a set, for ever.

        Raises:
            FirewallError: the set is gone, or is full.
        """
        address, bits = pack(MARKS[family])
        await self._ask(self._writing, f"marking the set {name}", encode_add(name, family, [(address, bits, 0)]))

    async def unmark(self, name: str, family: int) -> None:
        """Take our mark out of a set; raises as `mark`."""
        address, bits = pack(MARKS[family])
        await self._ask(self._writing, f"unmarking the set {name}", encode_del(name, family, [(address, bits, 0)]))

    async def _ask(self, netlink: Netlink, doing: str, request: Request, each: Callable[[bytes], None] | None = None) -> None:
        try:
            await netlink.request(request, each)
        except OSError as error:
            raise refusal(doing, error) from error
