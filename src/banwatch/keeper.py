"""Keeps the book, the kernel and the log in step: every change is carried out or told, and every ban ends on time."""

import asyncio
from collections.abc import Callable, Sequence

from banwatch.enforcer import Enforcer, concerns_kernel
from banwatch.engine import Change, Engine
from banwatch.reporter import Reporter


class Keeper:
    """
    What becomes of changes of the book.

    Args:
        clock: the wall clock.
        record: is told of every change first.

    Attributes:
        engine: the engine of now; a reload replaces it.
    """

    def __init__(
        self,
        engine: Engine,
        enforcer: Enforcer,
        reporter: Reporter,
        clock: Callable[[], float],
        record: Callable[[Sequence[Change]], object] = lambda _: None,
    ) -> None:
        self.engine = engine
        self._clock = clock
        self.record = record
        self._enforcer = enforcer
        self._reporter = reporter
        self._timer: asyncio.TimerHandle | None = None
        self._due: float | None = None

    def enact(self, changes: Sequence[Change]) -> None:
        """Have the kernel do its part soon; what concerns the book alone is told at once."""
        if not changes:
            return
        self.record(changes)
        self._enforcer.submit([change for change in changes if concerns_kernel(change)])
        self._tell_recorded(changes)
        self.enact(self.engine.shed(self._clock()))
        self.arm()

    async def carry_out(self, changes: Sequence[Change]) -> None:
        """
        The same, and return when the kernel has them all.

        Raises:
            FirewallError: it refuses one.
        """
        self.record(changes)
        self._tell_recorded(changes)
        self.enact(self.engine.shed(self._clock()))
        self.arm()
        await self._enforcer.carry_out([change for change in changes if concerns_kernel(change)])

    def arm(self) -> None:
        """Have the next ban ended when its time is over."""
        due = self.engine.book.next_expiry()
        if due == self._due and self._timer is not None:
            return
        self.disarm()
        if due is not None:
            self._due = due
            self._timer = asyncio.get_running_loop().call_later(max(0.0, due - self._clock()), self._expire)

    def rearm(self) -> None:
        """The same after the clock was set, or stood still."""
        self.disarm()
        self.arm()

    def disarm(self) -> None:
        """End nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._due = None

    def _expire(self) -> None:
        self._timer = None
        self.enact(self.engine.expire(self._clock()))
        self.arm()

    def _tell_recorded(self, changes: Sequence[Change]) -> None:
        self._reporter.done([change for change in changes if not concerns_kernel(change)], self._clock())
