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
    Header,
    decode_header,
    decode_members,
    encode_add,
    encode_create,
    encode_del,
    encode_destroy,
    encode_headers,
    encode_list,
    encode_protocol,
    encode_type,
)
from banwatch.host.frame import Request
from banwatch.host.netlink import NETLINK_NETFILTER, Netlink

# rules that were deleted hold on to their sets until the kernel has come to clearing them up
_CLEARING = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)


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
