"""
What is said to nf_tables in a network namespace, that of the thread which opens it.

Two sockets, because a conversation is one request at a time: a long listing on one keeps no ban on the other waiting.
"""

import errno
from collections.abc import Callable, Mapping
from typing import Self

from banwatch.firewall.nft_wire import batch, decode_generation, encode_generation
from banwatch.firewall.refusal import NFTABLES, refusal
from banwatch.host.frame import Request
from banwatch.host.netlink import NETLINK_NETFILTER, Netlink, NetlinkError


class Link:
    """
    Building it opens nothing.

    Attributes:
        writing: for what changes something, and what must not wait.
        reading: for what may take long.
    """

    def __init__(self) -> None:
        self.writing = Netlink(NETLINK_NETFILTER)
        self.reading = Netlink(NETLINK_NETFILTER)
        self._own = 0

    async def open(self) -> Self:
        """
        Open the sockets, and ask the kernel whether it has nf_tables.

        Raises:
            FirewallError: it has not, or rights are missing.
        """
        try:
            self.writing.open()
            self.reading.open()
            await self.writing.request(encode_generation())
        except OSError as error:
            self.close()
            raise refusal("nftables cannot be used", error, NFTABLES) from error
        return self

    def close(self) -> None:
        """Close the sockets; again is fine."""
        self.writing.close()
        self.reading.close()

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
            await self.writing.request(encode_generation(), keep)  # where it stands in line with our own
        except OSError as error:
            raise refusal("asking for the generation", error, NFTABLES) from error
        return generation - self._own & 0xFFFFFFFF

    async def transact(self, *requests: Request) -> Mapping[int, NetlinkError]:
        """
        Have all of `requests` done or none; by its place, which begins with 1, each that was refused.

        Raises:
            OSError: as Netlink.request_all.
        """
        refused = await self.writing.request_all(batch(requests))
        if not refused:
            self.count_own()
        return refused

    async def ask(
        self, doing: str, request: Request, each: Callable[[bytes], None] | None = None, *, gone_is_fine: bool = False
    ) -> None:
        """
        Ask for something; `each` is called with the payload of each message of the reply.

        Args:
            doing: "listing the sets" and the like, for the error.
            gone_is_fine: what is asked for need not be there.
        Raises:
            FirewallError: the kernel does not tell.
        """
        try:
            await self.reading.request(request, each)
        except OSError as error:
            if not (gone_is_fine and error.errno == errno.ENOENT):
                raise refusal(doing, error, NFTABLES) from error
