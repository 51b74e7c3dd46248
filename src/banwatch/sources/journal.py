"""
The systemd journal as a stream of chunks of whole lines.

One handle sees what any watch wants. It is woken by the kernel when journald tells of new entries, which it does up to half a
second after the first of them (a timer of 250 ms, as exact as 250 ms). When files come or go (rotation, vacuum, a flush from /run
to /var) all is opened anew at the same place: a journal that moved to another directory would otherwise not be seen.
"""

import asyncio
import errno
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from inotify_simple import INotify, flags

from banwatch.errors import SourceError
from banwatch.model import JOURNAL, Chunk, Position
from banwatch.sources.base import Counters, SourceState
from banwatch.sources.journal_access import check_rights, is_there, nearest
from banwatch.sources.journal_entry import Entry, read_entry
from banwatch.sources.journal_library import Handle, Library
from banwatch.sources.journal_line import LONGEST, LineMaker
from banwatch.sources.journal_match import Matches

ENTRIES: Final = 256
"""So many are read at once; that takes a few milliseconds, in which nothing else happens."""

STALE: Final = 60.0
"""An entry that journald got longer ago than this is an old one, also where it turns up late: files were moved here."""

RETRY_SECONDS: Final = 60.0
"""The longest wait after a failure; the first is one second, each further one twice as long."""

APPEARING: Final = flags.CREATE | flags.MOVED_TO | flags.ATTRIB | flags.DELETE_SELF | flags.MOVE_SELF

_NOWHERE: Final = Position(0, 0, 0)
_MICRO: Final = 1_000_000


class _Reading:
    """
    A handle, what it looks for, and the entry that it is ahead by.

    Args:
        until: microseconds; later entries are another's.
    """

    def __init__(self, handle: Handle, patterns: Iterable[str], until: int | None = None) -> None:
        self.handle = handle
        self.until = until
        self.ahead: Entry | None = None
        self.stepped = False
        self.matches = Matches(patterns)
        handle.match(patterns)


class Journal:
    """
    Follows the journal: `async with Journal(patterns) as journal: async for chunk in journal: ...`. No error ends it.

    The chunks have the source JOURNAL, whatever they are for; a chunk has entries with the same patterns only.

    Args:
        patterns: matches in the form of split_pattern.
        lookback: seconds; how far back to begin where nothing is known, and no further in any case.
        resume: the position of the last chunk of an earlier life.
        since: nothing older is wanted where nothing is known; an earlier life had it.
        directory: of journal files; None is this host's journal.

    Attributes:
        caught_up: what stood there when it was opened was handed out.
        fault: why the journal, which is there, is not read; None if it is.
    """

    def __init__(
        self,
        patterns: Iterable[str] = (),
        *,
        clock: Callable[[], float] = time.time,
        lookback: float = 0.0,
        resume: Position | None = None,
        since: float = 0.0,
        directory: Path | None = None,
        library: Callable[[], Library] = Library,
    ) -> None:
        self._patterns = frozenset(patterns)
        self._clock = clock
        self._lookback = lookback
        self._position = resume or _NOWHERE
        self._since = since
        self._directory = directory
        self._library = library
        self._loaded: Library | None = None
        self._main: _Reading | None = None
        self._backlogs: list[_Reading] = []
        self._parents: INotify | None = None
        self._heard: int | None = None
        self._lines = LineMaker()
        self._held: set[str] = set()
        self._counters: dict[str, Counters] = {}
        self._open = self._stale = self._rested = self._has_begun = False
        self._exhausted = True
        self._failures, self._retry = 0, 0.0
        self._error: str | None = None
        self._news = asyncio.Event()
        self.caught_up = asyncio.Event()
        self.fault: SourceError | None = None

    async def __aenter__(self) -> Self:
        self._open = True
        self._begin()
        if self._main is None:
            self.caught_up.set()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open = False
        self._close()
        self._drop_backlogs()
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        if not self._rested:  # a flood must not keep the loop from its other work
            await asyncio.sleep(0)
        self._rested = False
        while self._open:
            try:
                self._notice()
                if (chunk := self._take()) is not None:
                    return chunk
            except OSError as error:
                self._fail(error)
            if self._exhausted:
                self.caught_up.set()
                await self._wait()
                self._rested = True
            else:
                await asyncio.sleep(0)
        raise StopAsyncIteration

    async def set_patterns(self, patterns: Iterable[str], lookback: float, had: frozenset[str] = frozenset()) -> None:
        """
        Follow these instead. What is new among them is looked back for; the others go on where they are.

        Args:
            had: patterns of services that were read elsewhere until now, so that they are not looked back for.
        """
        before, self._patterns, self._lookback = self._patterns, frozenset(patterns), lookback
        if not self._open or before == self._patterns:
            return
        # What an earlier life followed is not known; what is followed first goes on where it ended.
        new = self._patterns - before - had if self._has_begun else frozenset()
        is_first = not self._has_begun
        self._begin()
        if is_first and self._main is not None:
            self.caught_up.clear()
        if new and self._main is not None and self._position.cursor:
            try:
                self._look_back(new)
            except OSError as error:
                self._fail(error)
        self._news.set()

    def holds(self, pattern: str) -> bool | None:
        """Whether there is an entry that a pattern matches, which is followed; None if the journal is not read."""
        return None if self.fault or self._error else pattern in self._held

    def sources(self) -> Mapping[str, SourceState]:
        """The state of each pattern."""
        return {pattern: self._state(pattern) for pattern in sorted(self._patterns)}

    def problems(self) -> list[str]:
        """Why the journal is not read, and what to do about it; empty if it is."""
        return [f"{self.fault.message} ({self.fault.hint})"] if self.fault else []

    # Opening

    def _begin(self) -> None:
        """Open what is there, at the place where we are; or else wait until it is there. A look back goes on as it is."""
        self._close()
        if not self._patterns:
            return
        self._has_begun = True
        self.fault = self._error = None
        try:
            if not is_there(self._directory):
                self._await_directory()
                return
            check_rights(self._directory)
            if self._loaded is None:
                self._loaded = self._library()
            handle = Handle(self._loaded, self._directory, LONGEST)
        except SourceError as error:
            self.fault = error
            self._retry = time.monotonic() + RETRY_SECONDS
        except OSError as error:
            self._fail(error)
        else:
            self._enter(handle)

    def _enter(self, handle: Handle) -> None:
        try:
            for pattern in self._patterns - self._held:
                handle.match([pattern])
                handle.seek_end()
                if handle.previous():
                    self._held.add(pattern)
            reading = _Reading(handle, self._patterns)
            self._seek(reading)
        except OSError as error:
            handle.close()
            self._fail(error)
        else:
            self._main = reading

    def _seek(self, reading: _Reading) -> None:
        """To the first entry that was not handed out yet, or to the horizon."""
        now = self._clock()
        horizon = now - self._lookback
        if self._position.cursor and self._position.at >= horizon:
            try:
                reading.stepped = reading.handle.seek_behind(self._position.cursor)
                return
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self._position = _NOWHERE
        reading.handle.seek_time(max(0, round(max(horizon, min(self._since, now)) * _MICRO)))

    def _look_back(self, new: frozenset[str]) -> None:
        """Read for `new` what came before the place where all go on together."""
        assert self._loaded is not None
        handle = Handle(self._loaded, self._directory, LONGEST)
        try:
            reading = _Reading(handle, new, until=round(self._position.at * _MICRO))
            handle.seek_time(max(0, round((self._clock() - self._lookback) * _MICRO)))
        except OSError:
            handle.close()
            raise
        self._backlogs.append(reading)

    def _await_directory(self) -> None:
        try:
            self._parents = INotify(nonblocking=True)
            for directory in nearest(self._directory):
                self._parents.add_watch(directory, APPEARING)
        except OSError as error:
            self._fail(error)

    def _close(self) -> None:
        self._hush()
        if self._main is not None:
            self._main.handle.close()
        if self._parents is not None:
            self._parents.close()
        self._main = self._parents = None
        self._stale, self._exhausted = False, True

    def _drop_backlogs(self) -> None:
        for reading in self._backlogs:
            reading.handle.close()
        self._backlogs.clear()

    def _hush(self) -> None:
        """Take the descriptor out of the loop, before it is closed if it is."""
        if self._heard is not None:
            asyncio.get_running_loop().remove_reader(self._heard)
            self._heard = None

    def _fail(self, error: OSError) -> None:
        """Close, and try again after a while."""
        self._close()
        self._drop_backlogs()
        self._error = f"the journal cannot be read: {os.strerror(error.errno or errno.EIO)}"
        self._counters_of(self._patterns).errors += 1
        self._retry = time.monotonic() + min(2.0**self._failures, RETRY_SECONDS)
        self._failures += 1

    # Reading

    def _notice(self) -> None:
        """Take in what happened since the last turn."""
        self._news.clear()
        if self._main is not None:
            self._stale |= self._main.handle.process()
        is_due = (self._error or self.fault) and time.monotonic() >= self._retry
        has_come = self._parents is not None and self._parents.read(timeout=0)
        if self._stale or is_due or has_come:
            self._begin()
            self._exhausted = False

    async def _wait(self) -> None:
        """Until something happens, or something is due."""
        loop = asyncio.get_running_loop()
        due: float | None = None
        if self._main is not None:
            self._heard, due = self._main.handle.descriptor, self._main.handle.due()
        elif self._parents is not None:
            self._heard = self._parents.fileno()
        elif self._error or self.fault:
            due = self._retry
        if self._heard is not None:
            loop.add_reader(self._heard, self._news.set)
        timer = None if due is None else loop.call_later(max(0.0, due - time.monotonic()), self._news.set)
        try:
            await self._news.wait()
        finally:
            self._hush()
            if timer is not None:
                timer.cancel()

    def _take(self) -> Chunk | None:
        """The next entries that are for the same watches; None if there are none, or not yet."""
        reading = self._backlogs[0] if self._backlogs else self._main
        self._exhausted = reading is None
        if reading is None:
            return None
        patterns: frozenset[str] = frozenset()
        lines: list[bytes] = []
        first = last = None
        for _ in range(ENTRIES):
            if reading.ahead is None and not self._step(reading):
                self._end(reading)
                break
            if (entry := reading.ahead) is None:
                continue
            if lines and entry.patterns != patterns:
                break
            first = first or entry
            patterns, last, reading.ahead = entry.patterns, entry, None
            lines.append(entry.line)
        self._failures = 0
        return None if first is None or last is None else self._chunk(reading, b"".join(lines), first, last)

    def _end(self, reading: _Reading) -> None:
        """Nothing is left in it at the moment."""
        if reading is self._main:
            self._exhausted = True
        else:
            self._backlogs.remove(reading)
            reading.handle.close()

    def _step(self, reading: _Reading) -> bool:
        """Look at one more entry, which is `ahead` then if somebody wants it; False at the end."""
        handle = reading.handle
        if not reading.stepped and not handle.next():
            return False
        reading.stepped = False
        try:
            reading.ahead = read_entry(handle, reading.matches, self._lines)
        except OSError:  # a damaged entry; those behind it may be whole
            self._counters_of(self._patterns).errors += 1
        else:
            return reading.until is None or reading.ahead is None or reading.ahead.time <= reading.until
        return True

    def _chunk(self, reading: _Reading, data: bytes, first: Entry, last: Entry) -> Chunk:
        now = self._clock()
        live = self.caught_up.is_set() and reading.until is None and first.time >= (now - STALE) * _MICRO
        if reading.until is None:
            self._position = Position(0, 0, 0, at=last.time / _MICRO, cursor=last.cursor)
        self._held |= last.patterns
        counters = self._counters_of(last.patterns)
        start = counters.bytes
        counters.chunks += 1
        counters.bytes += len(data)
        counters.too_long += self._lines.too_long
        self._lines.too_long = 0
        return Chunk(JOURNAL, data, start, self._position, live, now, last.patterns)

    def _counters_of(self, patterns: frozenset[str]) -> Counters:
        return self._counters.setdefault(min(patterns, default=""), Counters())

    def _state(self, pattern: str) -> SourceState:
        error = self.fault.message if self.fault else self._error
        is_missing = error is None and (self._main is None or pattern not in self._held)
        return SourceState(
            pattern,
            frozenset({pattern}),
            aliases=(pattern,),
            opened=error is None and not is_missing,
            live=self.caught_up.is_set(),
            behind=0,
            error="no entry of it yet" if is_missing else error,
            note=None,
            counters=self._counters_of(frozenset({pattern})),
            missing=is_missing,
        )
