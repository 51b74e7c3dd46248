"""
Several logs as one, in the order of time.

Files that logrotate made of one log (auth.log, auth.log.1, auth.log.2.gz; auth.log-20261120) are read one behind the other.
Different logs that tell of the same days are taken piece by piece, so that their lines come in order to within SLACK.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf
from typing import Final, NamedTuple

from banwatch.cli.logfile import HEAD, Dates, LogFile, read_chunks
from banwatch.model import Chunk
from banwatch.sources.unpack import ENDINGS

SLACK: Final = 60.0
"""Seconds by which lines of different logs may come too late; smaller pieces take longer."""

_ROTATED: Final = re.compile(
    rf"(?P<stem>.+?)(?:\.(?P<number>[0-9]{{1,4}})|[.-](?P<date>[0-9]{{8,14}}))?(?:\.(?:{'|'.join(ENDINGS)}))?", re.DOTALL
)
_SEARCHED: Final = 4096

Note = Callable[[int], object]


class Part(NamedTuple):
    """A file of a rotated log; `now` is when it ends at the latest, for dates without a year. `size` is in bytes."""

    path: str
    now: float
    begins: float
    size: int


class Piece(NamedTuple):
    """Lines, of which none is older than `since`, nor is one that comes later. inf: one log alone, in whatever order it is."""

    chunk: Chunk
    since: float


def arrange(paths: Iterable[str], now: float) -> list[list[Part]]:
    """
    The files by the log they belong to, oldest first; the logs by the date they begin with.

    Args:
        now: when the newest files end.
    Raises:
        SourceError: one cannot be read.
    """
    files: dict[str, list[tuple[tuple[int, int], str]]] = {}
    for path in dict.fromkeys(paths):
        stem, age = _age(path)
        files.setdefault(stem, []).append((age, path))
    logs = [_date([path for _, path in sorted(same)], now) for same in files.values()]
    return sorted(logs, key=lambda parts: parts[0].begins)


def total_size(logs: Iterable[Iterable[Part]]) -> int:
    """The bytes of all files, packed or not."""
    return sum(part.size for parts in logs for part in parts)


def read_in_order(logs: Sequence[Sequence[Part]], note: Note | None = None) -> Iterator[Piece]:
    """
    The lines of all logs.

    Raises:
        SourceError: a file cannot be read to its end.
    """
    if len(logs) == 1:
        yield from (Piece(chunk, inf) for chunk in _read(logs[0], note))
        return
    heads = [head for parts in logs if (head := _Head(_read(parts, note))).go_on()]
    while heads:
        head = min(heads, key=lambda head: head.at)
        limit = min((other.at for other in heads if other is not head), default=inf)
        yield Piece(head.take(limit + SLACK), head.at)
        if not head.go_on():
            heads.remove(head)


def _age(path: str) -> tuple[str, tuple[int, int]]:
    """The log that a file belongs to, and how old it is among its files."""
    found = _ROTATED.fullmatch(path)
    if path == "-" or found is None:
        return path, (0, 0)
    if found["number"] is not None:
        return found["stem"], (1, int(found["number"]))
    return found["stem"], (0, 0) if found["date"] is None else (1, -int(found["date"]))


def _date(paths: Sequence[str], now: float) -> list[Part]:
    """
    The files of one log, of which the newest comes first, as parts in the order of time.

    Dates without a year go back one year at most. Where a file seems to begin after the one that came after it, it is of a
    year before that; unless there are more of these than of others, because then the numbers mean something else.
    """
    parts = [_look_at(path, now) for path in paths]
    dated = [part.begins for part in parts if part.begins < inf]
    later = sum(older > newer for newer, older in pairwise(dated))
    if later and later * 2 < len(dated) - 1:
        end = now
        for index, path in enumerate(paths):
            parts[index] = part = _look_at(path, end)
            end = min(end, part.begins)
    parts.reverse()  # where two begin alike
    return sorted(parts, key=lambda part: part.begins)


def _look_at(path: str, now: float) -> Part:
    """When a file begins; not a pipe, which can be read once only."""
    with LogFile(path) as log:
        at = Dates(now).first(log.read(HEAD)) if log.size else None
        return Part(path, now, inf if at is None else at, log.size)


def _read(parts: Iterable[Part], note: Note | None) -> Iterator[Chunk]:
    for part in parts:
        yield from read_chunks(part.path, part.now, note)


class _Head:
    """What comes next in one log."""

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self._chunks = chunks
        self._chunk: Chunk | None = None
        self._place = 0
        self.at = -inf

    def go_on(self) -> bool:
        """Whether there are more lines; `at` is the date of the next one, or of one before that if it has none."""
        if self._chunk is None or self._place == len(self._chunk.data):
            self._chunk, self._place = next(self._chunks, None), 0
            if self._chunk is None:
                return False
            self._dates = Dates(self._chunk.read_at)
        at = self._date(self._place)
        self.at = at if at is not None else self.at
        return True

    def take(self, limit: float) -> Chunk:
        """The next line, and those behind it until one is later than `limit`."""
        assert self._chunk is not None
        chunk, start = self._chunk, self._place
        self._place = end = self._end(limit)
        return chunk if end - start == len(chunk.data) else replace(chunk, data=chunk.data[start:end], start=chunk.start + start)

    def _end(self, limit: float) -> int:
        """Where the first line is that is later, looked for by halves, since a log is in order."""
        assert self._chunk is not None
        data = self._chunk.data
        low, high = self._line(self._place), len(data)
        last = self._date(data.rfind(b"\n", 0, high - 1) + 1)
        if last is not None and last <= limit:
            return high
        while high - low > _SEARCHED:
            middle = self._line((low + high) // 2)
            if middle >= high:
                break
            at = self._date(middle)
            if at is not None and at <= limit:
                low = middle
            else:
                high = middle
        while low < len(data) and ((at := self._date(low)) is None or at <= limit):
            low = self._line(low)
        return low

    def _line(self, place: int) -> int:
        """Where the line after the one at `place` begins."""
        assert self._chunk is not None
        return self._chunk.data.find(b"\n", place) + 1 or len(self._chunk.data)

    def _date(self, place: int) -> float | None:
        assert self._chunk is not None
        return self._dates.first(self._chunk.data[place : self._line(place)])
