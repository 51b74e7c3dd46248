"""Old logs as chunks: plain or packed files, and standard input."""

import bz2
import gzip
import lzma
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from math import inf
from typing import IO, Any

from banwatch.errors import BanwatchError, SourceError
from banwatch.filter.dates import KNOWN, DateReader
from banwatch.model import Chunk, Position
from banwatch.sources.cut import Cutter

BLOCK = 1024 * 1024
_NOWHERE = Position(0, 0, 0)

_OPEN: dict[str, Callable[[str], Any]] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open, "lzma": lzma.open}
_DATE = re.compile(KNOWN.pattern)


def open_log(path: str) -> IO[bytes]:
    """
    The bytes of a log, unpacked according to its name; `-` is standard input.

    Raises:
        SourceError: it cannot be opened, or is packed in a way that cannot be read here.
    """
    ending = path.rpartition(".")[2]
    if ending == "zst":
        raise SourceError(f"{path}: .zst cannot be read here", "zstd -dc FILE | banwatch … -")
    try:
        if path == "-":
            return sys.stdin.buffer
        opened: IO[bytes] = _OPEN.get(ending, _open_plain)(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    return opened


def read_chunks(path: str, read_at: float) -> Iterator[Chunk]:
    """
    The lines of a log in pieces of about BLOCK bytes; the last one need not have an end.

    Args:
        read_at: what every chunk gets as the time of reading.
    Raises:
        SourceError: it cannot be read to its end.
    """
    cutter = Cutter()
    with open_log(path) as log:
        while block := _read(log, path):
            if lines := cutter.feed(block):
                yield Chunk(path, lines, cutter.start, _NOWHERE, False, read_at)
    if lines := cutter.finish():
        yield Chunk(path, lines, cutter.start, _NOWHERE, False, read_at)


def first_date(path: str, now: float) -> float:
    """
    When the log begins: the first date in its first 64 KiB; the end of time if there is none, or if it is standard input.

    Args:
        now: decides the year of dates that have none.
    """
    if path == "-":
        return inf
    with open_log(path) as log:
        head = _read(log, path, 65536).decode("latin-1")
    reader = DateReader(KNOWN, None)
    reader.begin(now)
    dates = (reader.read(found.group()) for found in _DATE.finditer(head))
    return next((at for at in dates if at is not None), inf)


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


def _open_plain(path: str) -> IO[bytes]:
    return open(path, "rb", buffering=0)  # noqa: PTH123 - the caller closes it


def _read(log: IO[bytes], path: str, size: int = BLOCK) -> bytes:
    try:
        return log.read(size)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> SourceError:
    return SourceError(f"{path}: {getattr(error, 'strerror', None) or error}")
