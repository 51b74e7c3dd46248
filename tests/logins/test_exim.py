"""logins/exim.py: what ${readsocket} asks."""

import asyncio
import socket
from base64 import b64encode
from pathlib import Path

import pytest

from banwatch.logins import exim
from banwatch.logins.exim import LONGEST, EximServer, parse_question
from banwatch.logins.gate import FREE, Verdict

BOB = b64encode("bób".encode())


class Desk:
    """Says what it is told to say."""

    def __init__(self):
        self.asked = []
        self.verdict = FREE

    def ask(self, *question):
        self.asked.append(question)
        return self.verdict


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
async def ask(tmp_path, desk):
    """ask(bytes): what the server answered; `refused` is what it could not answer."""
    path = str(tmp_path / "exim.sock")
    group = "root"
    ask.refused = refused = []
    async with EximServer(path, group, desk, refused.append) as server:
        assert server.notes == []

        async def question(data, shutdown=True):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(data)
            if shutdown:
                writer.write_eof()
            answer = await reader.read()
            writer.close()
            return answer

        question.path, question.refused = path, refused
        yield question
    assert not Path(path).exists()


@pytest.mark.parametrize("ip", [None, "203.0.113.7", "2001:db8::7"])
@pytest.mark.parametrize("end", [b"", b"\n"])
async def test_a_question(ask, desk, ip, end):
    """Login and address, with or without a line end, and whether the other side shuts its half down or not."""
    words = b"L " + BOB + (b"" if ip is None else b" " + ip.encode()) + end
    assert await ask(words, shutdown=not end) == b"ok"
    assert desk.asked == [("exim", "bób", ip, "exim")]


async def test_denied(ask, desk):
    """Nothing but the word."""
    desk.verdict = Verdict("deny", why="login:bob is banned")
    assert await ask(b"L " + BOB) == b"deny"


async def test_delayed(ask, desk, monkeypatch):
    """The answer is late, and good."""
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    desk.verdict = Verdict("delay", 5)
    monkeypatch.setattr(exim.asyncio, "sleep", sleep)
    assert await ask(b"L " + BOB) == b"ok"
    assert slept == [5]


@pytest.mark.parametrize(
    "data", [b"", b"L", b"X Ym9i", b"L Ym9", b"L Ym9i 1 2", b"L !!!!", b"L \xff\xff", b"L " + b"A" * LONGEST]
)
async def test_nonsense(ask, desk, data):
    """What cannot be understood keeps nobody out, and is counted."""
    assert await ask(data) == b"ok"
    assert (desk.asked, ask.refused) == ([], ["malformed"])


async def test_who_says_nothing(ask, monkeypatch):
    """After a while the answer is ok."""
    monkeypatch.setattr(exim, "PATIENCE", 0.01)
    assert await ask(b"L " + BOB, shutdown=False) == b"ok"
    assert ask.refused == ["malformed"]


async def test_only_the_group_may_ask(ask):
    """Mode 0660, and what was left behind by another life is no obstacle."""
    assert Path(ask.path).stat().st_mode & 0o777 == 0o660


async def test_a_socket_that_was_left_behind(tmp_path, desk):
    """It is replaced; a group that is not there is told."""
    path = tmp_path / "exim.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    async with EximServer(str(path), "no-such-group", desk, [].append) as server:
        assert server.notes == [f"there is no group 'no-such-group': only root and our own user may ask on {path}"]
        assert path.stat().st_mode & 0o777 == 0o600


def test_parse():
    """An address is text, whatever it is; the gate knows better."""
    assert parse_question(b"L Ym9i x") == ("bob", "x")
