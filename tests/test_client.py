"""The Python client, over a real socket: to a server of ours, and to others."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from banwatch.client import DEFAULT_SOCKET, Client
from banwatch.control.peer import Peer
from banwatch.control.server import Handler
from banwatch.errors import ControlError, UnreachableError

RESULTS: dict[str, object] = {
    "ping": "pong",
    "status": {"jails": [], "state": "ok", "problems": []},
    "ban": {"banned": 1, "bans": [{"who": "192.0.2.7"}]},
    "unban": {"unbanned": 2},
    "allow": {"allowed": 3},
    "reload": {"jails": ["sshd"], "problems": []},
    "stop": "stopping",
}
LISTS = {"banned": [{"who": "192.0.2.7"}], "allowed": [{"who": "192.0.2.8"}]}


@pytest.fixture
def asked(serve: Callable[[Mapping[str, Handler]], Path], monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Mapping[str, Any]]]:
    """What the server behind BANWATCH_SOCKET is asked; it answers everything."""
    requests: list[tuple[str, Mapping[str, Any]]] = []

    def handler(method: str) -> Handler:
        async def answer(params: Mapping[str, Any], peer: Peer) -> object:
            requests.append((method, params))
            if params.get("jail") == "nope":
                raise ControlError("no jail 'nope'", "jails: manual, sshd")
            return iter(LISTS[method]) if method in LISTS else RESULTS[method]

        return answer

    monkeypatch.setenv("BANWATCH_SOCKET", str(serve({method: handler(method) for method in (*RESULTS, *LISTS)})))
    return requests


@contextmanager
def answering(path: Path, replies: list[bytes]) -> Iterator[None]:
    """Another program at `path`: answers each connection's first bytes with the next of `replies` and hangs up."""

    def serve() -> None:
        for reply in replies:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def failure(client: Client) -> tuple[str, str, int]:
    with client, pytest.raises(UnreachableError) as caught:
        client.ping()
    return caught.value.message, caught.value.hint, caught.value.code


def test_each_method_asks_and_answers(asked: list[tuple[str, Mapping[str, Any]]]) -> None:
    """What the caller says goes over the wire by name, and the answer comes back as Python values."""
    with Client() as client:
        assert client.ping() == "pong"
        assert client.status() == client.status("sshd") == RESULTS["status"]
        assert client.banned() == [{"who": "192.0.2.7"}]
        assert client.ban(["192.0.2.7"]) == RESULTS["ban"]
        assert client.ban(("192.0.2.7",), "sshd", None, force=True) == RESULTS["ban"]
        assert client.unban(["192.0.2.7"], "sshd") == 2
        assert client.unban(everyone=True) == 2
        assert client.allow(["192.0.2.7"]) == 3
        assert client.allow(["192.0.2.7"], 3600) == 3
        assert client.allowed() == [{"who": "192.0.2.8"}]
        assert client.reload() == RESULTS["reload"]
        client.stop(flush=True)
    assert asked == [
        ("ping", {}),
        ("status", {}),
        ("status", {"jail": "sshd"}),
        ("banned", {}),
        ("ban", {"jail": None, "who": ["192.0.2.7"], "force": False}),
        ("ban", {"jail": "sshd", "who": ["192.0.2.7"], "force": True, "for": None}),
        ("unban", {"jail": "sshd", "who": ["192.0.2.7"]}),
        ("unban", {"jail": None, "all": True}),
        ("allow", {"who": ["192.0.2.7"]}),
        ("allow", {"who": ["192.0.2.7"], "for": 3600}),
        ("allowed", {}),
        ("reload", {}),
        ("stop", {"flush": True}),
    ]


def test_a_refusal_raises_with_its_hint(asked: list[tuple[str, Mapping[str, Any]]]) -> None:
    """And the client can go on afterwards."""
    with Client() as client:
        with pytest.raises(ControlError, match="no jail 'nope'") as caught:
            client.status("nope")
        assert (caught.value.hint, caught.value.code) == ("jails: manual, sshd", 1)
        assert client.ping() == "pong"


def test_a_long_list_goes_in_parts(asked: list[tuple[str, Mapping[str, Any]]]) -> None:
    """What does not fit into one request is checked as a whole first, and then done part by part."""
    who = [f"2001:db8:1234:5678:9abc:def0:{number >> 8:x}:{number & 255:x}" for number in range(30_000)]
    with Client() as client:
        assert client.ban(who, seconds=60.0) == {"banned": 3, "bans": [{"who": "192.0.2.7"}] * 3}
        assert client.unban(who) == 6
        assert client.allow(who) == 9
    checks, bans = asked[:3], asked[3:6]
    assert [text for _, params in bans for text in params["who"]] == who
    assert bans == [("ban", {"jail": None, "who": params["who"], "force": False, "for": 60.0}) for _, params in bans]
    assert checks == [(method, {**params, "check": True}) for method, params in bans]
    assert {method for method, params in asked[6:] if params.get("check")} == {"unban", "allow"}


def test_a_part_that_is_refused_keeps_all_from_being_done(asked: list[tuple[str, Mapping[str, Any]]]) -> None:
    """The checks come first."""
    with Client() as client, pytest.raises(ControlError, match="no jail 'nope'"):
        client.ban(["192.0.2.7"] * 50_000, jail="nope")
    assert [params["check"] for _, params in asked] == [True]


def test_a_request_that_is_too_long_is_not_sent(tmp_path: Path) -> None:
    """1 MiB is the bound; nobody has to answer to know that."""
    with Client(tmp_path / "socket") as client, pytest.raises(ControlError, match="longer than 1048576 bytes") as caught:
        client.ban(["login:" + "x" * 1_100_000])
    assert (caught.value.code, caught.value.hint) == (2, "split the list")


def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    """No socket, and a socket that nobody listens on: exit 69, and what to look at."""
    path = tmp_path / "socket"
    hint = "is it running? systemctl status banwatch"
    assert failure(Client(path)) == (f"no banwatch answers on {path}: No such file or directory", hint, 69)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert failure(Client(path)) == (f"no banwatch answers on {path}: Connection refused", hint, 69)


def test_no_answer_in_time_is_unreachable(tmp_path: Path) -> None:
    """A daemon that hangs is not waited for longer than was asked."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(path))
        hanging.listen()
        assert failure(Client(path, timeout=0.05)) == (
            f"no answer on {path} within 0.05 s",
            "the daemon's log may say why",
            69,
        )


@pytest.mark.parametrize("free", [False, True])
def test_a_busy_daemon_is_waited_for(tmp_path: Path, free: bool) -> None:
    """Where the queue of connections is full the client waits its turn: until there is room, or its time is over."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(path))
        busy.listen(0)
        first.connect(str(path))
        if not free:
            assert failure(Client(path, timeout=0.05))[0] == f"no answer on {path} within 0.05 s"
            return

        def serve() -> None:
            busy.accept()[0].close()
            with busy.accept()[0] as connection:
                connection.recv(1024)
                connection.sendall(b'{"jsonrpc":"2.0","id":1,"result":"pong"}\n')

        thread = threading.Thread(target=serve)
        thread.start()
        with Client(path) as client:
            assert client.ping() == "pong"
        thread.join()


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (b"", "no banwatch answers on {}: the connection ended before the answer"),
        (b'{"jsonrpc":"2.0","id":1,"result":"po', "no banwatch answers on {}: the connection ended before the answer"),
        (b"220 mx ESMTP\n", "what answers on {} speaks another protocol: Extra data: line 1 column 5 (char 4)"),
        (b'{"id":7,"result":1}\n', "what answers on {} speaks another protocol: not a reply to this request"),
    ],
)
def test_another_program_behind_the_socket_is_unreachable(tmp_path: Path, reply: bytes, message: str) -> None:
    """Whatever it says, the caller gets one kind of error."""
    path = tmp_path / "socket"
    with answering(path, [reply]):
        assert failure(Client(path))[0] == message.format(path)


def test_a_daemon_that_hangs_up_early_is_heard(tmp_path: Path) -> None:
    """The error that comes before the request was sent whole is what the caller gets."""
    path = tmp_path / "socket"
    reply = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32002,"message":"too many connections","data":{"hint":"try again"}}}\n'
    with (
        answering(path, [reply]),
        Client(path) as client,
        pytest.raises(ControlError, match="too many connections") as caught,
    ):
        client.ban(["192.0.2.7"] * 40_000)
    assert caught.value.hint == "try again"


def test_after_an_error_it_connects_anew(tmp_path: Path) -> None:
    """No answer can be taken for that to another request."""
    path = tmp_path / "socket"
    with answering(path, [b"garbage\n", b'{"jsonrpc":"2.0","id":2,"result":"pong"}\n']), Client(path) as client:
        with pytest.raises(UnreachableError):
            client.ping()
        assert client.ping() == "pong"


def test_not_allowed_to_connect_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is not in the group hears about the group."""

    class Refusing(socket.socket):
        def connect(self, address: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", Refusing)
    path = tmp_path / "socket"
    message, hint = f"not allowed to connect to {path}", "use sudo, or join the group banwatch"
    assert failure(Client(path)) == (message, hint, 69)


def test_the_socket_is_named_by_argument_environment_or_custom(monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument wins, then BANWATCH_SOCKET, then the usual place; building a client opens nothing."""
    monkeypatch.delenv("BANWATCH_SOCKET", raising=False)
    assert Client().path == DEFAULT_SOCKET == "/run/banwatch/banwatch.sock"
    monkeypatch.setenv("BANWATCH_SOCKET", "/tmp/other.sock")
    assert Client().path == "/tmp/other.sock"
    assert Client(Path("/tmp/third.sock")).path == "/tmp/third.sock"


def test_it_starts_fast() -> None:
    """Nothing heavy is imported: a client is started for every command."""
    code = "import sys, banwatch.client; print(*sys.modules)"
    modules = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert not modules & {"asyncio", "yaml", "structlog", "pyroute2", "prometheus_client", "dataclasses", "argparse", "ssl"}
