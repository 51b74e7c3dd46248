"""
Which lines could match at all: found in the bytes of a whole chunk, so that the other lines never become objects.

Lines with other bytes than those of ASCII are candidates always: needles tell nothing about them, and few lines have any.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from banwatch.filter.needles import EVERY_LINE, Needle

Span = tuple[int, int]
"""Where a line begins and ends, without its line end."""

_BLOCK: Final = 4096


class Prefilter(Protocol):
    """Looks for the needles of several lenses at once; `engine` names what it looks with."""

    engine: str

    def candidates(self, data: bytes, lenses: Sequence[int]) -> Sequence[list[Span]]:
        """For each of `lenses` the lines with a needle of its, in order, each once; there may be others among them."""


def open_prefilter(needles: Sequence[Sequence[Needle]]) -> Prefilter:
    """
    Vectorscan, or `re` where that cannot be loaded or does not run on this CPU.

    Args:
        needles: of each lens.
    """
    try:
        from banwatch.filter.vectorscan import Vectorscan

        return Vectorscan(needles)
    except (ImportError, ValueError):
        return RePrefilter(needles)


class RePrefilter:
    """By `re` and bytes.find: one pass for each needle."""

    engine = "re"

    def __init__(self, needles: Sequence[Sequence[Needle]]) -> None:
        self._lenses = tuple(map(_ReNeedles, needles))

    def candidates(self, data: bytes, lenses: Sequence[int]) -> Sequence[list[Span]]:
        """For each of `lenses` the lines with a needle of its."""
        return [self._lenses[lens].candidates(data) for lens in lenses]


class _ReNeedles:
    """The needles of one lens."""

    def __init__(self, needles: Sequence[Needle]) -> None:
        self._every = EVERY_LINE in needles
        self._regexes = tuple(re.compile(needle.regex + b".*") for needle in needles if needle.literal is None)
        self._literals = tuple(needle for needle in needles if needle.literal is not None)

    def candidates(self, data: bytes) -> list[Span]:
        if self._every:
            return list(every_line(data))
        if len(self._regexes) == 1 and not self._literals and data.isascii():
            return list(_search(self._regexes[0], data))
        found: dict[int, int] = {}
        for regex in self._regexes:
            found.update(_search(regex, data))
        lower = data.lower() if any(needle.folded for needle in self._literals) else data
        for needle in self._literals:
            found.update(_find(needle.literal or b"", lower if needle.folded else data))
        if not data.isascii():
            found.update(beyond_ascii(data))
        return sorted(found.items())


def every_line(data: bytes) -> Iterator[Span]:
    """All lines there are."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield start, end
        start = end + 1
    if start < len(data):
        yield start, len(data)


def _search(regex: re.Pattern[bytes], data: bytes) -> Iterator[Span]:
    rfind = data.rfind
    for found in regex.finditer(data):
        start, end = found.span()
        yield rfind(b"\n", 0, start) + 1, end


def _find(literal: bytes, data: bytes) -> Iterator[Span]:
    place = data.find(literal)
    while place >= 0:
        end = data.find(b"\n", place)
        if end < 0:
            end = len(data)
        yield data.rfind(b"\n", 0, place) + 1, end
        place = data.find(literal, end)


def beyond_ascii(data: bytes) -> Iterator[Span]:
    """The lines that hold a byte which is no ASCII."""
    end = 0
    for block in range(0, len(data), _BLOCK):
        if data[block : block + _BLOCK].isascii():
            continue
        for found in re.finditer(rb"[\x80-\xff]", data[block : block + _BLOCK]):
            place = block + found.start()
            if place < end:
                continue
            end = data.find(b"\n", place)
            if end < 0:
                end = len(data)
            yield data.rfind(b"\n", 0, place) + 1, end
