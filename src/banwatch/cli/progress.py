"""How far a long command has come, on a terminal."""

import time
from collections.abc import Callable
from typing import Final, TextIO

from banwatch.config.duration import render_duration

INTERVAL: Final = 0.1
PATIENCE: Final = 0.5
"""What is done within this many seconds needs no bar."""

_WIDTH: Final = 30
_ERASE: Final = "\r\x1b[K"


class Progress:
    """
    A bar that is drawn over itself; nothing at all where `out` is no terminal.

    Args:
        total: the sum of all that will be added; 0 if nobody knows, then there is no bar either.
        tell: more words for behind the bar.
        clock: seconds that only ever grow.
    """

    def __init__(
        self, out: TextIO, total: int, tell: Callable[[], str] = str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._out = out
        self._total = total
        self._tell = tell
        self._clock = clock
        self._done = 0
        self._shown = False
        self._wanted = total > 0 and out.isatty()
        self._start = clock()
        self._next = self._start + PATIENCE

    def add(self, amount: int) -> None:
        """So much more is done."""
        self._done += amount
        if self._wanted and (now := self._clock()) >= self._next:
            self._next = now + INTERVAL
            self._out.write(f"{_ERASE}{self._render(now - self._start)}")
            self._out.flush()
            self._shown = True

    def clear(self) -> None:
        """Make room for another line; the bar comes again with what is added next."""
        if self._shown:
            self._out.write(_ERASE)
            self._out.flush()
            self._shown = False

    def _render(self, seconds: float) -> str:
        share = min(self._done / self._total, 1.0)
        filled = int(share * _WIDTH)
        left = f", {render_duration(seconds / share - seconds)} left" if share > 0.0 else ""
        return f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {share:4.0%}{left}{self._tell()}"
