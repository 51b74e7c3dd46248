"""
A waker for when the kernel will not wake: everything has to be looked at from time to time.
"""

import asyncio
import os
import time
from collections.abc import Iterable

from banwatch.sources.base import Event


class PollingWaker:
    """
    Watches nothing; only time passes, or somebody calls wake().

    Args:
        errno: why, for whoever asks to have something watched.
    """

    def __init__(self, errno: int) -> None:
        self.errno = errno
        self._waiter: asyncio.Future[None] | None = None

    def open(self) -> None:
        """There is nothing to open."""

    def close(self) -> None:
        self.wake()

    def watch_file(self, descriptor: int) -> int:  # noqa: ARG002
        raise OSError(self.errno, os.strerror(self.errno))

    def watch_directory(self, path: str) -> int:  # noqa: ARG002
        raise OSError(self.errno, os.strerror(self.errno))

    def unwatch(self, watch: int) -> None:
        """There is nothing to let go of."""

    def drain(self) -> Iterable[Event]:
        return ()

    async def wait(self, seconds: float | None) -> None:
        """Until wake() is called or the time is up."""
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = None if seconds is None else loop.call_later(max(seconds, 0.0), self.wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def now(self) -> float:
        return time.monotonic()
