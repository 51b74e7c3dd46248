"""
All log files behind all configured paths and globs, as one stream of chunks.

Everything happens in __anext__, in the task of whoever asks: nothing is read ahead, so a slow reader slows the reading and
nothing else. Files with something to read take turns, one chunk each. With nothing to read it sleeps until the kernel
tells of a change; there is a timer only for rotated files, and for what the kernel cannot or will not watch.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from banwatch.model import Chunk, Position
from banwatch.sources.base import EVERYTHING, SourceState, Waker
from banwatch.sources.catalogue import Catalogue
from banwatch.sources.handles import Followed, Handles
from banwatch.sources.inotify import InotifyWaker
from banwatch.sources.turns import Patience, Turns


class Tail:
    """
    Follows log files: `async with Tail(patterns) as tail: async for chunk in tail: ...`. Errors of files never end it;
    they stand in sources() until they are over.

    Args:
        patterns: paths and globs, as configured.
        waker: tells of changes; None is inotify.
        clock: the wall clock, for `read_at`.
        lookback_bytes: how much of a file that stands there at start is read at most.
        chunk_bytes: how much is read at once; no chunk is larger by more than the longest line.
        resume: where an earlier life left off: the position of the last chunk of each source.
        room: how many files may be held open; None leaves a reserve of descriptors to others.

    Attributes:
        caught_up: what stood there when it was opened was handed out, and the reader has come back for more.
    """

    def __init__(
        self,
        patterns: Iterable[str],
        *,
        waker: Waker | None = None,
        clock: Callable[[], float] = time.time,
        lookback_bytes: int = 64 * 1024 * 1024,
        chunk_bytes: int = 256 * 1024,
        resume: Mapping[str, Position] | None = None,
        patience: Patience | None = None,
        room: int | None = None,
    ) -> None:
        self._patterns = frozenset(patterns)
        self._waker = waker or InotifyWaker()
        self._patience = patience or Patience()
        self._handles = Handles(self._waker, self._patience.every, room)
        self._catalogue = Catalogue(self._handles, self._waker, clock, lookback_bytes, resume or {})
        self._turns = Turns(self._handles, self._catalogue, self._patience, chunk_bytes, clock, self._waker.now)
        self._standing: list[Followed] = []
        self._polled = 0.0
        self._changed = self._open = self._rested = False
        self.caught_up = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._waker.open()
        self._open = True
        self._polled = self._waker.now()
        self._look(self._patterns)
        self._standing = [one for one in self._handles.files.values() if one.file.stood > one.file.offset]
        self._notice_caught_up()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open = False
        for followed in list(self._handles.files.values()):
            self._turns.drop(followed)
        self._waker.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        if not self._rested:  # a reader that never waits for anything else must not keep the loop from its other work
            await asyncio.sleep(0)
        self._rested = False
        self._notice_caught_up()
        while self._open:
            self._notice()
            if self._turns:
                if (chunk := self._turns.take()) is not None:
                    return chunk
                await asyncio.sleep(0)
                continue
            self._notice_caught_up()  # also when what stood there gave no whole line
            await self._waker.wait(self._pause())
            self._rested = True
        raise StopAsyncIteration

    async def set_patterns(self, patterns: Iterable[str]) -> None:
        """Follow these instead; files that are still wanted go on where they are, others are closed."""
        before, self._patterns = self._patterns, frozenset(patterns)
        if self._open:
            self._look(self._patterns - before)
            self._waker.wake()

    def patterns_of(self, source: str) -> frozenset[str]:
        """The configured patterns that lead to the source now; a chunk carries those it was read for."""
        return frozenset().union(*(one.belongs_to for one in self._handles.files.values() if one.source == source))

    def sources(self) -> Mapping[str, SourceState]:
        """The state of every path in use, and of every path or glob that leads to nothing."""
        return self._catalogue.states()

    def problems(self) -> list[str]:
        """What keeps files from being followed as they should be, each with how many there are."""
        notes = Counter(one.notes for one in self._handles.files.values())
        return [f"{number} log file{'s' * (number > 1)}: {note}" for note, number in notes.items() if note]

    @property
    def _polls(self) -> bool:
        """Whether something may happen that is no event."""
        return bool(self._handles.unwatched) or self._catalogue.uncertain

    def _look(self, new: frozenset[str] = frozenset()) -> None:
        self._changed = self._turns.doubt = False
        for followed in self._catalogue.look(self._patterns, new):
            self._turns.add(followed)
        for followed in [one for one in self._handles.files.values() if not one.belongs_to]:
            self._turns.drop(followed)

    def _notice(self) -> None:
        """Take in what happened since the last turn, and what is due."""
        for event in self._waker.drain():
            if event.watch == EVERYTHING:
                self._changed = True
                for followed in self._handles.files.values():
                    self._turns.add(followed)
            elif (one := self._handles.watched.get(event.watch)) is not None:
                if event.over:
                    self._handles.watch(one)
                self._turns.add(one)
            elif self._catalogue.directories.concerns(event):
                self._changed = True
        self._turns.add_due()
        if self._polls and (now := self._waker.now()) >= self._polled + self._patience.every:
            self._polled = now
            self._changed |= self._catalogue.uncertain
            for followed in self._handles.unwatched:
                self._turns.add(followed)
        if self._changed or self._turns.doubt:
            self._look()

    def _pause(self) -> float | None:
        """How long to sleep if nothing happens."""
        due = list(self._turns.due)
        if self._polls:
            due.append(self._polled + self._patience.every)
        return min(due) - self._waker.now() if due else None

    def _notice_caught_up(self) -> None:
        if not self.caught_up.is_set():
            self._standing = [one for one in self._standing if one.file.offset < one.file.stood and not one.error]
            if not self._standing:
                self.caught_up.set()
