"""
Exim's door: a unix socket that ${readsocket} asks, one question a connection.

    L <base64 of the login> [<address>]      →  ok, or deny

An attempt that has to be held up is answered late, with ok. What cannot be understood is ok, too: a mistake in a
configuration must not keep everybody out. When banwatch is gone nobody answers, and Exim goes on with its fail string.
"""

import asyncio
import binascii
import grp
import os
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self

from banwatch.logins.gate import Verdict

LONGEST: Final = 4096
PATIENCE: Final = 5.0
CONNECTIONS: Final = 512
OK: Final = b"ok"
DENY: Final = b"deny"


class Desk(Protocol):
    """Who answers."""

    def ask(self, door: Any, login: str, ip: str | None, service: str) -> Verdict: ...


class Question(NamedTuple):
    login: str
    ip: str | None


def parse_question(data: bytes) -> Question:
    """
    The login and the address, if there is one, that are asked about.

    Raises:
        ValueError: it is no question.
    """
    words = data.split()
    if not 2 <= len(words) <= 3 or words[0] != b"L":
        raise ValueError("expected L LOGIN [ADDRESS]")
    try:
        login = b64decode(words[1], validate=True).decode("utf-8", "replace")
    except binascii.Error as error:
        raise ValueError("expected base64") from error
    return Question(login, words[2].decode("ascii", "replace") if len(words) == 3 else None)


class EximServer:
    """
    Answers on the socket `path`, for the group `group`, while its `async with` block lasts.

    Args:
        refused: called for each connection that gets no considered answer, with the reason.

    Attributes:
        notes: what an operator should know.
    Raises:
        OSError: on entry, the socket cannot be made.
    """

    def __init__(self, path: str, group: str, desk: Desk, refused: Callable[[str], None]) -> None:
        self._path = Path(path)
        self._group = group
        self._desk = desk
        self._refused = refused
        self._connections: set[asyncio.Task[None]] = set()
        self.notes: list[str] = []

    async def __aenter__(self) -> Self:
        # Whoever runs has the lock of the control socket: what lies here was left behind.
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, str(self._path), limit=LONGEST)
        finally:
            os.umask(before)
        self._admit()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    def _admit(self) -> None:
        """Let the group in."""
        try:
            os.chown(self._path, -1, grp.getgrnam(self._group).gr_gid)
            self._path.chmod(0o660)
        except KeyError:
            self.notes.append(f"there is no group {self._group!r}: only root and our own user may ask on {self._path}")
        except PermissionError:
            self.notes.append(f"cannot give {self._path} to the group {self._group!r}: only root and our own user may ask there")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            answer = OK
            if len(self._connections) > CONNECTIONS:
                self._refused("full")
            else:
                answer = await self._answer(reader)
            writer.write(answer)
            async with asyncio.timeout(PATIENCE):
                await writer.drain()
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # the other side left, or we do
        finally:
            self._connections.discard(task)
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            async with asyncio.timeout(PATIENCE):
                question = parse_question(await _read(reader))
        except (ValueError, TimeoutError):
            self._refused("malformed")
            return OK
        verdict = self._desk.ask("exim", question.login, question.ip, "exim")
        if verdict.action == "delay":
            await asyncio.sleep(verdict.seconds)
        return DENY if verdict.action == "deny" else OK


async def _read(reader: asyncio.StreamReader) -> bytes:
    """
    What was sent until the other side shut down its half, or ended a line.

    Raises:
        ValueError: it is too long.
    """
    data = b""
    while len(data) <= LONGEST and b"\n" not in data:
        piece = await reader.read(LONGEST)
        if not piece:
            return data
        data += piece
    if len(data) > LONGEST:
        raise ValueError("too long")
    return data
