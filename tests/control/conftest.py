"""A server on a real socket, with handlers that remember what they were asked."""

import asyncio
import grp
import json
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from banwatch.control.peer import Peer
from banwatch.control.server import Handler, Server
from banwatch.errors import ConfigError, ControlError


class Recorder:
    """The server's log, as a list of (level, event, fields)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.lines.append(("error", event, fields))


class Caller:
    """One connection: raw bytes out, replies in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def reply(self) -> Any:
        """The next reply; None at the end of the connection."""
        line = await asyncio.wait_for(self.reader.readline(), 10)
        return json.loads(line) if line else None

    async def ask(self, method: str, params: Any = None, ident: Any = 1) -> Any:
        message = {"jsonrpc": "2.0", "id": ident, "method": method}
        self.send(json.dumps(message if params is None else message | {"params": params}).encode() + b"\n")
        return await self.reply()


class House:
    """A server at `path` and what came in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = Recorder()
        self._callers: list[Caller] = []
        self.asked: list[tuple[str, Mapping[str, Any], Peer]] = []
        self.gate = asyncio.Event()
        self.waiting = asyncio.Event()
        self.handlers: dict[str, Handler] = {
            "ping": self._ping,
            "ban": self._ban,
            "unban": self._broken,
            "banned": self._banned,
            "reload": self._reload,
            "stop": self._stop,
        }

    def server(self, ask: bool = False, group: str = "banwatch-nobody") -> Server:
        return Server(str(self.path), group, ask, self.handlers, self.log)

    async def connect(self, uid: int = 0, gid: int = 0) -> Caller:
        """A connection as the user `uid` in the group `gid` and no other; 0 is whoever runs the tests."""
        sock = socket.socket(socket.AF_UNIX)
        if uid:
            groups = os.getgroups()
            os.setgroups([gid] if gid else [])
            os.setegid(uid)
            os.seteuid(uid)
        try:
            sock.connect(str(self.path))
        except OSError:
            sock.close()
            raise
        finally:
            if uid:
                os.seteuid(0)
                os.setegid(0)
                os.setgroups(groups)
        sock.setblocking(False)
        caller = Caller(*await asyncio.open_unix_connection(sock=sock, limit=1 << 26))
        self._callers.append(caller)
        return caller

    def hang_up(self) -> None:
        for caller in self._callers:
            caller.writer.transport.abort()

    async def _ping(self, params: Mapping[str, Any], peer: Peer) -> object:
        self.asked.append(("ping", params, peer))
        return "pong"

    async def _ban(self, params: Mapping[str, Any], peer: Peer) -> object:
        self.asked.append(("ban", params, peer))
        raise ControlError("192.0.2.7 is ignored: in ignoreip 192.0.2.0/24", "give --force to ban it all the same")

    async def _broken(self, params: Mapping[str, Any], peer: Peer) -> object:
        raise KeyError("a fault of ours")

    async def _banned(self, params: Mapping[str, Any], peer: Peer) -> object:
        return iter([{"who": f"192.0.2.{n % 250}", "n": n} for n in range(1000)])

    async def _reload(self, params: Mapping[str, Any], peer: Peer) -> object:
        from banwatch.config.model import Problem

        problem = Problem("jails.d/sshd.yaml", 7, "sshd.rules.ip.bantime", "a duration", "ten minutes", jail="sshd")
        raise ConfigError("1 problem; the running configuration was kept", problems=[problem])

    async def _stop(self, params: Mapping[str, Any], peer: Peer) -> object:
        self.waiting.set()
        await self.gate.wait()
        return "stopping"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path / "run" / "banwatch.sock")
    yield house
    house.hang_up()
    await asyncio.sleep(0)


@pytest.fixture
async def caller(house: House) -> AsyncIterator[Caller]:
    """A connection to a running server of `house`."""
    async with house.server():
        yield await house.connect()


@pytest.fixture
async def open_house() -> AsyncIterator[House]:
    """A house whose socket's directory everybody can enter, for connections as somebody else."""
    if os.geteuid() != 0:
        pytest.skip("needs root: connects as other users")
    directory = Path(tempfile.mkdtemp(dir="/tmp"))
    directory.chmod(0o755)
    house = House(directory / "run" / "banwatch.sock")
    yield house
    house.hang_up()
    await asyncio.sleep(0)
    shutil.rmtree(directory)


@pytest.fixture
def some_group() -> grp.struct_group:
    """A group of this machine that is not root's."""
    return next(group for group in grp.getgrall() if group.gr_gid not in (0, os.getgid(), *os.getgroups()))
