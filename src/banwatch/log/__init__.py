"""The daemon's own log: structlog events to standard error, a file or the journal, written by a thread of its own."""

import sys
import time
from collections.abc import MutableMapping
from typing import Any

from banwatch.config.model import LogSpec
from banwatch.log.sinks import open_sink
from banwatch.log.writer import Writer


def _import_structlog() -> Any:
    # structlog.dev imports rich where it is installed: 11 MB for a traceback style nobody sees here.
    absent = sys.modules.get("rich") is None
    if absent:
        sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog
    finally:
        if absent:
            del sys.modules["rich"]
    return structlog


structlog = _import_structlog()

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

Event = MutableMapping[str, Any]


class Log:
    """The one log of the process, to standard error until it is configured."""

    def __init__(self) -> None:
        self._spec = LogSpec()
        self._writer = Writer(open_sink(self._spec))

    @property
    def lost(self) -> int:
        """Lines that could not be written, or had to make room."""
        return self._writer.lost

    def configure(self, spec: LogSpec) -> None:
        """
        Write as `spec` says from now on.

        Raises:
            OSError: the file cannot be opened; what was in use before stays.
        """
        if spec != self._spec:
            self._writer.change(open_sink(spec))
            self._spec = spec

    def reopen(self) -> None:
        """Open the file anew, after it was renamed away."""
        self._writer.reopen()

    def close(self) -> None:
        """Have everything written."""
        self._writer.close()

    def logger(self) -> Any:
        """A structlog logger; `jail` is the field that stands in brackets."""
        processors = [self._stamp, structlog.processors.format_exc_info, self._emit]
        return structlog.wrap_logger(self, processors=processors).bind()  # bound once, not anew for every event

    def _stamp(self, _logger: object, level: str, event: Event) -> Event:
        if LEVELS[level] < LEVELS[self._spec.level]:
            raise structlog.DropEvent
        event["at"] = time.time()
        event["level"] = level
        return event

    def _emit(self, _logger: object, _level: str, event: Event) -> Event:
        self._writer.write(event)
        raise structlog.DropEvent
