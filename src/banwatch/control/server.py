"""The daemon's side of the control socket: reads requests, asks a handler, writes replies."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol, Self

from banwatch.control.listen import BACKLOG, Listener, open_listener
from banwatch.control.methods import Method, check_request
from banwatch.control.peer import Peer, peer_of
from banwatch.control.protocol import (
    BUSY,
    FORBIDDEN,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Lines,
    Request,
    RequestError,
    encode_error,
    encode_result,
    parse_request,
)
from banwatch.errors import BanwatchError

Handler = Callable[[Mapping[str, Any], Peer], Awaitable[object]]

MAX_CONNECTIONS = 64
MAX_STRANGERS = 16
"""Connections of those who may only ask: they cannot keep root and the group out."""

PATIENCE = 30.0
"""Seconds for the rest of a request once it began, and for a peer to read a piece of its reply."""

GRACE = 2.0
"""Seconds that replies under way get when the server closes."""

_READ = 65536


class Logger(Protocol):
    def warning(self, event: str, **fields: object) -> object: ...

    def error(self, event: str, **fields: object) -> object: ...


class Server:
    """
    Answers on the unix socket at `path` while its `async with` block lasts.

    Root, the daemon's own user and the members of `group` may do everything. With `ask` others may use the methods that
    change nothing. The requests of one connection are answered one after the other, in order.

    Args:
        handlers: by method; what one returns is the result (an iterator becomes an array, a slice at a time), a
            BanwatchError is the peer's error, any other exception is ours: it is logged, and the connection lives on.

    Raises:
        ControlError: on entry, see open_listener.
    """

    def __init__(self, path: str, group: str, ask: bool, handlers: Mapping[str, Handler], log: Logger) -> None:
        self.requests: Counter[str] = Counter()
        """Requests answered or refused by method; `unknown` are those of no method at all."""
        self.errors = 0
        """Replies that were errors."""
        self._path, self._group, self._ask = path, group, ask
        self._handlers = handlers
        self._log = log
        self._uid = os.geteuid()
        self._connections: dict[asyncio.Task[None], bool] = {}  # with whether it is a stranger's
        self._busy: set[asyncio.Task[None]] = set()
        self._closing = False

    async def __aenter__(self) -> Self:
        self._listener: Listener = open_listener(self._path, self._group, self._ask)
        for note in self._listener.notes:
            self._log.warning(note)
        try:
            self._server = await asyncio.start_unix_server(self._serve, sock=self._listener.socket, backlog=BACKLOG)
        except BaseException:
            self._listener.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Replies under way are finished within GRACE; then the socket file goes."""
        self._closing = True
        self._server.close()
        for task in self._connections.keys() - self._busy:
            task.cancel()
        if self._connections:
            _, late = await asyncio.wait(self._connections, timeout=GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        # Drained means handed to the kernel: so nothing waits inside a transport for a peer that does not read.
        writer.transport.set_write_buffer_limits(high=0)
        try:
            peer = peer_of(writer.get_extra_info("socket"))
            stranger = not self._may_change(peer)
            if len(self._connections) >= MAX_CONNECTIONS or (stranger and sum(self._connections.values()) >= MAX_STRANGERS):
                raise RequestError(BUSY, "too many connections", "try again")
            self._connections[task] = stranger
            await self._converse(task, peer, reader, writer)
        except RequestError as error:
            self.errors += 1
            with suppress(OSError, TimeoutError):
                await self._send(writer, iter((encode_error(error.ident, error),)))
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # the peer left or does not read, or the server closes: there is nobody to tell
        finally:
            self._connections.pop(task, None)
            writer.transport.abort()

    async def _converse(
        self, task: "asyncio.Task[None]", peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """
        Answer until the peer leaves.

        Raises:
            RequestError: what the peer sent cannot be understood; it is told so and the connection ends.
            OSError, TimeoutError: the peer is gone, or does not read.
        """
        lines = Lines()
        deadline: float | None = None
        while True:
            data = await _read(reader, deadline)
            if not data:
                if lines.half:
                    hint = "end every request with a newline"
                    raise RequestError(PARSE_ERROR, "the connection ended in the middle of a request", hint)
                return
            for line in lines.feed(data):
                deadline = None
                if line.strip():
                    self._busy.add(task)
                    try:
                        await self._answer(line, peer, writer)
                    finally:
                        self._busy.discard(task)
                if self._closing:
                    return
            if lines.half and deadline is None:
                deadline = asyncio.get_running_loop().time() + PATIENCE

    async def _answer(self, line: bytes, peer: Peer, writer: asyncio.StreamWriter) -> None:
        request = parse_request(line)
        pieces = await self._reply(request, peer)
        if not request.notification:
            await self._send(writer, pieces)

    async def _reply(self, request: Request, peer: Peer) -> Iterator[bytes]:
        try:
            method = self._admit(request, peer)
            return encode_result(request.ident, await self._handlers[method.name](request.params, peer))
        except BanwatchError as error:
            reply = encode_error(request.ident, error)
        except Exception:
            self._log.error("a control request failed", method=request.method, exc_info=True)
            message = "the daemon made a mistake with this request"
            reply = encode_error(request.ident, RequestError(INTERNAL_ERROR, message, "its log says more"))
        self.errors += 1
        return iter((reply,))

    def _admit(self, request: Request, peer: Peer) -> Method:
        """
        The method that is asked for.

        Raises:
            RequestError: the request is wrong, or not for this peer.
        """
        self.requests[request.method if request.method in self._handlers else "unknown"] += 1
        method = check_request(request)
        if not (self._may_change(peer) or (self._ask and method.reads)):
            hint = f"use sudo, or join the group: adduser NAME {self._group}"
            raise RequestError(FORBIDDEN, f"{method.name} is for root and the group {self._group}", hint)
        if method.name not in self._handlers:
            raise RequestError(METHOD_NOT_FOUND, f"{method.name} is not available here")
        return method

    def _may_change(self, peer: Peer) -> bool:
        return peer.may_change(self._uid, self._listener.gid)

    async def _send(self, writer: asyncio.StreamWriter, pieces: Iterator[bytes]) -> None:
        """
        Raises:
            OSError, TimeoutError: the peer is gone, or does not read; or a reply that has begun cannot be ended.
        """
        while True:
            try:
                piece = next(pieces, None)
            except Exception as error:
                self._log.error("a reply could not be finished", exc_info=True)
                raise ConnectionAbortedError("a reply that has begun cannot become an error") from error
            if piece is None:
                return
            writer.write(piece)
            async with asyncio.timeout(PATIENCE):
                await writer.drain()
            await asyncio.sleep(0)  # drain returns at once while the peer keeps up: bans come first


async def _read(reader: asyncio.StreamReader, deadline: float | None) -> bytes:
    """
    What arrives next, b"" at the end.

    Raises:
        RequestError: the request that began did not end by `deadline`, which is in the loop's time; None waits for ever.
    """
    try:
        async with asyncio.timeout_at(deadline):
            return await reader.read(_READ)
    except TimeoutError:
        raise RequestError(INVALID_REQUEST, f"the request did not end within {PATIENCE:.0f} s") from None
