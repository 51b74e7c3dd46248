"""
What a source of log lines is, and what wakes it.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from banwatch.model import Chunk


@dataclass(slots=True)
class Counters:
    """
    What one source has been through since it was first seen; nothing here ever falls.

    Lines are not counted here but by the scanner, which looks at each of them anyway.
    """

    chunks: int = 0
    bytes: int = 0
    rotations: int = 0
    truncations: int = 0
    too_long: int = 0
    unfinished: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class SourceState:
    """
    How one source fares at this moment.

    Args:
        source: the path as configured or found by a glob; the pattern itself while nothing answers to it.
        patterns: the configured patterns that lead to it.
        aliases: all paths that lead to the same file, sorted; `source` is one of them.
        opened: False while it is waited for.
        live: what is read now was not there yet when the daemon looked first.
        behind: bytes that are there and not yet handed out as lines, those of rotated files included.
        error: why it is not read; None when it is. Never holds text from the log.
        note: it is read, but not as it should be: what the operator may mend.
        counters: see Counters.
        missing: nothing is there yet; it is waited for, and that is no fault.
        parked: it is opened for each reading, because there are too few descriptors to hold it open.
    """

    source: str
    patterns: frozenset[str]
    aliases: tuple[str, ...]
    opened: bool
    live: bool
    behind: int
    error: str | None
    note: str | None
    counters: Counters
    missing: bool = False
    parked: bool = False


class Source(Protocol):
    """Chunks without end, taken one by one; nothing is read before it is asked for."""

    caught_up: asyncio.Event

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> Chunk: ...
    def sources(self) -> Mapping[str, SourceState]: ...


class Event(NamedTuple):
    """
    Something happened to the watched thing, or to the entry `name` of a watched directory.

    What exactly does not matter: whoever is woken looks for himself. The watch EVERYTHING means that events were lost;
    `over` that this watch will tell nothing any more.
    """

    watch: int
    name: str = ""
    over: bool = False


EVERYTHING = -1


class Waker(Protocol):
    """
    Tells when it is worth to look again; the kernel's inotify in earnest, a hand in tests.

    A watch is on the thing itself, not on its name, and asking twice gives the same number. watch_file and
    watch_directory raise OSError when the thing cannot be watched.
    """

    def open(self) -> None: ...
    def close(self) -> None: ...
    def watch_file(self, descriptor: int) -> int: ...
    def watch_directory(self, path: str) -> int: ...
    def unwatch(self, watch: int) -> None: ...
    def drain(self) -> Iterable[Event]: ...
    async def wait(self, seconds: float | None) -> None: ...
    def wake(self) -> None: ...
    def now(self) -> float: ...
