r"""
Regexes that nobody can prove harmless, kept from doing harm.

Where a regex can neither be proven linear nor be given to RE2 (references, look-around, in filters from elsewhere), a line
made for it could keep `re` busy for years. So it gets lines of a bounded length, and a budget of processor time. The timer is
the kernel's: `re` looks for signals as it goes, and what the handler raises ends the search. A regex that spent its budget
pauses for a second, then for twice as long each time, a minute at most, and always comes back.

This is the one place in this room with a clock. Signals reach the main thread alone: in another one there is the bounded
length only.
"""

import re
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

LONGEST: Final = 2048
"""Characters of a text that is looked at; a longer one is no match, since its end would be somewhere else."""

BUDGET: Final = 0.02
SHORTEST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0

_armed = False


class _BudgetSpentError(Exception):
    pass


class Bounded:
    """
    Like re.Pattern, as far as it is used here, but for what it finds in texts that are too long, take too long, or come while
    it pauses: nothing.

    Args:
        doubt: why it is not left to itself.
        budget: seconds of processor time for one text.
        clock: seconds, for the pauses.

    Attributes:
        blown: texts that spent the budget.
        skipped: texts that were not looked at: too long, or during a pause.
    """

    def __init__(
        self, regex: re.Pattern[str], doubt: str, budget: float = BUDGET, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.regex = regex
        self.doubt = doubt
        self.blown = self.skipped = 0
        self._budget = budget
        self._clock = clock
        self._pause = SHORTEST_PAUSE
        self._until = 0.0

    @property
    def pattern(self) -> str:
        """Its source."""
        return self.regex.pattern

    @property
    def groupindex(self) -> Mapping[str, int]:
        """Its named groups."""
        return self.regex.groupindex

    def search(self, text: str) -> re.Match[str] | None:
        """The first match in `text`."""
        return self._try(self.regex.search, text)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """The match of all of `text`."""
        return self._try(self.regex.fullmatch, text)

    def _try(self, seek: Callable[[str], re.Match[str] | None], text: str) -> re.Match[str] | None:
        if len(text) > LONGEST or self._clock() < self._until:
            self.skipped += 1
            return None
        try:
            found = _within(self._budget, seek, text)
        except _BudgetSpentError:
            self.blown += 1
            self._until = self._clock() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            return None
        if self._clock() > self._until + self._pause:
            self._pause = SHORTEST_PAUSE
        return found


def _within(budget: float, seek: Callable[[str], re.Match[str] | None], text: str) -> re.Match[str] | None:
    """
    What `seek` finds.

    Raises:
        _BudgetSpentError: it took more than `budget` seconds of processor time.
    """
    global _armed
    if threading.current_thread() is not threading.main_thread():
        return seek(text)
    signal.signal(signal.SIGVTALRM, _ring)
    _armed = True
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, budget)
        return seek(text)
    finally:
        # A signal that is on its way finds nobody who listens.
        _armed = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)


def _ring(_number: int, _frame: object) -> None:
    if _armed:
        raise _BudgetSpentError
