"""
Dovecot's door: its auth policy server, HTTP/1.1 with keep-alive on a loopback address.

A server of our own and not one of the well-kept ones, since it works in the loop that also makes the bans: a login asks up to
three times, and each question would cost it four times as much.
"""

import asyncio
import hmac
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Protocol, Self

from banwatch.http1 import Head, parse_head
from banwatch.logins.gate import Verdict
from banwatch.logins.policy import LONGEST, REPORTED, Attempt, encode_verdict, parse_attempt

LONGEST_HEAD: Final = 8192
CONNECTIONS: Final = 512
"""Dovecot opens up to 100 from each of its auth processes."""

IDLE: Final = 60.0
"""Seconds without a whole request after which a connection ends; Dovecot ends its own after 10."""

UNREAD: Final = 64 * 1024
"""Bytes of answers that may wait for somebody who does not read them."""


class Desk(Protocol):
    """Who answers."""

    def ask(self, door: Any, login: str, ip: str | None, service: str) -> Verdict: ...
    def report(self, door: Any, attempt: Attempt) -> None: ...


class PolicyServer:
    """
    Answers on (host, port) while its `async with` block lasts. `address` is where, also if `port` was 0.

    Args:
        key: what a request's X-API-Key has to be.
        refused: called for each request that is not answered, with the reason.
    Raises:
        OSError: on entry, the port is taken.
    """

    def __init__(self, host: str, port: int, key: str, desk: Desk, refused: Callable[[str], None]) -> None:
        self._host, self._port = host, port
        self._key = key.encode()
        self._desk = desk
        self._refused = refused
        self.connections: set[_Connection] = set()

    @property
    def address(self) -> tuple[str, int]:
        name = self._server.sockets[0].getsockname()
        return name[0], name[1]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), self._host, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in list(self.connections):
            connection.end()
        await self._server.wait_closed()

    def answer(self, head: Head, body: bytes) -> bytes | HTTPStatus:
        """What to answer a request: JSON, or the status of a refusal."""
        path, _, query = head.target.partition("?")
        try:
            attempt = parse_attempt(body)
        except ValueError:
            return self.refuse("malformed", HTTPStatus.BAD_REQUEST)
        if path != "/":
            return self.refuse("malformed", HTTPStatus.NOT_FOUND)
        if query == "command=allow":
            return encode_verdict(self._desk.ask("dovecot", attempt.login, attempt.ip, attempt.service))
        if query == "command=report":
            self._desk.report("dovecot", attempt)
            return REPORTED
        return self.refuse("malformed", HTTPStatus.BAD_REQUEST)

    def refuse(self, why: str, status: HTTPStatus) -> HTTPStatus:
        """Count a request that is not answered."""
        self._refused(why)
        return status

    def check(self, head: Head) -> HTTPStatus | int:
        """How many bytes of a body belong to a request that may be answered, or the status of its refusal."""
        # The key first: of what a stranger sends nothing else is looked at.
        if not hmac.compare_digest(head.headers.get("x-api-key", "").encode("latin-1"), self._key):
            return self.refuse("key", HTTPStatus.UNAUTHORIZED)
        if head.method != "POST":
            return self.refuse("malformed", HTTPStatus.METHOD_NOT_ALLOWED)
        length = head.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or "transfer-encoding" in head.headers:
            return self.refuse("malformed", HTTPStatus.LENGTH_REQUIRED)
        if len(length) > 9 or int(length) > LONGEST:
            return self.refuse("malformed", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return int(length)


class _Connection(asyncio.Protocol):
    """One client: request by request, each answered in one write. Whoever is refused is hung up on."""

    _transport: asyncio.Transport
    _timer: asyncio.TimerHandle

    def __init__(self, server: PolicyServer) -> None:
        self._server = server
        self._data = b""
        self._head: Head | None = None
        self._length = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(self)
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._timer = self._loop.call_later(IDLE, self._look)
        if len(self._server.connections) > CONNECTIONS:
            self._hang_up(self._server.refuse("full", HTTPStatus.SERVICE_UNAVAILABLE))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it so
        self._timer.cancel()
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while not self._transport.is_closing() and self._advance():
            pass

    def end(self) -> None:
        """Hang up."""
        self._transport.abort()

    def _advance(self) -> bool:
        """Take the next head or body out of what has come; whether there was one."""
        if self._head is None:
            end = self._data.find(b"\r\n\r\n", 0, LONGEST_HEAD)
            if end < 0:
                if len(self._data) > LONGEST_HEAD:
                    self._hang_up(self._server.refuse("malformed", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
                return False
            head, self._data = parse_head(self._data[:end]), self._data[end + 4 :]
            length = self._server.refuse("malformed", HTTPStatus.BAD_REQUEST) if head is None else self._server.check(head)
            if isinstance(length, HTTPStatus):
                self._hang_up(length)
                return False
            self._head, self._length = head, length
        if len(self._data) < self._length:
            return False
        assert self._head is not None
        body, self._data = self._data[: self._length], self._data[self._length :]
        answer = self._server.answer(self._head, body)
        self._head, self._heard = None, self._loop.time()
        if isinstance(answer, HTTPStatus):
            self._hang_up(answer)
            return False
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer)
        )
        if self._transport.get_write_buffer_size() > UNREAD:
            self._transport.abort()
        return True

    def _hang_up(self, status: HTTPStatus) -> None:
        self._transport.write(
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        self._transport.close()

    def _look(self) -> None:
        left = self._heard + IDLE - self._loop.time()
        if left <= 0:
            self._transport.abort()
        else:
            self._timer = self._loop.call_later(left, self._look)
