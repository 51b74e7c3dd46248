"""/metrics and /healthz over HTTP, on loopback only. One request a connection; nothing wakes up unless somebody asks."""

import asyncio
from contextlib import suppress
from http import HTTPStatus
from ipaddress import ip_address
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from banwatch.errors import ConfigError
from banwatch.http1 import parse_head

MAX_HEAD = 8192
MAX_CONNECTIONS = 16
PATIENCE = 10.0
"""Seconds for a request to arrive, and for its answer to be taken."""

FAREWELL = 1.0
"""Seconds to wait for the other side to close: closing on unread bytes would destroy the answer on its way."""

_TEXT = "text/plain; charset=utf-8"


class Metrics(Protocol):
    """What is served."""

    def render(self, accept: str = "") -> tuple[bytes, str]: ...

    def healthy(self) -> bool: ...

    def error(self, room: str) -> None: ...


class Logger(Protocol):
    def error(self, event: str, **fields: object) -> object: ...


class Request(NamedTuple):
    method: str
    path: str
    accept: str


class Response(NamedTuple):
    status: HTTPStatus
    body: bytes
    content_type: str = _TEXT
    headers: tuple[str, ...] = ()


def parse_request(head: bytes) -> Request | None:
    """
    The request whose line and headers are `head`, the empty line at its end included; None if it is none.

    The path is without its query; `accept` joins all headers of that name.
    """
    request = parse_head(head)
    return request and Request(request.method, request.target.partition("?")[0], request.headers.get("accept", ""))


def encode_response(response: Response, head_only: bool = False) -> bytes:
    """The bytes of a response after which the connection ends."""
    lines = (
        f"HTTP/1.1 {response.status.value} {response.status.phrase}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        "X-Content-Type-Options: nosniff",
        "Cache-Control: no-store",
        "Connection: close",
        *response.headers,
    )
    return "\r\n".join((*lines, "", "")).encode("latin-1") + (b"" if head_only else response.body)


def refuse(status: HTTPStatus, *headers: str) -> Response:
    """A response that says no more than its status."""
    return Response(status, f"{status.phrase}\n".encode(), headers=headers)


class MetricsServer:
    """
    Serves `metrics` on (host, port) while its `async with` block lasts. `address` is where, also if `port` was 0.

    Raises:
        ConfigError: on entry, `host` is no loopback address.
        OSError: on entry, the port is taken.
    """

    def __init__(self, host: str, port: int, metrics: Metrics, log: Logger) -> None:
        self._host, self._port = host, port
        self._metrics = metrics
        self._log = log
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> tuple[str, int]:
        name = self._server.sockets[0].getsockname()
        return name[0], name[1]

    async def __aenter__(self) -> Self:
        if not _is_loopback(self._host):
            raise ConfigError(f"metrics: expected a loopback address, got {self._host!r}", "127.0.0.1 or ::1")
        self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=MAX_HEAD)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        writer.transport.set_write_buffer_limits(high=0)  # drained means handed to the kernel
        full = len(self._connections) >= MAX_CONNECTIONS
        self._connections.add(task)
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(encode_response(refuse(HTTPStatus.SERVICE_UNAVAILABLE)) if full else await self._answer(reader))
                await writer.drain()
            writer.write_eof()
            async with asyncio.timeout(FAREWELL):
                while await reader.read(MAX_HEAD):
                    pass
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # the other side left or dawdles, or the server closes
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            request = parse_request(await reader.readuntil(b"\r\n\r\n"))
        except asyncio.LimitOverrunError:
            return encode_response(refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        except asyncio.IncompleteReadError:
            request = None
        if request is None:
            return encode_response(refuse(HTTPStatus.BAD_REQUEST))
        return encode_response(self._respond(request), head_only=request.method == "HEAD")

    def _respond(self, request: Request) -> Response:
        if request.path not in ("/metrics", "/healthz"):
            return refuse(HTTPStatus.NOT_FOUND)
        if request.method not in ("GET", "HEAD"):
            return refuse(HTTPStatus.METHOD_NOT_ALLOWED, "Allow: GET, HEAD")
        if request.path == "/healthz":
            well = self._metrics.healthy()
            return Response(HTTPStatus.OK, b"ok\n") if well else Response(HTTPStatus.SERVICE_UNAVAILABLE, b"degraded\n")
        try:
            return Response(HTTPStatus.OK, *self._metrics.render(request.accept))
        except Exception:
            self._metrics.error("metrics")
            self._log.error("metrics cannot be told", exc_info=True)
            return refuse(HTTPStatus.INTERNAL_SERVER_ERROR)


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return False
