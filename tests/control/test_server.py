"""The daemon's side of the control socket, over a real one."""

import asyncio
import grp
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from banwatch.control import server as server_module
from banwatch.errors import ControlError

PING = b'{"jsonrpc":"2.0","id":%d,"method":"ping"}\n'
STRANGER = 54321


def error_of(reply: Any) -> tuple[int, str]:
    return reply["error"]["code"], reply["error"]["message"]


async def test_a_request_gets_its_result(house: Any, caller: Any) -> None:
    """The handler gets the parameters and the peer; what it returns comes back under the same id."""
    assert await caller.ask("ping", {}, ident="a") == {"jsonrpc": "2.0", "id": "a", "result": "pong"}
    method, params, peer = house.asked[0]
    assert (method, params, peer.pid, peer.uid) == ("ping", {}, os.getpid(), os.geteuid())


async def test_a_refusal_comes_with_its_hint(caller: Any) -> None:
    """A handler's ControlError is the peer's error, and the connection lives on."""
    reply = await caller.ask("ban", {"who": ["192.0.2.7"]})
    assert reply["error"] == {
        "code": -32000,
        "message": "192.0.2.7 is ignored: in ignoreip 192.0.2.0/24",
        "data": {"hint": "give --force to ban it all the same", "exit": 1},
    }
    assert (await caller.ask("ping"))["result"] == "pong"


async def test_a_refused_configuration_comes_with_its_problems(caller: Any) -> None:
    """A ConfigError of a reload brings every problem and exit code 78."""
    data = (await caller.ask("reload"))["error"]["data"]
    assert data["exit"] == 78
    assert [(p["file"], p["line"], p["key"], p["expected"], p["got"]) for p in data["problems"]] == [
        ("jails.d/sshd.yaml", 7, "sshd.rules.ip.bantime", "a duration", "ten minutes")
    ]


async def test_a_fault_of_ours_is_logged_and_the_connection_lives(house: Any, caller: Any) -> None:
    """An unexpected exception tells the peer nothing about our insides."""
    reply = await caller.ask("unban", {"all": True})
    assert error_of(reply) == (-32603, "the daemon made a mistake with this request")
    assert house.log.lines[-1] == ("error", "a control request failed", {"method": "unban", "exc_info": True})
    assert (await caller.ask("ping"))["result"] == "pong"


async def test_a_result_without_json_is_a_fault_of_ours(house: Any) -> None:
    """So is what cannot be encoded."""

    async def answer(params: Any, peer: Any) -> object:
        return {"left": float("inf")}

    house.handlers["ping"] = answer
    async with house.server():
        caller = await house.connect()
        assert error_of(await caller.ask("ping")) == (-32603, "the daemon made a mistake with this request")


async def test_wrong_parameters_never_reach_the_handler(house: Any, caller: Any) -> None:
    """The table is asked first."""
    assert error_of(await caller.ask("ping", {"x": 1})) == (-32602, "ping: unknown parameter 'x'")
    assert error_of(await caller.ask("start")) == (-32601, "unknown method 'start'")
    assert error_of(await caller.ask("status")) == (-32601, "status is not available here")
    assert house.asked == []


async def test_pipelined_requests_are_answered_in_order(house: Any, caller: Any) -> None:
    """Many requests in one packet, and one in many packets."""
    caller.send(b"".join(PING % n for n in range(100)) + b"\n \n")
    for n in range(100):
        assert (await caller.reply())["id"] == n
    for byte in PING % 7:
        caller.send(bytes((byte,)))
        await asyncio.sleep(0)
    assert (await caller.reply())["id"] == 7


async def test_a_notification_gets_no_reply(house: Any, caller: Any) -> None:
    """It is carried out; not even its errors are told."""
    caller.send(b'{"jsonrpc":"2.0","method":"ping"}\n{"jsonrpc":"2.0","method":"start"}\n' + PING % 3)
    assert (await caller.reply())["id"] == 3
    assert [method for method, _, _ in house.asked] == ["ping", "ping"]


@pytest.mark.parametrize(
    ("data", "number", "message"),
    [
        (b"hello\n", -32700, "the request is no JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"\x00\xff\n", -32700, None),
        (b"[]\n", -32600, "batches are not supported"),
        (b"{}\n", -32600, 'expected an object with "jsonrpc": "2.0"'),
        (b'"' + b"x" * (1 << 20) + b'"', -32600, "the request is longer than 1048576 bytes"),
    ],
)
async def test_what_is_no_request_ends_that_connection_alone(
    house: Any, caller: Any, data: bytes, number: int, message: str | None
) -> None:
    """The requests before it are answered, then comes the error, then the end; another connection goes on."""
    other = await house.connect()
    caller.send(PING % 1 + data + PING % 2)
    assert (await caller.reply())["id"] == 1
    reply = await caller.reply()
    assert reply["id"] is None
    assert reply["error"]["code"] == number
    assert message is None or reply["error"]["message"] == message
    with pytest.raises((ConnectionError, AssertionError)):
        assert await caller.reply() is not None
    assert (await other.ask("ping"))["result"] == "pong"


async def test_the_longest_request_is_read(caller: Any) -> None:
    """1 MiB exactly is still a request."""
    start = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{}'
    caller.send(start + b" " * ((1 << 20) - len(start) - 1) + b"}\n")
    assert (await caller.reply())["result"] == "pong"


async def test_half_a_request_at_the_end_is_told_so(caller: Any) -> None:
    """A peer that shuts its side in the middle of a request, or forgets the newline, hears why nothing happened."""
    caller.send(PING % 1 + (PING % 2)[:-1])
    caller.writer.write_eof()
    assert (await caller.reply())["id"] == 1
    assert error_of(await caller.reply()) == (-32700, "the connection ended in the middle of a request")
    assert await caller.reply() is None


async def test_a_peer_that_closes_its_side_still_gets_its_replies(caller: Any) -> None:
    """echo … | nc works."""
    caller.send(PING % 1 + PING % 2)
    caller.writer.write_eof()
    assert [(await caller.reply())["id"], (await caller.reply())["id"], await caller.reply()] == [1, 2, None]


async def test_half_a_request_does_not_wait_for_ever(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest has to come in time, however slowly it drips; a connection without a request may stay."""
    monkeypatch.setattr(server_module, "PATIENCE", 0.05)
    async with house.server():
        idle, slow = await house.connect(), await house.connect()
        slow.send(b"{")
        reply = await slow.reply()
        assert error_of(reply) == (-32600, "the request did not end within 0 s")
        assert await slow.reply() is None
        assert (await idle.ask("ping"))["result"] == "pong"


async def test_a_peer_that_does_not_read_is_hung_up_on(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its replies do not pile up here."""
    monkeypatch.setattr(server_module, "PATIENCE", 0.05)

    async def answer(params: Any, peer: Any) -> object:
        return "x" * (1 << 22)

    house.handlers["ping"] = answer
    async with house.server() as server:
        caller = await house.connect()
        caller.writer.transport.pause_reading()
        caller.send(PING % 1)
        while not server.requests["ping"]:
            await asyncio.sleep(0)
        (task,) = server._connections
        await asyncio.wait_for(asyncio.shield(task), 10)
        assert not server._connections


async def test_a_long_result_is_streamed(caller: Any) -> None:
    """An iterator arrives as one array."""
    reply = await caller.ask("banned")
    assert [element["n"] for element in reply["result"]] == list(range(1000))


async def test_a_stream_that_breaks_ends_the_connection(house: Any) -> None:
    """A reply that has begun cannot become an error: the peer sees the end instead of half a list taken for a whole one."""

    def elements() -> Any:
        yield from range(300)
        raise KeyError("a fault of ours")

    async def answer(params: Any, peer: Any) -> object:
        return elements()

    house.handlers["banned"] = answer
    async with house.server():
        caller = await house.connect()
        caller.send(b'{"jsonrpc":"2.0","id":1,"method":"banned"}\n')
        line = await caller.reader.read()
        assert line.endswith(b"255")
    assert house.log.lines[-1] == ("error", "a reply could not be finished", {"exc_info": True})


async def test_connections_are_bounded(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is told so and closed; when one leaves there is room again."""
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 3)
    async with house.server() as server:
        callers = [await house.connect() for _ in range(3)]
        for caller in callers:
            assert (await caller.ask("ping"))["result"] == "pong"
        late = await house.connect()
        assert error_of(await late.reply()) == (-32002, "too many connections")
        assert await late.reply() is None
        (task,) = list(server._connections)[:1]
        callers[0].writer.close()
        await asyncio.wait_for(asyncio.shield(task), 10)
        assert (await (await house.connect()).ask("ping"))["result"] == "pong"


async def test_requests_and_errors_are_counted(house: Any) -> None:
    """By method, those of no method together."""
    async with house.server() as server:
        caller = await house.connect()
        for method in ("ping", "ping", "start", "x" * 50):
            await caller.ask(method)
        assert dict(server.requests) == {"ping": 2, "unknown": 2}
        assert server.errors == 2


async def test_a_stranger_may_nothing(open_house: Any) -> None:
    """Without ask the socket's mode keeps strangers out, and where it does not, their credentials do."""
    async with open_house.server():
        with pytest.raises(PermissionError):
            await open_house.connect(STRANGER)
        open_house.path.chmod(0o666)
        caller = await open_house.connect(STRANGER)
        reply = await caller.ask("ping")
        assert error_of(reply) == (-32001, "ping is for root and the group banwatch-nobody")
        assert reply["error"]["data"] == {"hint": "use sudo, or join the group: adduser NAME banwatch-nobody", "exit": 1}
        assert open_house.asked == []


async def test_a_stranger_may_ask_where_the_configuration_says_so(open_house: Any) -> None:
    """With ask: read yes, change no."""
    async with open_house.server(ask=True):
        caller = await open_house.connect(STRANGER)
        assert (await caller.ask("ping"))["result"] == "pong"
        for method, params in (("ban", {"who": ["192.0.2.7"]}), ("unban", {"all": True}), ("reload", {}), ("stop", {})):
            assert error_of(await caller.ask(method, params)) == (
                -32001,
                f"{method} is for root and the group banwatch-nobody",
            )
        assert [method for method, _, _ in open_house.asked] == ["ping"]


async def test_a_member_of_the_group_may_change(open_house: Any, some_group: grp.struct_group) -> None:
    """Also by a supplementary group."""
    async with open_house.server(group=some_group.gr_name):
        caller = await open_house.connect(STRANGER, some_group.gr_gid)
        assert error_of(await caller.ask("ban", {"who": ["192.0.2.7"]}))[0] == -32000
        assert open_house.asked[0][2].uid == STRANGER


async def test_strangers_cannot_keep_root_out(open_house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have a share of the connections, not all of them."""
    monkeypatch.setattr(server_module, "MAX_STRANGERS", 2)
    async with open_house.server(ask=True):
        for _ in range(2):
            assert (await (await open_house.connect(STRANGER)).ask("ping"))["result"] == "pong"
        assert error_of(await (await open_house.connect(STRANGER)).reply()) == (-32002, "too many connections")
        assert (await (await open_house.connect()).ask("ping"))["result"] == "pong"


@asynccontextmanager
async def stopping(house: Any) -> AsyncIterator[tuple[Any, "asyncio.Task[None]"]]:
    """A caller whose `stop` is under way, and the task in which the server closes meanwhile."""
    server = await house.server().__aenter__()
    caller = await house.connect()
    caller.send(b'{"jsonrpc":"2.0","id":1,"method":"stop"}\n' + PING % 2)
    await house.waiting.wait()
    closing = asyncio.create_task(server.__aexit__(None, None, None))
    await asyncio.sleep(0)
    yield caller, closing
    await closing


async def test_closing_finishes_the_reply_under_way(house: Any) -> None:
    """Whoever asked to stop hears that it stops; what was sent after it is not begun."""
    async with stopping(house) as (caller, closing):
        assert not closing.done()
        house.gate.set()
        assert (await caller.reply())["result"] == "stopping"
        assert await caller.reply() is None
    assert not house.path.exists()


async def test_closing_does_not_wait_for_ever(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that hangs is cancelled after a grace."""
    monkeypatch.setattr(server_module, "GRACE", 0.01)
    async with stopping(house) as (caller, _):
        assert await caller.reply() is None


async def test_closing_ends_idle_connections_and_removes_the_socket(house: Any) -> None:
    """Nobody is left hanging, nothing is left lying."""
    async with house.server():
        caller = await house.connect()
        assert (await caller.ask("ping"))["result"] == "pong"
    assert await caller.reply() is None
    assert list(house.path.parent.iterdir()) == []


async def test_a_second_server_on_the_same_socket_is_refused(house: Any) -> None:
    """And the first one keeps answering."""
    async with house.server():
        with pytest.raises(ControlError, match=f"another banwatch answers on {house.path}"):
            async with house.server():
                pass
        assert (await (await house.connect()).ask("ping"))["result"] == "pong"


async def test_what_the_operator_should_know_is_logged(house: Any) -> None:
    """A missing group is a warning."""
    async with house.server():
        pass
    assert house.log.lines == [
        (
            "warning",
            "there is no group 'banwatch-nobody': only root and the daemon's own user may use the control socket",
            {},
        )
    ]


async def test_a_start_that_fails_gives_the_socket_back(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next try finds the place free."""

    async def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("no more descriptors")

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "start_unix_server", refuse)
        with pytest.raises(OSError, match="no more descriptors"):
            await house.server().__aenter__()
    async with house.server():
        assert (await (await house.connect()).ask("ping"))["result"] == "pong"
