"""A tail with somebody who reads it, the kernel's inotify behind it, or a hand."""

import asyncio
import os
import shutil
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from banwatch.model import Chunk, Position
from banwatch.sources.base import Event
from banwatch.sources.tail import Tail
from banwatch.sources.turns import Patience

LONG = 20.0
"""Seconds until a test gives up waiting for something that takes a millisecond."""

SOON = Patience(grace=0.02, linger=0.04, every=0.02, retry=0.02)
"""What the daemon leaves seconds for; tests wait for the event, not for the time."""


class Reader:
    """
    Reads a tail, line by line or chunk by chunk; what was not asked for yet is kept.

    Attributes:
        rows: the last position of each source, as a store would have it.
    """

    def __init__(self, tail: Tail) -> None:
        self.tail = tail
        self.rows: dict[str, Position] = {}
        self._lines: list[tuple[str, bytes]] = []

    async def any_chunk(self) -> Chunk:
        """The next one, be it with lines or only with a position."""
        chunk = await asyncio.wait_for(anext(self.tail), LONG)
        self.rows[chunk.source] = chunk.position
        return chunk

    async def chunk(self) -> Chunk:
        """The next one with lines."""
        while not (chunk := await self.any_chunk()).data:
            pass
        return chunk

    async def named(self, count: int) -> list[tuple[str, bytes]]:
        """The next lines, each with the file name of its source."""
        while len(self._lines) < count:
            chunk = await self.chunk()
            self._lines += [(Path(chunk.source).name, line) for line in chunk.data.splitlines(keepends=True)]
        taken, self._lines = self._lines[:count], self._lines[count:]
        return taken

    async def lines(self, count: int) -> list[bytes]:
        return [line for _, line in await self.named(count)]

    async def until(self, last: bytes) -> list[bytes]:
        """The lines before the one that says so: a way to see that nothing else came."""
        got: list[bytes] = []
        while (line := (await self.lines(1))[0]) != last:
            got.append(line)
        return got


Follow = Callable[..., AbstractAsyncContextManager[Reader]]


@pytest.fixture
def follow() -> Follow:
    """follow(path, ..., **arguments of Tail) is an open tail with a reader."""

    @asynccontextmanager
    async def follow(*patterns: Path | str, **arguments: Any) -> AsyncIterator[Reader]:
        arguments.setdefault("patience", SOON)
        async with Tail(map(str, patterns), **arguments) as tail:
            yield Reader(tail)

    return follow


@pytest.fixture
def append() -> Callable[[Path, bytes], None]:
    """append(path, data) writes as a logger does: open, append, close."""

    def append(path: Path, data: bytes) -> None:
        with path.open("ab") as file:
            file.write(data)

    return append


class Idle(Exception):  # noqa: N818  nothing is wrong
    """The tail wants to sleep for ever."""


class HandWaker:
    """
    Time stands still until somebody waits for it; events happen when a test says so.

    Attributes:
        waits: how long the tail wanted to sleep, each time.
        files, directories: what is watched under which number.
        refuse: errno for whoever wants to have something watched.
        script: what happens while the tail sleeps, one act per sleep, instead of the time going by.
    """

    def __init__(self) -> None:
        self.time = 1000.0
        self.waits: list[float | None] = []
        self.events: set[Event] = set()
        self.files: dict[int, tuple[int, int]] = {}
        self.directories: dict[str, int] = {}
        self.refuse = 0
        self.script: deque[Callable[[], object]] = deque()
        self.is_open = False
        self._last = 0

    def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def watch_file(self, descriptor: int) -> int:
        self._check()
        status = os.fstat(descriptor)
        self._last += 1
        self.files[self._last] = (status.st_dev, status.st_ino)
        return self._last

    def watch_directory(self, path: str) -> int:
        self._check()
        if path not in self.directories:
            self._last += 1
            self.directories[path] = self._last
        return self.directories[path]

    def unwatch(self, watch: int) -> None:
        self.files.pop(watch, None)
        self.directories = {path: number for path, number in self.directories.items() if number != watch}

    def _check(self) -> None:
        if self.refuse:
            raise OSError(self.refuse, os.strerror(self.refuse))

    def wrote(self, path: Path) -> None:
        """Let the tail know that the file has grown, or lost a name."""
        status = path.stat()
        self.touch(next(watch for watch, file in self.files.items() if file == (status.st_dev, status.st_ino)))

    def touch(self, watch: int) -> None:
        """Let the tail know that something happened to what is watched under this number."""
        self.events.add(Event(watch, ""))

    def changed(self, path: Path) -> None:
        """Let the tail know that this entry of its directory is not what it was."""
        self.events.add(Event(self.directories[str(path.parent)], path.name))

    def drain(self) -> Iterable[Event]:
        events, self.events = self.events, set()
        return events

    async def wait(self, seconds: float | None) -> None:
        self.waits.append(seconds)
        if self.script:
            self.script.popleft()()
            return
        if seconds is None:
            raise Idle
        self.time += max(seconds, 0.0)

    def wake(self) -> None:
        """Nobody sleeps in earnest."""

    def now(self) -> float:
        return self.time


@pytest.fixture
def hand() -> HandWaker:
    return HandWaker()


@pytest.fixture
def idle() -> type[Idle]:
    """Raised out of a tail with a HandWaker that has nothing to do and nothing to wait for."""
    return Idle


@pytest.fixture
def descriptors() -> Callable[[], int]:
    """How many descriptors this process has open."""
    return lambda: len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A directory of somebody who is not allowed everything, as whom the test runs."""
    directory = Path(tempfile.mkdtemp())
    if is_root := os.geteuid() == 0:
        os.chown(directory, 65534, 65534)
        os.seteuid(65534)
    try:
        yield directory
    finally:
        if is_root:
            os.seteuid(0)
        for child in directory.iterdir():
            if child.is_dir():
                child.chmod(0o700)  # what a test shut, only root could remove
        shutil.rmtree(directory)
