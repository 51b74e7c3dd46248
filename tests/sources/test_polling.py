"""The waker that only has a clock."""

import asyncio
import errno
import time

import pytest

from banwatch.sources.polling import PollingWaker


async def test_nothing_can_be_watched():
    """The reason is the one that was handed in."""
    waker = PollingWaker(errno.EMFILE)
    waker.open()
    with pytest.raises(OSError, match=r"^\[Errno 24\] Too many open files$"):
        waker.watch_directory("/")
    with pytest.raises(OSError, match=r"^\[Errno 24\] Too many open files$"):
        waker.watch_file(0)
    waker.unwatch(1)
    assert list(waker.drain()) == []
    assert abs(waker.now() - time.monotonic()) < 10


async def test_waiting_ends_with_the_time_or_a_call_or_the_end():
    """Three ways out."""
    waker = PollingWaker(errno.EMFILE)
    await asyncio.wait_for(waker.wait(0.001), 20)
    for way in (waker.wake, waker.close):
        waiting = asyncio.create_task(waker.wait(None))
        await asyncio.sleep(0)
        way()
        await asyncio.wait_for(waiting, 20)


async def test_giving_up_leaves_no_timer():
    """Cancelled is cancelled."""
    waker = PollingWaker(errno.EMFILE)
    waiting = asyncio.create_task(waker.wait(1000.0))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    waker.wake()
