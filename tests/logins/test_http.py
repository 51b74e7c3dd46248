"""logins/http.py: Dovecot's auth policy server."""

import asyncio
import json
from socket import SO_SNDBUF, SOL_SOCKET
from statistics import median
from time import perf_counter

import pytest

from banwatch.logins import http
from banwatch.logins.gate import FREE, Verdict
from banwatch.logins.http import PolicyServer
from banwatch.logins.policy import LONGEST, Attempt

KEY = "k" * 32
BODY = json.dumps({"login": "alice", "remote": "203.0.113.7", "protocol": "imap", "pwhash": "0a3f", "session_id": "Zx"}).encode()


class Desk:
    """Says what it is told to say."""

    def __init__(self):
        self.asked, self.reported = [], []
        self.verdict = FREE

    def ask(self, *question):
        self.asked.append(question)
        return self.verdict

    def report(self, *report):
        self.reported.append(report)


@pytest.fixture
def desk():
    return Desk()


class Connection:
    """A keep-alive connection as Dovecot has it."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def post(self, command, body=BODY, key=KEY, method="POST", target=None, more=""):
        """Status and body of the answer."""
        head = f"{method} {target or f'/?command={command}'} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: application/json\r\nUser-Agent: dovecot/auth-policy-client\r\n"
        head += more + (f"X-API-Key: {key}\r\n" if key is not None else "")
        self.writer.write(head.encode() + b"\r\n" + body)
        status, *headers = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        length = next((int(line.split(":")[1]) for line in headers if line.lower().startswith("content-length")), 0)
        return int(status.split()[1]), await self.reader.readexactly(length)


@pytest.fixture
async def server(desk):
    """A server with its `refused` requests, and `connect`."""
    refused = []
    async with PolicyServer("127.0.0.1", 0, KEY, desk, refused.append) as server:
        connections = []

        async def connect():
            connection = Connection(*await asyncio.open_connection(*server.address))
            connections.append(connection)
            return connection

        server.refused, server.connect = refused, connect
        yield server
        for connection in connections:
            connection.writer.close()


@pytest.mark.parametrize(("verdict", "status"), [(FREE, 0), (Verdict("delay", 5), 5), (Verdict("deny"), -1)])
async def test_allow(server, desk, verdict, status):
    """The verdict as a number."""
    desk.verdict = verdict
    connection = await server.connect()
    answer, body = await connection.post("allow")
    assert (answer, json.loads(body)) == (200, {"status": status, "msg": ""})
    assert desk.asked == [("dovecot", "alice", "203.0.113.7", "imap")]


async def test_one_connection_for_many_requests(server, desk):
    """allow, allow, report, again and again on one connection, as Dovecot does."""
    connection = await server.connect()
    for _ in range(20):
        for command in ("allow", "allow", "report"):
            assert (await connection.post(command))[0] == 200
    assert (len(desk.asked), len(desk.reported)) == (40, 20)
    assert desk.reported[0] == ("dovecot", Attempt("alice", "203.0.113.7", "imap", "0a3f", wrong=True))


async def test_an_answer_does_not_wait_for_an_acknowledgement(server):
    """Answers to requests one after the other take far less than the 40 ms of a delayed acknowledgement."""
    connection = await server.connect()
    taken = []
    for _ in range(20):
        began = perf_counter()
        await connection.post("allow")
        taken.append(perf_counter() - began)
    assert median(taken) < 0.01


@pytest.mark.parametrize("key", [None, "", "x" * 32, KEY + "k", KEY[:-1]])
async def test_without_the_key(server, desk, key):
    """Nobody who does not know the key is answered, or heard."""
    connection = await server.connect()
    assert await connection.post("report", key=key) == (401, b"")
    assert (desk.reported, server.refused) == ([], ["key"])


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"command": "reset"}, 400),
        ({"command": "allow", "body": b"[]"}, 400),
        ({"command": "allow", "body": b"{" + b" " * LONGEST + b"}"}, 413),
        ({"command": "allow", "method": "GET"}, 405),
        ({"command": "", "target": "/metrics"}, 404),
        ({"command": "allow", "more": "Transfer-Encoding: chunked\r\n"}, 411),
        ({"command": "allow", "more": "Content-Length: 5\r\n"}, 411),
        ({"command": "allow", "more": "no header\r\n"}, 400),
        ({"command": "allow", "more": "A: " + "x" * 9000 + "\r\n"}, 431),
        ({"command": "", "target": "/"}, 400),
    ],
)
async def test_nonsense(server, desk, request_, status):
    """What is no question is refused, changes nothing, and ends the connection."""
    connection = await server.connect()
    assert (await connection.post(**request_))[0] == status
    assert await connection.reader.read() == b""
    assert (desk.asked, desk.reported, server.refused) == ([], [], ["malformed"])


async def test_it_leaves(desk):
    """When it is over nobody can connect, and connections that are open end."""
    async with PolicyServer("127.0.0.1", 0, KEY, desk, [].append) as server:
        address = server.address
        reader, writer = await asyncio.open_connection(*address)
    assert await reader.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


async def test_a_port_that_is_taken(server, desk):
    """It says so."""
    with pytest.raises(OSError, match="in use"):
        async with PolicyServer(*server.address, KEY, desk, [].append):
            pass


async def test_in_any_pieces(server, desk):
    """However the bytes of requests arrive, each is answered once."""
    connection = await server.connect()
    request = (
        b"POST /?command=allow HTTP/1.1\r\nX-API-Key: " + KEY.encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
    )
    for byte in request:
        connection.writer.write(bytes([byte]))
        await connection.writer.drain()
    assert (await connection.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
    await connection.reader.readexactly(len(b'{"status":0,"msg":""}'))
    connection.writer.write(request * 3)
    for _ in range(3):
        await connection.reader.readuntil(b'"msg":""}')
    assert len(desk.asked) == 4


async def test_who_says_nothing(server, monkeypatch):
    """A connection without a whole request for a while ends; one that is used does not."""
    monkeypatch.setattr(http, "IDLE", 0.05)
    idle = await server.connect()
    idle.writer.write(b"POST /")
    assert await idle.reader.read() == b""
    assert not server.connections


async def test_too_many(server, monkeypatch):
    """Past the limit a connection is told so, and those that are there go on."""
    first = await server.connect()
    assert (await first.post("allow"))[0] == 200
    monkeypatch.setattr(http, "CONNECTIONS", 1)
    second = await server.connect()
    assert (await second.reader.read()).startswith(b"HTTP/1.1 503 ")
    assert (await first.post("allow"))[0] == 200
    assert server.refused == ["full"]


async def test_who_does_not_read(server, monkeypatch):
    """Answers that nobody reads end the connection before they fill the memory."""
    monkeypatch.setattr(http, "UNREAD", 0)
    connection = await server.connect()
    assert (await connection.post("allow"))[0] == 200
    [theirs] = server.connections
    theirs._transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_SNDBUF, 4096)
    connection.reader._transport.pause_reading()
    request = b"POST /?command=allow HTTP/1.1\r\nX-API-Key: " + KEY.encode() + b"\r\nContent-Length: 2\r\n\r\n{}"
    theirs.data_received(request * 100_000)
    assert theirs._transport.is_closing()
