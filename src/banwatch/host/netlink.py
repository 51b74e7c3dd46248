"""
One conversation with the kernel over a netlink socket, in the asyncio loop.

The kernel does what it is asked within send(), so that its answer waits when send() returns: the reply is read at once, and
only if it is not there does the loop wait for it. A datagram at a time; it may hold several requests, and a request hundreds
of entries.
A netlink socket stays in the network namespace in which it was opened.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Self

from banwatch.host.frame import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_MULTI,
    NLMSG_DONE,
    NLMSG_ERROR,
    Request,
    decode_error,
    decode_messages,
    encode_message,
)

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12

PATIENCE = 10.0
"""How long the kernel may keep us waiting for an answer, in seconds."""

_PAUSES = (0.01, 0.02, 0.04, 0.08, 0.16)
_PASSING = frozenset({errno.EBUSY, errno.ENOBUFS, errno.EAGAIN, errno.EINTR})
_LARGEST = 65536  # the kernel fills dumps up to 32 KiB, and its errors repeat the whole request


class NetlinkError(OSError):
    """
    The kernel refused a request.

    Args:
        number: the errno; subsystems have their own from 4096 on.
        reply: payload of the NLMSG_ERROR message, in which the kernel repeats the request.
    """

    def __init__(self, number: int, reply: bytes = b"") -> None:
        super().__init__(number, os.strerror(number))
        self.reply = reply


class Netlink:
    """
    A netlink socket. Building it opens nothing.

    Args:
        protocol: NETLINK_ROUTE, NETLINK_NETFILTER, …
        groups: bits of the multicast groups to join.
        patience: seconds until a kernel that does not answer is a TimeoutError.
    """

    def __init__(self, protocol: int, groups: int = 0, patience: float = PATIENCE) -> None:
        self._protocol = protocol
        self._groups = groups
        self._patience = patience
        self._socket: socket.socket | None = None
        self._sequence = 0
        self._unread = False
        self._lock = asyncio.Lock()

    def open(self) -> Self:
        """
        Open the socket, in the network namespace of the calling thread.

        Raises:
            OSError: this kernel has no such protocol, or no socket is to be had.
        """
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, self._protocol)
        sock.setblocking(False)
        sock.bind((0, self._groups))
        self._socket = sock
        return self

    def close(self) -> None:
        """Close the socket; again is fine."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    async def request(self, request: Request, each: Callable[[bytes], None] | None = None) -> None:
        """
        Send `request` and return when the kernel has acknowledged it, or has sent all of a dump.

        Args:
            each: called with the payload of each message of the reply. A dump that has to be taken again starts from
                its beginning, so that `each` may see an entry twice.
        Raises:
            NetlinkError: the kernel refused.
            TimeoutError: it did not answer.
            OSError: the socket failed.
        """
        forward = None if each is None else (lambda _, payload: each(payload))
        if refused := await self.request_all([request], forward):
            raise refused[0]

    async def request_all(
        self, requests: Sequence[Request], each: Callable[[int, bytes], None] | None = None
    ) -> Mapping[int, NetlinkError]:
        """
        Send `requests` in one datagram, and return when all of them are answered that ask for an acknowledgement: by its place
        each that was refused. One that asks for none and is refused all the same ends the waiting: none after it was looked at.

        Args:
            each: called with the place of a request and the payload of each message of its reply; see `request`.
        Raises:
            TimeoutError: the kernel did not answer.
            OSError: the socket failed.
        """
        async with self._lock:
            for pause in _PAUSES:
                try:
                    refused = await self._exchange(requests, each)
                except OSError as error:
                    if error.errno not in _PASSING:
                        raise
                else:
                    if all(error.errno not in _PASSING for error in refused.values()):
                        return refused
                await asyncio.sleep(pause)
            return await self._exchange(requests, each)

    async def receive(self) -> bytes:
        """
        The next datagram that nobody asked for; needs a group, and a socket that is used for nothing else.

        Raises:
            OSError: ENOBUFS when there were more than the socket holds, and some are lost.
        """
        return await asyncio.get_running_loop().sock_recv(self._opened(), _LARGEST)

    def drain(self) -> None:
        """Read away what waits: datagrams of a group, or what a request that was cancelled has left. A dump so ends."""
        sock = self._opened()
        with suppress(BlockingIOError):
            while True:
                try:
                    sock.recv(_LARGEST)
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise

    async def _exchange(
        self, requests: Sequence[Request], each: Callable[[int, bytes], None] | None
    ) -> Mapping[int, NetlinkError]:
        sock = self._opened()
        if self._unread:
            self.drain()
        places: dict[int, int] = {}
        waiting: set[int] = set()
        refused: dict[int, NetlinkError] = {}
        datagram = []
        for place, request in enumerate(requests):
            sequence = self._sequence = self._sequence + 1 & 0xFFFFFFFF
            places[sequence] = place
            if request.flags & NLM_F_ACK or request.flags & NLM_F_DUMP == NLM_F_DUMP:
                waiting.add(place)
            datagram.append(encode_message(request, sequence))
        self._unread = True
        interrupted = long = False
        sock.send(b"".join(datagram))
        while True:
            for message in decode_messages(await self._answer(sock)):
                place = places.get(message.sequence, -1)
                if place < 0:
                    continue
                interrupted = interrupted or bool(message.flags & NLM_F_DUMP_INTR)
                if message.type in (NLMSG_ERROR, NLMSG_DONE):
                    if number := decode_error(message.payload):
                        refused[place] = NetlinkError(number, message.payload)
                    if place not in waiting:
                        return refused  # what else the kernel says of it is read away before the next request
                    waiting.discard(place)
                    if not waiting:
                        self._unread = False
                        if interrupted and not refused:
                            raise NetlinkError(errno.EINTR)  # the table changed under the dump: what came may be half of each
                        return refused
                elif each is not None:
                    each(place, message.payload)
                long = long or bool(message.flags & NLM_F_MULTI)
            if long:
                await asyncio.sleep(0)  # a long dump is no reason to keep the others waiting

    async def _answer(self, sock: socket.socket) -> bytes:
        try:
            return sock.recv(_LARGEST)
        except BlockingIOError:
            async with asyncio.timeout(self._patience):
                return await asyncio.get_running_loop().sock_recv(sock, _LARGEST)

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise OSError(errno.EBADF, "the netlink socket is not open")
        return self._socket
