"""/metrics and /healthz."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.errors import ConfigError
from banwatch.metrics import http
from banwatch.metrics.http import MetricsServer, Request, parse_request
from banwatch.metrics.registry import Metrics


class Recorder:
    """The server's log, as a list of (event, fields)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def error(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))


class Stand:
    """Metrics of two lines, in what health is wanted."""

    def __init__(self) -> None:
        self.well = True
        self.broken = False
        self.accepted: list[str] = []
        self.errors: list[str] = []

    def render(self, accept: str = "") -> tuple[bytes, str]:
        if self.broken:
            raise KeyError("banwatch_nope")
        self.accepted.append(accept)
        return b"a 1\nb 2\n", "text/plain; version=0.0.4"

    def healthy(self) -> bool:
        return self.well

    def error(self, room: str) -> None:
        self.errors.append(room)


@pytest.fixture
def stand() -> Stand:
    return Stand()


@pytest.fixture
def log() -> Recorder:
    return Recorder()


@pytest.fixture
async def server(stand: Stand, log: Recorder) -> AsyncIterator[MetricsServer]:
    async with MetricsServer("127.0.0.1", 0, stand, log) as server:
        yield server


async def ask(server: MetricsServer, data: bytes, eof: bool = False) -> bytes:
    """Everything that is answered to `data`."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(data)
    if eof:
        writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return answer


async def get(server: MetricsServer, path: str, method: str = "GET") -> tuple[str, bytes]:
    head, _, body = (await ask(server, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())).partition(b"\r\n\r\n")
    return head.decode().splitlines()[0], body


async def test_metrics(server: MetricsServer, stand: Stand) -> None:
    """The exact bytes of an answer; Accept is handed on, the query is not looked at."""
    data = b"GET /metrics?x=1 HTTP/1.1\r\nHost: localhost\r\nAccept: a/b;q=1\r\naccept:c/d\r\n\r\n"
    assert await ask(server, data) == (
        b"HTTP/1.1 200 OK\r\n"
        b"Content-Type: text/plain; version=0.0.4\r\n"
        b"Content-Length: 8\r\n"
        b"X-Content-Type-Options: nosniff\r\n"
        b"Cache-Control: no-store\r\n"
        b"Connection: close\r\n"
        b"\r\n"
        b"a 1\nb 2\n"
    )
    assert stand.accepted == ["a/b;q=1,c/d"]


async def test_head_has_no_body(server: MetricsServer) -> None:
    """But the length that GET would have."""
    answer = await ask(server, b"HEAD /metrics HTTP/1.0\r\n\r\n")
    assert b"Content-Length: 8\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_health(server: MetricsServer, stand: Stand) -> None:
    """200 or 503."""
    assert await get(server, "/healthz") == ("HTTP/1.1 200 OK", b"ok\n")
    stand.well = False
    assert await get(server, "/healthz") == ("HTTP/1.1 503 Service Unavailable", b"degraded\n")


@pytest.mark.parametrize("path", ["/", "/metrics/", "//metrics", "/metric", "/../etc/passwd"])
async def test_there_is_nothing_else(server: MetricsServer, path: str) -> None:
    """No page, no file."""
    assert await get(server, path) == ("HTTP/1.1 404 Not Found", b"Not Found\n")


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
async def test_nothing_can_be_changed(server: MetricsServer, method: str) -> None:
    """Other methods are refused, and which are allowed is said."""
    answer = await ask(server, f"{method} /metrics HTTP/1.1\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
    assert b"\r\nAllow: GET, HEAD\r\n" in answer


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n",
        b"\r\n\r\n",
        b"GET  /metrics HTTP/1.1\r\n\r\n",
        b"get /metrics HTTP/1.1\r\n\r\n",
        b"GET metrics HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/2.0\r\n\r\n",
        b"GET /me\xfftrics HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nAccept: a\nX: b\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nAccept: a\rb\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nAccept: a\x00\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n folded: x\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused(server: MetricsServer, data: bytes) -> None:
    """400, and the next one is served."""
    assert (await ask(server, data)).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert (await get(server, "/healthz"))[0] == "HTTP/1.1 200 OK"


async def test_half_a_request_is_refused(server: MetricsServer) -> None:
    """So is one that ends before its headers do."""
    assert (await ask(server, b"GET /metrics HTTP/1.1\r\n", eof=True)).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert (await ask(server, b"", eof=True)).startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
async def test_a_request_is_bounded(server: MetricsServer, end: bytes) -> None:
    """8 KiB of headers are enough, whether the end is in sight or not; the answer survives what was not read."""
    data = b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 100_000 + end
    assert (await ask(server, data)).startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")


async def test_a_request_has_to_arrive_in_time(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who says nothing is hung up on."""
    monkeypatch.setattr(http, "PATIENCE", 0.05)
    assert await ask(server, b"GET") == b""


async def test_who_does_not_close_is_closed(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The farewell is short."""
    monkeypatch.setattr(http, "FAREWELL", 0.01)
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(b"GET /healthz HTTP/1.1\r\n\r\n")
    (task,) = await connected(server)
    assert (await reader.read()).endswith(b"ok\n")
    await asyncio.wait_for(asyncio.shield(task), 10)
    writer.close()
    await writer.wait_closed()


async def connected(server: MetricsServer, number: int = 1) -> list["asyncio.Task[None]"]:
    """The tasks of the connections, as soon as there are that many."""
    while len(server._connections) < number:
        await asyncio.sleep(0)
    return list(server._connections)


async def test_connections_are_bounded(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many gets 503 at once; when one leaves there is room again."""
    monkeypatch.setattr(http, "MAX_CONNECTIONS", 2)
    writers = [(await asyncio.open_connection(*server.address))[1] for _ in range(2)]
    tasks = await connected(server, 2)
    assert (await ask(server, b"")).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    for writer in writers:
        writer.close()
        await writer.wait_closed()
    await asyncio.wait(tasks)
    assert (await get(server, "/healthz"))[0] == "HTTP/1.1 200 OK"


async def test_a_fault_of_ours_is_logged(server: MetricsServer, stand: Stand, log: Recorder) -> None:
    """500, counted, and served again when it is mended."""
    stand.broken = True
    assert await get(server, "/metrics") == ("HTTP/1.1 500 Internal Server Error", b"Internal Server Error\n")
    assert (log.lines, stand.errors) == ([("metrics cannot be told", {"exc_info": True})], ["metrics"])
    stand.broken = False
    assert (await get(server, "/metrics"))[0] == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost", "", "example.com"])
async def test_only_loopback_is_served(stand: Stand, log: Recorder, host: str) -> None:
    """Anything else is the operator's mistake, names included: they may lead anywhere."""
    with pytest.raises(ConfigError, match="metrics: expected a loopback address, got"):
        await MetricsServer(host, 0, stand, log).__aenter__()


async def test_ipv6_loopback_is_served(stand: Stand, log: Recorder) -> None:
    """::1 as well, where the machine has it."""
    try:
        async with MetricsServer("::1", 0, stand, log) as server:
            assert (await get(server, "/healthz"))[0] == "HTTP/1.1 200 OK"
    except OSError as error:
        pytest.skip(f"no IPv6 loopback here: {error}")


async def test_a_taken_port_is_an_oserror(server: MetricsServer, stand: Stand, log: Recorder) -> None:
    """What is served there goes on."""
    with pytest.raises(OSError, match="address already in use"):
        await MetricsServer(*server.address, stand, log).__aenter__()
    assert (await get(server, "/healthz"))[0] == "HTTP/1.1 200 OK"


async def test_closing_leaves_nobody_waiting(stand: Stand, log: Recorder) -> None:
    """Connections end with the server."""
    async with MetricsServer("127.0.0.1", 0, stand, log) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        await connected(server)
    with pytest.raises((ConnectionError, AssertionError)):
        assert await reader.read() != b""
    writer.close()


async def test_the_real_metrics(log: Recorder) -> None:
    """A scrape as Prometheus does it."""
    async with MetricsServer("127.0.0.1", 0, Metrics(), log) as server:
        status, body = await get(server, "/metrics")
    assert status == "HTTP/1.1 200 OK"
    assert b"# HELP banwatch_filter_lines_total Lines looked at, once for each log\n" in body


@given(st.binary())
def test_any_bytes_are_a_request_or_none(head: bytes) -> None:
    """Parsing never raises."""
    request = parse_request(head + b"\r\n\r\n")
    assert request is None or isinstance(request, Request)
