"""Chunk → Match…: every line of a chunk that counts for some filter, in the order of the lines."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from heapq import merge
from typing import Final, NamedTuple

from banwatch.filter.match import Filter, make_matcher
from banwatch.filter.prefilter import RePrefilter
from banwatch.model import Chunk, Match

LONGEST: Final = 65536
"""Bytes of a line that are looked at; so regexes have a bounded amount of text before them."""

DENSE: Final = 0.4
"""From this share of lines on that may match it pays to look at all of them."""


class Lens(NamedTuple):
    """
    A filter, with how the lines of one log are to be read for it.

    `zone` is the zone of dates that name none, None is this system's; `encoding` has to hold ASCII as it is.
    """

    filter: Filter
    zone: tzinfo | None = None
    encoding: str = "utf-8"


class Scanner:
    """
    Applies filters to the chunks of one log.

    `lines` counts all lines, `candidates` those (per filter) that were looked at more closely, `matches` those that gave a Match,
    `cut` those that were longer than LONGEST, of which the rest was not looked at.

    Raises:
        ValueError: an encoding is unknown, or does not hold ASCII as it is, so that no line could be found in it.
    """

    def __init__(self, lenses: Sequence[Lens]) -> None:
        self.lines = self.candidates = self.matches = self.cut = 0
        for lens in lenses:
            check_encoding(lens.encoding)
        self._encodings = tuple(lens.encoding for lens in lenses)
        self._matchers = tuple(make_matcher(index, lens.filter, lens.zone) for index, lens in enumerate(lenses))
        self._dense = [False] * len(lenses)
        self._prefilters = tuple(RePrefilter(lens.filter.needles) for lens in lenses)

    @property
    def unmatched(self) -> int:
        """Candidates that gave no Match."""
        return self.candidates - self.matches

    def scan(self, chunk: Chunk, now: float) -> Iterator[Match]:
        """
        The matches in `chunk`, in the order of its lines; for one line in the order of the lenses.

        Args:
            now: decides the year of dates that have none.
        """
        data = chunk.data
        lines = count_lines(data)
        self.lines += lines
        text = data.decode("ascii") if data.isascii() else None
        if len(self._matchers) == 1:
            return self._scan(0, data, text, lines, now)
        return merge(*(self._scan(index, data, text, lines, now) for index in range(len(self._matchers))), key=_start)

    def match_line(self, lens: int, text: str, now: float) -> Match | None:
        """What one line, given as text without its end, gives for the lens of this index."""
        matcher = self._matchers[lens]
        matcher.begin(now)
        text = text.lstrip("\0").rstrip("\r\n")[:LONGEST]
        return matcher.match(text, 0, len(text), 0)

    def fits(self, lens: int, text: str) -> bool:
        """Whether a line has the header, and so the program, whose messages the lens of this index reads."""
        return self._matchers[lens].fits(text[:LONGEST])

    def _scan(self, lens: int, data: bytes, text: str | None, lines: int, now: float) -> Iterator[Match]:
        matcher = self._matchers[lens]
        matcher.begin(now)
        if text is None or "\r" in text or "\0" in text:
            return self._scan_untidy(lens, data)
        return self._scan_all(lens, text, lines) if self._dense[lens] else self._scan_some(lens, data, text, lines)

    def _scan_some(self, lens: int, data: bytes, text: str, lines: int) -> Iterator[Match]:
        """Looks at candidates only."""
        match = self._matchers[lens].match
        candidates = matches = 0
        for start, end in self._prefilters[lens].candidates(data):
            candidates += 1
            if end - start > LONGEST:
                self.cut += 1
                end = start + LONGEST
            found = match(text, start, end, start)
            if found is not None:
                matches += 1
                yield found
        self.candidates += candidates
        self.matches += matches
        self._dense[lens] = candidates > lines * DENSE

    def _scan_all(self, lens: int, text: str, lines: int) -> Iterator[Match]:
        """Looks at every line: where most of them match, looking for candidates first takes longer."""
        match = self._matchers[lens].match
        start = matches = 0
        for line in text.split("\n"):
            length = len(line)
            if length <= LONGEST:
                found = match(line, 0, length, start)
            else:
                self.cut += 1
                found = match(line[:LONGEST], 0, LONGEST, start)
            if found is not None:
                matches += 1
                yield found
            start += length + 1
        self.candidates += lines
        self.matches += matches
        self._dense[lens] = matches > lines * DENSE

    def _scan_untidy(self, lens: int, data: bytes) -> Iterator[Match]:
        """Looks at candidates of a chunk with other bytes than those of plain text."""
        match = self._matchers[lens].match
        encoding = self._encodings[lens]
        for start, end in self._prefilters[lens].candidates(data):
            self.candidates += 1
            # Where a log was truncated under its writer a hole is left, which reads as zeros before the next line.
            raw = data[start:end].lstrip(b"\0")
            if len(raw) > LONGEST:
                self.cut += 1
            line = raw[:LONGEST].rstrip(b"\r").decode(encoding, "backslashreplace")
            found = match(line, 0, len(line), start)
            if found is not None:
                self.matches += 1
                yield found


def count_lines(data: bytes) -> int:
    """How many lines `data` has; a last one without its end counts too."""
    # Taking the line ends away goes from one to the next by memchr; bytes.count goes byte by byte, seven times slower.
    return len(data) - len(data.replace(b"\n", b"")) + (not data.endswith(b"\n") and bool(data))


def check_encoding(encoding: str) -> None:
    """
    Raises:
        ValueError: `encoding` is unknown, or text in it does not hold the bytes of ASCII for what is ASCII, and only for that.
    """
    try:
        plain = bytes(range(128)).decode(encoding)
        shifted = any(b"+AGE-".decode(encoding) != "+AGE-" for _ in (0,)) or b"~{!!~}".decode(encoding) != "~{!!~}"
        shifted = shifted or b"\x1b$B!!\x1b(B".decode(encoding, "replace") != "\x1b$B!!\x1b(B"
    except (LookupError, UnicodeDecodeError):
        plain, shifted = "", True
    if plain != bytes(range(128)).decode("ascii") or shifted:
        raise ValueError(f"expected an encoding that contains ASCII, like utf-8 or latin-1, got {encoding!r}")


def _start(match: Match) -> int:
    return match.start
