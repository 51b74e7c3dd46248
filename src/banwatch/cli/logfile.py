"""Old logs as chunks: plain or packed files, and standard input."""

import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from types import TracebackType
from typing import Final

from banwatch.errors import BanwatchError
from banwatch.filter.dates import KNOWN, DateReader
from banwatch.model import Chunk, Position
from banwatch.sources.cut import Cutter
from banwatch.sources.journal_lines import SUFFIX, JournalLines
from banwatch.sources.unpack import Unpacked, unreadable

BLOCK: Final = 256 * 1024
"""What becomes of a larger piece does not fit the processor's cache."""

HEAD: Final = 64 * 1024
_NOWHERE: Final = Position(0, 0, 0)
_DATE: Final = re.compile(KNOWN.pattern)


class LogFile:
    """
    The bytes of a log, unpacked according to its name, or the entries of a journal file as lines; `-` is standard input.

    `size` is that of the file as it is, packed or not; 0 if it is no file of lines.

    Raises:
        SourceError: it cannot be opened, or what unpacks it is not here.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.size = 0
        self._file: Unpacked | JournalLines | None = None
        if path == "-":
            return
        try:
            raw = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 - close() closes it
            status = os.fstat(raw.fileno())
        except OSError as error:
            raise unreadable(path, error) from error
        if path.endswith(SUFFIX):
            raw.close()
            self._file = JournalLines(path)
            return
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        self._file = Unpacked(raw, path)

    def __enter__(self) -> "LogFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def position(self) -> int:
        """How many of its `size` bytes were taken from the file."""
        return self._file.taken if isinstance(self._file, Unpacked) and self.size else 0

    def read(self, size: int = BLOCK) -> bytes:
        """
        The next bytes, at most `size`; empty at the end.

        Raises:
            SourceError: it is not packed as its name says, or the disk fails.
        """
        if self._file is not None:
            return self._file.read(size)
        try:
            return sys.stdin.buffer.read(size)
        except OSError as error:
            raise unreadable(self.path, error) from error

    def close(self) -> None:
        """Let go of the file; standard input stays open."""
        if self._file is not None:
            self._file.close()


def read_chunks(path: str, read_at: float, note: Callable[[int], object] | None = None) -> Iterator[Chunk]:
    """
    The lines of a log in pieces of about BLOCK bytes; the last one need not have an end.

    Args:
        read_at: what every chunk gets as the time of reading.
        note: is told how many more bytes of the file were taken, after each piece.
    Raises:
        SourceError: it cannot be read to its end.
    """
    cutter = Cutter()
    told = 0
    with LogFile(path) as log:
        while block := log.read():
            if lines := cutter.feed(block):
                yield Chunk(path, lines, cutter.start, _NOWHERE, False, read_at)
            if note is not None:
                place = log.position
                note(place - told)
                told = place
    if lines := cutter.finish():
        yield Chunk(path, lines, cutter.start, _NOWHERE, False, read_at)


class Dates:
    """
    The dates in lines of whatever form, to put them in order by.

    Args:
        now: decides the year of dates that have none.
    """

    def __init__(self, now: float) -> None:
        self._reader = DateReader(KNOWN, None)
        self._reader.begin(now)

    def first(self, data: bytes) -> float | None:
        """The first date in `data`."""
        dates = (self._reader.read(found.group()) for found in _DATE.finditer(data.decode("latin-1")))
        return next((at for at in dates if at is not None), None)


def parse_now(text: str | None) -> float:
    """
    The instant that an operator typed: ISO 8601, or seconds since the epoch; without a zone it is local time. None is now.

    Raises:
        BanwatchError: it is neither.
    """
    if text is None:
        return time.time()
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise BanwatchError(f"expected a time like 2026-11-20T10:00:00+01:00, got {text!r}") from None
