"""Chunk → Match…: every line of a chunk that counts for some filter, in the order of the lines."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import tzinfo
from heapq import merge
from itertools import accumulate
from typing import Final, NamedTuple

from banwatch.filter.match import Filter
from banwatch.filter.matcher import Matcher, Note, QuickMatcher, make_matcher
from banwatch.filter.needles import Needle
from banwatch.filter.prefilter import Prefilter, Span, open_prefilter
from banwatch.model import Chunk, Match

LONGEST: Final = 65536
"""Bytes of a line that are looked at; so regexes have a bounded amount of text before them."""

DENSE: Final = 0.4
"""From this share of lines on that may match it pays to look at all of them."""


Quickly = Callable[[QuickMatcher, Iterable[tuple[str, int]]], object]


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

    `lines` counts all lines, `candidates` those (per lens) that are looked at more closely, `cut` those that were longer than
    LONGEST, of which the rest was not looked at.

    Args:
        opener: makes what looks for the needles of each lens, when there is something to read.
    Raises:
        ValueError: an encoding is unknown, or does not hold ASCII as it is, so that no line could be found in it.
    """

    def __init__(
        self, lenses: Sequence[Lens], opener: Callable[[Sequence[Sequence[Needle]]], Prefilter] = open_prefilter
    ) -> None:
        self.lines = self.candidates = self.cut = 0
        for lens in lenses:
            check_encoding(lens.encoding)
        self._encodings = tuple(lens.encoding for lens in lenses)
        self._matchers = tuple(make_matcher(index, lens.filter, lens.zone) for index, lens in enumerate(lenses))
        # Of the last chunk for each lens: its lines, its candidates (None if all were looked at), what was found before it.
        self._last: list[tuple[int, int | None, int]] = [(0, 0, 0)] * len(lenses)
        self._needles = tuple(lens.filter.needles for lens in lenses)
        self._opener = opener
        self._opened: Prefilter | None = None

    @property
    def opened(self) -> bool:
        """Whether all is compiled that a chunk needs."""
        return self._opened is not None or not self._needles

    def open(self) -> None:
        """Compile it now, and not with the first chunk."""
        if not self.opened:
            self._opened = self._opener(self._needles)

    @property
    def engine(self) -> str:
        """What looks for candidates: "vectorscan", or "re" where that is not to be had."""
        return self._prefilter.engine

    @property
    def matches(self) -> int:
        """Lines that gave a Match, once for each lens."""
        return sum(matcher.found for matcher in self._matchers)

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
        found = [matcher.matches(lines) for matcher, lines in self._open(chunk, now)]
        return found[0] if len(found) == 1 else merge(*found, key=_start)

    def tell(self, chunk: Chunk, now: float, note: Note, quickly: Quickly | None = None) -> None:
        """
        The same to `note`, a call for each, which saves the making of Matches.

        Args:
            quickly: takes the lines instead, where only one lens has any, and its matcher is a QuickMatcher.
        """
        opened = self._open(chunk, now)
        if len(opened) == 1:
            ((matcher, lines),) = opened
            if quickly is not None and isinstance(matcher, QuickMatcher):
                quickly(matcher, lines)
            else:
                matcher.tell(lines, note)
            return
        found = [match for matcher, lines in opened for match in matcher.matches(lines)]
        found.sort(key=_start)
        for match in found:
            note(match[0], *match[2:10])

    def match_line(self, lens: int, text: str, now: float) -> Match | None:
        """What one line, given as text without its end, gives for the lens of this index."""
        matcher = self._matchers[lens]
        matcher.begin(now)
        text = text.lstrip("\0").rstrip("\r\n")[:LONGEST]
        return matcher.match(text, 0)

    def fits(self, lens: int, text: str) -> bool:
        """Whether a line has the header, and so the program, whose messages the lens of this index reads."""
        return self._matchers[lens].fits(text[:LONGEST])

    @property
    def _prefilter(self) -> Prefilter:
        """Opened when there is something to read: until then it would only take up memory."""
        self.open()
        assert self._opened is not None
        return self._opened

    def _is_dense(self, lens: int) -> bool:
        """Whether so many lines of the last chunk matched, or could have, that it pays to look at all of the next one."""
        count, candidates, before = self._last[lens]
        found = self._matchers[lens].found - before if candidates is None else candidates
        return found > count * DENSE

    def _open(self, chunk: Chunk, now: float) -> list[tuple[Matcher, Iterable[tuple[str, int]]]]:
        """The matchers that have something to look at in `chunk`, each with its lines."""
        data = chunk.data
        count = count_lines(data)
        self.lines += count
        text = data.decode("ascii") if data.isascii() else None
        if text is not None and ("\r" in text or "\0" in text):
            text = None
        some = [lens for lens in range(len(self._matchers)) if text is None or not self._is_dense(lens)]
        spans = dict(zip(some, self._prefilter.candidates(data, some), strict=True)) if some else {}
        opened: list[tuple[Matcher, Iterable[tuple[str, int]]]] = []
        for lens, matcher in enumerate(self._matchers):
            found = spans.get(lens)
            self._last[lens] = (count, None if found is None else len(found), matcher.found)
            self.candidates += count if found is None else len(found)
            if found is None:
                lines: Iterable[tuple[str, int]] = self._read_all(text or "")
            elif not found:
                continue
            elif text is None:
                lines = self._read_untidy(data, found, self._encodings[lens])
            else:
                lines = self._read_some(text, found)
            matcher.begin(now)
            opened.append((matcher, lines))
        return opened

    def _read_all(self, text: str) -> Iterator[tuple[str, int]]:
        """All lines with their offsets: where most of them match, looking for candidates first takes longer."""
        lines = text.split("\n")
        offsets = accumulate(map((1).__add__, map(len, lines)), initial=0)
        if len(text) <= LONGEST or max(map(len, lines)) <= LONGEST:
            return zip(lines, offsets, strict=False)
        return zip(map(self._cut, lines), offsets, strict=False)

    def _read_some(self, text: str, spans: list[Span]) -> Iterator[tuple[str, int]]:
        """The candidates."""
        return ((text[start:end] if end - start <= LONGEST else self._cut(text[start:end]), start) for start, end in spans)

    def _read_untidy(self, data: bytes, spans: list[Span], encoding: str) -> Iterator[tuple[str, int]]:
        """The candidates in a chunk with other bytes than those of plain text."""
        for start, end in spans:
            # Where a log was truncated under its writer a hole is left, which reads as zeros before the next line.
            raw = data[start:end].lstrip(b"\0")
            if len(raw) > LONGEST:
                self.cut += 1
            yield raw[:LONGEST].rstrip(b"\r").decode(encoding, "backslashreplace"), start

    def _cut(self, line: str) -> str:
        """As much of `line` as is looked at."""
        if len(line) <= LONGEST:
            return line
        self.cut += 1
        return line[:LONGEST]


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
