"""host/clock.py: the wall clock, and word of its steps."""

import asyncio
import time

import pytest

from banwatch.host.clock import TOLERANCE, Clock

START = 1_780_000_000.0


class Clocks:
    """A wall clock and a steady one that stand still until they are moved."""

    def __init__(self):
        self.wall, self.steady, self.heard = START, 500.0, []
        self.clock = Clock(lambda: self.wall, lambda: self.steady)
        self.clock.listen(self.heard.append, lambda: self.heard.append("woken"))

    def pass_(self, seconds):
        self.wall += seconds
        self.steady += seconds


def test_time_that_passes_is_no_step():
    """As long as both clocks go on together nothing is told, also after hours, and for what two readings may differ."""
    clocks = Clocks()
    clocks.pass_(7200.0)
    clocks.wall += TOLERANCE
    assert clocks.clock() == START + 7200.0 + TOLERANCE
    assert clocks.heard == []


@pytest.mark.parametrize("step", [-3600.0, 3600.0, 1e9, -0.75])
def test_a_step_is_told_once(step):
    """Whoever asks for the time hears of the step first; then the new time is the right one."""
    clocks = Clocks()
    clocks.pass_(10.0)
    clocks.wall += step
    assert clocks.clock() == START + 10.0 + step
    assert clocks.heard == [pytest.approx(step), "woken"]
    clocks.pass_(10.0)
    clocks.clock()
    assert len(clocks.heard) == 2


def test_small_steps_add_up():
    """Half a second now and then is no step each, and one together."""
    clocks = Clocks()
    for _ in range(3):
        clocks.wall += 0.25
        clocks.clock()
    assert clocks.heard == [0.75, "woken"]


@pytest.mark.kernel
async def test_the_kernel_tells_of_a_clock_that_is_set():
    """Setting the clock, if only to what it shows, wakes up whoever has timers; each time."""
    woken = asyncio.Queue()
    async with Clock() as clock:
        clock.listen(lambda _: None, lambda: woken.put_nowait(None))
        for _ in range(2):
            try:
                time.clock_settime(time.CLOCK_REALTIME, time.time())
            except PermissionError:
                pytest.skip("needs the right to set the clock")
            await asyncio.wait_for(woken.get(), 5)


async def test_without_timers(monkeypatch):
    """Where the C library or the kernel has no such timer, steps are seen when somebody asks for the time."""
    monkeypatch.setattr("banwatch.host.clock._FAR", b"\xff" * 32)  # a time that no timer takes
    clocks = Clocks()
    async with clocks.clock:
        clocks.wall += 60.0
        clocks.clock()
    assert clocks.heard == [60.0, "woken"]
