"""
The wall clock, and word of when somebody sets it.

A ban ends by the wall clock in the book, and by a clock of its own in the kernel, which nobody sets. When the wall clock is set
the two have to be brought together; when the host wakes up from a suspend, our own timers are late. A timer that the kernel
cancels on either occasion tells of it.
Source: timerfd_create(2), TFD_TIMER_CANCEL_ON_SET; clock_gettime(2), CLOCK_BOOTTIME.
"""

import asyncio
import ctypes
import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

TOLERANCE: Final = 0.5
"""Seconds; two readings of two clocks may lie that far apart on a busy host."""

_CLOCK_REALTIME: Final = 0
_TFD_NONBLOCK: Final = 0o4000
_TFD_CLOEXEC: Final = 0o2000000
_ABSOLUTE_AND_CANCEL_ON_SET: Final = 0b11
_FAR: Final = struct.pack("@4q", 0, 0, 1 << 55, 0)  # struct itimerspec: no interval; in a thousand million years


def _boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """
    Calling it gives the wall clock's time, after whoever listens was told of any step since the last call.

    Args:
        wall, steady: the two clocks that are compared; the steady one counts the time of a suspend too.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _boottime) -> None:
        self._stepped: Callable[[float], object] = lambda _: None
        self._woken: Callable[[], object] = lambda: None
        self._wall = wall
        self._steady = steady
        self._offset = wall() - steady()
        self._timer: int | None = None

    def __call__(self) -> float:
        """The time of now, in UTC seconds since the epoch."""
        now = self._wall()
        offset = now - self._steady()
        step = offset - self._offset
        if abs(step) > TOLERANCE:
            self._offset = offset
            self._stepped(step)
            self._woken()
        return now

    def listen(self, stepped: Callable[[float], object], woken: Callable[[], object]) -> None:
        """
        Args:
            stepped: called with the seconds by which the clock was set forward (negative: back).
            woken: called when timers may be late or early: the clock was set, or the host was suspended.
        """
        self._stepped, self._woken = stepped, woken

    async def __aenter__(self) -> Self:
        """Hear from the kernel of each time the clock is set; without such a timer a step is seen at the next call."""
        self._timer = _open_timer()
        if self._timer is not None:
            asyncio.get_running_loop().add_reader(self._timer, self._notice)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            asyncio.get_running_loop().remove_reader(self._timer)
            os.close(self._timer)
            self._timer = None

    def _notice(self) -> None:
        assert self._timer is not None
        with suppress(OSError):  # ECANCELED is the message; from now on the timer is armed anew
            os.read(self._timer, 8)
        _arm(self._timer)
        self()
        self._woken()


def _open_timer() -> int | None:
    try:
        timer = ctypes.CDLL(None).timerfd_create(_CLOCK_REALTIME, _TFD_NONBLOCK | _TFD_CLOEXEC)
    except (OSError, AttributeError):
        return None
    if timer < 0:
        return None
    if _arm(timer):
        return int(timer)
    os.close(timer)
    return None


def _arm(timer: int) -> bool:
    return bool(ctypes.CDLL(None).timerfd_settime(timer, _ABSOLUTE_AND_CANCEL_ON_SET, _FAR, None) == 0)
