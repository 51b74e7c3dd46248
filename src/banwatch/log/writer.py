"""
Writes events in a thread of its own, so that a pipe nobody reads or a full disk never holds up a ban.

The queue is bounded: when it is full events are dropped and counted, and the count is told as soon as there is room.
"""

import time
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from threading import Thread
from typing import Any

from banwatch.log.sinks import Sink

LONGEST = 20_000
PATIENCE = 2.0
"""Seconds that what is queued gets to be written at the end."""

Event = Mapping[str, Any]


class Writer:
    """
    A sink behind a queue; `close` has to be called to see everything written.

    Args:
        longest: events that may wait.
    """

    def __init__(self, sink: Sink, longest: int = LONGEST) -> None:
        self.dropped = 0
        self._sink = sink
        self._longest = longest
        self._untold = 0
        self._queue: SimpleQueue[Event | Callable[[], None] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="banwatch-log", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Events that nobody will read: dropped here, or refused where they should have gone."""
        return self.dropped + self._sink.lost

    def write(self, event: Event) -> None:
        """Have `event` written; dropped and counted if too many wait already."""
        if self._queue.qsize() >= self._longest:
            self.dropped += 1
            self._untold += 1
            return
        if self._untold:
            lost = {"at": time.time(), "level": "error", "event": "log lines were lost", "lines": self._untold}
            self._untold = 0
            self._queue.put(lost)
        self._queue.put(event)

    def change(self, sink: Sink) -> None:
        """Write to `sink` from here on; the one before is closed."""

        def swap() -> None:
            self._sink.close()
            sink.lost += self._sink.lost
            self._sink = sink

        self._queue.put(swap)

    def reopen(self) -> None:
        """Reopen the sink after what is queued was written."""
        self._queue.put(lambda: self._sink.reopen())

    def close(self) -> None:
        """Write what is queued, as far as PATIENCE goes, and close the sink."""
        self._queue.put(None)
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                if callable(item):
                    item()
                else:
                    self._sink.write(item)
            except OSError as error:  # of reopening: the old file stays in use
                self._sink.write(
                    {"at": time.time(), "level": "error", "event": "log cannot be reopened", "error": error.strerror}
                )
        self._sink.close()
