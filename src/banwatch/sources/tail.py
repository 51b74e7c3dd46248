"""
All log files behind all configured paths and globs, as one stream of chunks.

Everything happens in __anext__, in the task of whoever asks: nothing is read ahead, so a slow reader slows the reading and
nothing else. Files with something to read take turns, one chunk each. With nothing to read it sleeps until the kernel
tells of a change; there is a timer only for rotated files, and for what the kernel cannot or will not watch.
"""

import asyncio
import errno
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import NamedTuple, Self

from banwatch.model import Chunk, Position
from banwatch.sources.base import EVERYTHING, SourceState, Waker
from banwatch.sources.catalogue import Catalogue, Followed, render_errno
from banwatch.sources.file import Piece
from banwatch.sources.inotify import InotifyWaker

FAILURES = 3
"""A rotated file that cannot be read is given up after so many times; nobody will mend it."""


class Patience(NamedTuple):
    """
    Seconds.

    Args:
        grace: a rotated file that has been still for so long will not get an end to its last line, and, if deleted, is let go.
        linger: so long a deleted file is kept that nothing has taken the place of.
        every: how often to look at what cannot be watched.
        retry: the longest wait after failed reads; the first is one second, each further one twice as long.
    """

    grace: float = 5.0
    linger: float = 600.0
    every: float = 1.0
    retry: float = 60.0


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
        resume: where an earlier life left off, one position per file.
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
    ) -> None:
        self._patterns = frozenset(patterns)
        self._waker = waker or InotifyWaker()
        self._clock = clock
        self._chunk_bytes = chunk_bytes
        self._patience = patience or Patience()
        self._catalogue = Catalogue(self._waker, clock, lookback_bytes, resume or {}, self._patience.every)
        self._ready: deque[Followed] = deque()
        self._queued: set[Followed] = set()
        self._due: dict[Followed, float] = {}
        self._standing: list[Followed] = []
        self._polled = 0.0
        self._changed = self._open = False
        self.caught_up = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._waker.open()
        self._open = True
        self._polled = self._waker.now()
        self._look(self._patterns)
        self._standing = [one for one in self._catalogue.files.values() if one.file.stood > one.file.offset]
        self._notice_caught_up()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open = False
        for followed in list(self._catalogue.files.values()):
            self._drop(followed)
        self._waker.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        await asyncio.sleep(0)  # a reader that never waits for anything else must not keep the loop from its other work
        self._notice_caught_up()
        while self._open:
            self._notice()
            if self._ready:
                if (chunk := self._turn()) is not None:
                    return chunk
                await asyncio.sleep(0)
                continue
            self._notice_caught_up()  # also when what stood there gave no whole line
            await self._waker.wait(self._pause())
        raise StopAsyncIteration

    async def set_patterns(self, patterns: Iterable[str]) -> None:
        """Follow these instead; files that are still wanted go on where they are, others are closed."""
        before, self._patterns = self._patterns, frozenset(patterns)
        if self._open:
            self._look(self._patterns - before)
            self._waker.wake()

    def patterns_of(self, source: str) -> frozenset[str]:
        """The configured patterns that lead to the source now; a chunk carries those it was read for."""
        return frozenset().union(*(one.belongs_to for one in self._catalogue.files.values() if one.source == source))

    def sources(self) -> Mapping[str, SourceState]:
        """The state of every path in use, and of every path or glob that leads to nothing."""
        return self._catalogue.states()

    def _look(self, new: frozenset[str] = frozenset()) -> None:
        self._changed = False
        for followed in self._catalogue.look(self._patterns, new):
            self._enqueue(followed)
        for followed in [one for one in self._catalogue.files.values() if not one.belongs_to]:
            self._drop(followed)

    def _enqueue(self, followed: Followed) -> None:
        if followed not in self._queued and followed.file.is_open:
            self._queued.add(followed)
            self._ready.append(followed)

    def _notice(self) -> None:
        """Take in what happened since the last turn, and what is due."""
        catalogue = self._catalogue
        for event in self._waker.drain():
            if event.watch == EVERYTHING:
                self._changed = True
                for followed in catalogue.files.values():
                    self._enqueue(followed)
            elif (one := catalogue.watched.get(event.watch)) is not None:
                if event.over:
                    catalogue.watch_again(one)
                self._enqueue(one)
            elif catalogue.directories.concerns(event):
                self._changed = True
        if self._due or catalogue.unwatched or catalogue.uncertain:
            self._notice_time(self._waker.now())
        if self._changed:
            self._look()

    def _notice_time(self, now: float) -> None:
        for followed in [one for one, at in self._due.items() if at <= now]:
            del self._due[followed]
            followed.settling = followed.moved
            self._enqueue(followed)
        if now >= self._polled + self._patience.every:
            self._polled = now
            self._changed |= self._catalogue.uncertain
            for followed in self._catalogue.unwatched:
                self._enqueue(followed)

    def _pause(self) -> float | None:
        """How long to sleep if nothing happens."""
        due = list(self._due.values())
        if self._catalogue.unwatched or self._catalogue.uncertain:
            due.append(self._polled + self._patience.every)
        return min(due) - self._waker.now() if due else None

    def _turn(self) -> Chunk | None:
        """The next file's next lines; None if it has none at the moment."""
        followed = self._ready.popleft()
        self._queued.discard(followed)
        if followed.waits_for:
            return None
        file, truncations = followed.file, followed.file.counters.truncations
        if followed.former and file.offset >= followed.former_until:
            followed.former = frozenset()
        try:
            piece = file.read(self._chunk_bytes)
        except OSError as error:
            self._fail(followed, error)
            return None
        followed.error, followed.failures = None, 0
        has_read = piece is not None
        followed.settling &= not has_read
        if followed.settling:
            piece = file.finish()
        is_over = followed.retired and file.counters.truncations > truncations  # whatever this is now, it is not that log
        chunk = self._chunk(followed, piece) if piece is not None and piece.data else None
        if file.more and not is_over:
            self._enqueue(followed)
        else:
            self._reach_end(followed, is_over, has_read)
        return chunk

    def _reach_end(self, followed: Followed, is_over: bool, has_read: bool) -> None:
        """Let those that waited for its last byte go on; a retired file is let go of when it is certain that nothing comes."""
        self._release(followed)
        if not followed.moved:
            return
        now = self._waker.now()
        if has_read or not followed.read_last:
            followed.read_last = now
        if is_over or (followed.settling and self._is_over(followed, now)):
            self._drop(followed)
        elif not followed.settling:
            self._due[followed] = now + self._patience.grace
        elif not followed.retired:
            followed.moved = False
        elif followed.file.deleted:
            self._due[followed] = followed.read_last + self._patience.linger
        followed.settling = False

    def _is_over(self, followed: Followed, now: float) -> bool:
        """
        Whether a retired file that is still can be let go of.

        One that only has another name now costs nothing and may have a writer who was never told: it stays until the next
        one retires. A deleted one keeps its space on the disk.
        """
        is_late = now >= followed.read_last + self._patience.linger
        return followed.superseded or (
            followed.retired and followed.file.deleted and (is_late or self._catalogue.succeeded(followed))
        )

    def _release(self, followed: Followed) -> None:
        for heir in followed.heirs:
            heir.waits_for.discard(followed)
            self._enqueue(heir)
        followed.heirs.clear()

    def _fail(self, followed: Followed, error: OSError) -> None:
        followed.failures += 1
        followed.file.counters.errors += 1
        followed.error = render_errno(error.errno or errno.EIO)
        self._release(followed)
        if followed.retired and followed.failures > FAILURES:
            self._drop(followed)
        else:
            self._due[followed] = self._waker.now() + min(2.0 ** (followed.failures - 1), self._patience.retry)

    def _chunk(self, followed: Followed, piece: Piece) -> Chunk:
        followed.file.counters.chunks += 1
        followed.file.counters.bytes += len(piece.data)
        return Chunk(followed.source, piece.data, piece.start, piece.position, piece.live, self._clock(), followed.belongs_to)

    def _drop(self, followed: Followed) -> None:
        self._release(followed)
        self._due.pop(followed, None)
        if followed in self._queued:
            self._queued.discard(followed)
            self._ready.remove(followed)
        self._catalogue.drop(followed)

    def _notice_caught_up(self) -> None:
        """All that stood there was handed out, and the reader came back for more."""
        if not self.caught_up.is_set():
            self._standing = [one for one in self._standing if one.file.offset < one.file.stood and not one.error]
            if not self._standing:
                self.caught_up.set()
