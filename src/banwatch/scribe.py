"""
Writes down what happens, at most a second behind, and never in the way of a ban.

What is taken is the state between two chunks of a log, so that book, windows and positions fit together: whatever was not
written is read again in the next life. While the store fails everything goes on in memory; with the first write that succeeds
again all of it is written.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any, Protocol

from banwatch.errors import StoreError
from banwatch.host.memory import give_back
from banwatch.model import Ban, Chunk, Position, Unban
from banwatch.store.store import Store
from banwatch.store.values import Batch, Delta, Event, Key, Saved

BEHIND = 1.0
"""Seconds from a change until it is written."""

IDLY_BEHIND = 10.0
"""The same where only positions changed: to read once more what counts for nobody does no harm."""

RETRIES = (1.0, 5.0, 15.0, 60.0)
"""Seconds from a failure to the next try; the last one again and again."""

WAITING = 10_000
"""Events that are kept for the history while nothing can be written; of more the newest."""

BULK = 5000
"""Bans and events in one write from which on the memory that it took is given back at once."""

CLUES = 200
"""Events whose lines are looked for with one write; of a greater burst they are read back when somebody asks, from the logs."""

FORGOTTEN = 30 * 86400.0
"""So old, in seconds, is the position of a log that is gone for good."""

Change = Ban | Unban


class Desk(Protocol):
    """What there is to write down."""

    def bans(self) -> Iterable[Ban]:
        """All of the book."""
        ...

    def ban(self, key: Key) -> Ban | None:
        """One entry of it."""
        ...

    def windows(self, everything: bool) -> Sequence[Delta]:
        """What the windows hold, or what changed in them since this was asked last."""
        ...

    def clue(self, ban: Ban) -> object:
        """By what the lines are found that led to a ban that was decided just now; None if there are none."""
        ...

    def reads(self, chunk: Chunk) -> None:
        """The work on `chunk` begins."""
        ...

    def ends(self, unban: Unban) -> None:
        """A ban has ended."""
        ...

    def found(self, saved: Saved) -> None:
        """A store that could not be read at the start can be read by now; what it has is older than the book."""
        ...


class Scribe:
    """
    The one writer to the store.

    Args:
        log: a structlog logger.
        fail: called with each failure.

    Attributes:
        fault: why nothing is remembered, in words; None while it is.
        lost: events that will never be in the history.
        written, failed: how often something was written, or could not be.
    """

    def __init__(
        self, store: Store, desk: Desk, clock: Callable[[], float], log: Any, fail: Callable[[], object] = lambda: None
    ) -> None:
        self.fault: str | None = None
        self.lost = self.written = self.failed = 0
        self._store = store
        self._desk = desk
        self._clock = clock
        self._log = log
        self._tell = fail
        self._keys: dict[Key, None] = {}
        self._events: deque[Event] = deque()
        self._positions: dict[str, Position] = {}
        self._moved: dict[str, None] = {}
        self._counted = self._whole = self._unread = self._unsynced = False
        self._failures = 0
        self._due: float | None = None
        self._writing: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._under_way = 0
        self._between = asyncio.Event()
        self._between.set()
        self._free = asyncio.Event()
        self._free.set()

    async def load(self) -> Saved:
        """What was remembered; nothing, and a fault, where it cannot be read."""
        try:
            saved = await self._load()
        except StoreError as error:
            self._unread = True
            self._fail(error)
            saved = Saved()
        if self.fault is not None:
            self._write_within(RETRIES[0])
        return saved

    def changed(self, changes: Sequence[Change]) -> None:
        """The book has changed."""
        now = self._clock()
        for change in changes:
            if isinstance(change, Unban):
                self._keys[change.ban.jail, change.ban.target] = None
                self._events.append(Event(change.at, "unban", change.ban, change.why))
                self._desk.ends(change)
            else:
                self._keys[change.jail, change.target] = None
                self._events.append(Event(now, "ban", change, change.why))
        if changes:
            self._write_within(BEHIND)

    def everything_changed(self) -> None:
        """Every entry of the book is another one now: the clock was set."""
        self._whole = True
        self._write_within(BEHIND)

    @asynccontextmanager
    async def reading(self, chunk: Chunk) -> AsyncIterator[None]:
        """
        Around the work on a chunk, in however many pieces: only before it and after it things fit together.

        All of it has to be worked on, also by who is cancelled meanwhile. While something is about to be written no other
        chunk is begun.
        """
        await self._free.wait()
        self._under_way += 1
        self._between.clear()
        self._desk.reads(chunk)
        try:
            yield
        finally:
            within = BEHIND if self._counted else IDLY_BEHIND
            if chunk.source not in self._positions:
                within = 0.0  # without a position the next life would know nothing of files that were rotated away meanwhile
            self._positions[chunk.source] = chunk.position
            self._moved[chunk.source] = None
            self._under_way -= 1
            if not self._under_way:
                self._between.set()
            self._write_within(within)

    def counted(self) -> None:
        """Something in the chunk that is worked on has counted."""
        self._counted = True

    async def flush(self) -> str | None:
        """Write down all that happened, on the disk; why that is not possible, or None when it is done."""
        if self.fault is None:  # while it fails the next try comes by itself; nobody has to wait for it
            await self._write(durable=True)
        return self.fault

    async def run(self) -> None:
        """Write when it is due, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            wait = None if self._due is None else max(0.0, self._due - loop.time())
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                # Whoever cancels this does not tear what is being written.
                self._writing = asyncio.create_task(self._write())
                await asyncio.shield(self._writing)

    async def close(self) -> None:
        """Write the last, and let go of the store."""
        await self._write(durable=True)
        await self._store.close()

    async def _load(self) -> Saved:
        try:
            saved = await self._store.load()
        except StoreError as error:
            if not error.damaged:
                raise
            self._fail(error)
            saved = await self._store.load()
            self._whole = True
        for source, text in saved.positions.items():
            try:
                position = Position.parse(text)
            except ValueError as error:
                self._log.warning("position in the store makes no sense", log=source, error=str(error))
                continue
            if position.at >= self._clock() - FORGOTTEN:
                self._positions.setdefault(source, position)
        return saved

    @property
    def positions(self) -> dict[str, Position]:
        """How far each source has been read."""
        return dict(self._positions)

    async def _write(self, durable: bool = False) -> None:
        async with self._turn:
            self._due = None
            try:
                if self._unread:
                    self._desk.found(await self._load())
                    self._unread, self._whole = False, True
                batch = await self._take_between(durable)
                if batch is None:
                    return
                try:
                    await self._store.write(batch, durable)
                except StoreError:
                    self._put_back(batch)
                    raise
            except StoreError as error:
                self._fail(error)
                again = RETRIES[min(self._failures, len(RETRIES)) - 1]
                self._write_within(0.0 if error.damaged and self._failures == 1 else again)
            except Exception:
                # A fault of ours, with something that somebody has made up: it must not end the protection from all others.
                self._log.exception("what changed could not be written")
                self._whole = True
                self._fail(StoreError("a fault of banwatch, which its log tells more about"))
                self._write_within(RETRIES[-1])
            else:
                self._succeed(durable)
                if len(batch.bans) + len(batch.events) > BULK:
                    del batch
                    await asyncio.to_thread(give_back)

    async def _take_between(self, durable: bool) -> Batch | None:
        self._free.clear()
        try:
            await self._between.wait()
            return self._take(durable)
        finally:
            self._free.set()

    def _take(self, durable: bool) -> Batch | None:
        """All that is to be written, as it stands at this moment; None if nothing is."""
        if not (self._keys or self._events or self._moved or self._counted or self._whole or (durable and self._unsynced)):
            return None
        whole = self._whole
        entries = {} if whole else {key: self._desk.ban(key) for key in self._keys}
        bans = list(self._desk.bans()) if whole else [ban for ban in entries.values() if ban is not None]
        gone = [key for key, ban in entries.items() if ban is None]
        everything = whole or self._store.wants_all_windows
        windows = self._desk.windows(everything)
        sources = self._positions if whole else self._moved
        positions = {source: self._positions[source].render() for source in sources}
        events = [*map(self._with_clue, islice(self._events, CLUES)), *islice(self._events, CLUES, None)]
        self._keys, self._moved = {}, {}
        self._events.clear()
        self._counted = self._whole = False
        return Batch(bans, gone, events, windows, positions, everything, whole, self._clock())

    def _with_clue(self, event: Event) -> Event:
        """By what its lines are found is looked for now and not when the ban was made, which would have waited for it."""
        if event.action != "ban" or event.clue is not None:
            return event
        return event._replace(clue=self._desk.clue(event.ban))

    def _put_back(self, batch: Batch) -> None:
        """What could not be written: the history waits, all else is taken anew with the next try."""
        self._whole = True
        self._events.extendleft(reversed(batch.events))
        if (over := len(self._events) - WAITING) > 0:
            self.lost += over
            self._events = deque(islice(self._events, over, None))

    def _fail(self, error: StoreError) -> None:
        self._failures += 1
        self.failed += 1
        self._tell()
        fault = f"nothing is remembered over a restart: {error.message}"
        if error.damaged:
            self._log.error("store is damaged", error=error.message, hint=error.hint or None)
        elif fault != self.fault:
            self._log.error("store cannot be used; all goes on in memory", error=error.message, hint=error.hint or None)
        self.fault = fault

    def _succeed(self, durable: bool) -> None:
        self.written += 1
        self._unsynced = not durable
        if self.fault is not None:
            self._log.warning("store can be used again; all is written down", store=self._store.name)
        self.fault, self._failures = None, 0

    def _write_within(self, seconds: float) -> None:
        due = asyncio.get_running_loop().time() + seconds
        if self.fault is not None and self._due is not None:
            return  # the next try has its time
        if self._due is None or due < self._due:
            self._due = due
            self._wake.set()
