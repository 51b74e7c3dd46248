"""
The store as the event loop sees it: nothing here blocks, everything happens in one thread of its own, in order.

After a StoreError the database is closed; the next call opens it again, or a new one where the old was damaged, and the next
batch has to be a whole one.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from banwatch.errors import StoreError
from banwatch.store.aside import set_aside
from banwatch.store.database import BOUNDS, BUSY_SECONDS, Bounds, Database, Missing, Reader
from banwatch.store.values import Batch, Event, Saved

WAITING = 200
"""Events whose evidence is waited for; of more the newest."""

REST = 9.0
"""Looking for evidence is followed by so many times as long in which it is not looked for."""

T = TypeVar("T")

Who = tuple[str, str]
"""(realm, who), as in Target."""


class Store(Protocol):
    """
    What remembers. Each method but `close` raises StoreError when it cannot; `damaged` says that the database was set aside,
    and that the same once more will find a new one.

    Attributes:
        name: where it is, for messages; None is a store that remembers nothing.
        wants_all_windows: the next batch should have `all_windows`, or the store grows.
    """

    @property
    def name(self) -> str | None: ...
    @property
    def wants_all_windows(self) -> bool: ...
    async def load(self) -> Saved:
        """What was remembered in an earlier life; empty at the first start."""
        ...

    async def write(self, batch: Batch, durable: bool = False) -> None:
        """Remember all of `batch`; with `durable` also after a power failure."""
        ...

    async def history(self, who: Sequence[Who] | None, since: float, most: int) -> Sequence[Event]:
        """What happened since then to `who` (None is everybody), oldest first; of more than `most` the newest."""
        ...

    async def close(self) -> None:
        """Let go of the file; the next call opens it again."""
        ...


class FileStore:
    """
    The database at `path`. Building it opens nothing.

    Args:
        read: finds the evidence of events; called in the thread.
        busy: seconds to wait for another connection that has the database locked.
    """

    def __init__(
        self,
        path: Path,
        read: Reader,
        bounds: Bounds = BOUNDS,
        clock: Callable[[], float] = time.time,
        busy: float = BUSY_SECONDS,
    ) -> None:
        self._path = path
        self._read = read
        self._bounds = bounds
        self._clock = clock
        self._busy = busy
        self._database: Database | None = None
        self._missing: deque[Missing] = deque(maxlen=WAITING)
        self._rest_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._filling: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")

    @property
    def name(self) -> str | None:
        return str(self._path)

    @property
    def wants_all_windows(self) -> bool:
        return self._database is not None and self._database.wants_all_windows

    async def load(self) -> Saved:
        return await self._run(self._load)

    async def write(self, batch: Batch, durable: bool = False) -> None:
        self._missing.extend(await self._run(lambda: self._with(lambda database: database.write(batch, durable))))
        self._fill_soon()

    async def history(self, who: Sequence[Who] | None, since: float, most: int) -> Sequence[Event]:
        await self._fill()
        return await self._run(lambda: self._with(lambda database: database.history(who, since, most)))

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._fill()
        await self._run(self._drop)

    def _fill_soon(self) -> None:
        """Find the evidence of what was written, in so little of the time that nobody else feels it."""
        if self._missing and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(self._rest_until, loop.time()), self._start_to_fill)

    def _start_to_fill(self) -> None:
        self._filling = asyncio.create_task(self._fill())

    async def _fill(self) -> None:
        self._timer = None
        missing = list(self._missing)
        if not missing:
            return
        self._missing.clear()
        with suppress(StoreError):  # what cannot be written is read from the logs when somebody asks
            took = await self._run(lambda: self._with(lambda database: _timed(lambda: database.fill(missing, self._read))))
            self._rest_until = asyncio.get_running_loop().time() + took * REST
        self._fill_soon()

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # In the thread

    def _load(self) -> Saved:
        try:
            return self._with(Database.load)
        except StoreError as error:
            if error.damaged:
                raise
            return self._load_unwritable(error)

    def _load_unwritable(self, error: StoreError) -> Saved:
        """What is on a file system that was mounted read-only is still worth knowing."""
        try:
            database = Database.open_to_read(self._path)
        except StoreError:
            raise error from None
        try:
            return database.load()
        finally:
            database.close()

    def _with(self, work: Callable[[Database], T]) -> T:
        try:
            if self._database is None:
                self._database = Database.open(self._path, self._bounds, busy=self._busy)
            return work(self._database)
        except StoreError as error:
            self._drop()
            if not error.damaged:
                raise
            aside = set_aside(self._path, self._clock())
            raise StoreError(f"{error.message}; it was set aside as {aside}", "a new one is begun", damaged=True) from error

    def _drop(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def _timed(work: Callable[[], object]) -> float:
    """How many seconds of the processor it took."""
    began = time.thread_time()
    work()
    return time.thread_time() - began
