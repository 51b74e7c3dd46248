"""The lines of a log that a filter matches, and those that it misses."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from banwatch.config.model import FilterSpec
from banwatch.filter import Filter, Scanner
from banwatch.filter.match import name_regex
from banwatch.model import Chunk, Match

_SAMPLE: Final = 64 * 1024


class Seen(NamedTuple):
    """A line, counted from 1, with its match; None where it is the filter's to read but no regex matches it."""

    file: str
    line: int
    match: Match | None
    text: str


def scan_lines(scanner: Scanner, chunks: Iterable[Chunk], now: float, missed: str | None) -> Iterator[Seen]:
    """
    What the lines of one log give, in their order.

    Args:
        now: decides the year of dates that have none.
        missed: those that no regex matches are wanted too; it is their encoding.
    """
    before = 0
    for chunk in chunks:
        data, place, number = chunk.data, 0, before + 1
        for match in scanner.scan(chunk, now):
            if missed:
                yield from _missed(scanner, chunk, place, match.start, number, missed)
            number += data.count(b"\n", place, match.start)
            place = match.start
            yield Seen(chunk.source, number, match, match.line)
            if missed:
                place, number = data.find(b"\n", place) + 1 or len(data), number + 1
        if missed:
            yield from _missed(scanner, chunk, place, len(data), number, missed)
        before += data.count(b"\n")


def describe(seen: Seen, name: str) -> dict[str, Any]:
    """One line as an object; a missed one has its text, and no kind."""
    match = seen.match
    if match is None:
        return {"file": seen.file, "line": seen.line, "filter": name, "kind": None, "text": seen.text}
    return {
        "file": seen.file,
        "line": seen.line,
        "at": match.at,
        "filter": name,
        "kind": match.kind,
        "ip": match.ip,
        "login": match.login,
        "count": match.attempts,
        "regex": name_regex(match.kind, match.regex, match.hint),
        "tags": dict(match.tags),
    }


class Summary:
    """How often each regex matched."""

    def __init__(self, spec: FilterSpec, filter_: Filter) -> None:
        self._name = spec.name
        self._regexes = [(name_regex(p.kind, p.index, p.hint), p.written) for p in filter_.rules]
        self._hits = Counter[str]()
        self._kinds = Counter[str]()
        self.matched = self.missed = 0

    def add(self, seen: Seen) -> None:
        """Count one line."""
        if seen.match is None:
            self.missed += 1
            return
        self.matched += 1
        self._hits[name_regex(seen.match.kind, seen.match.regex, seen.match.hint)] += 1
        self._kinds[seen.match.kind] += 1

    def render(self, lines: int) -> Iterator[str]:
        """The summary's lines."""
        width = max((len(name) for name, _ in self._regexes), default=0)
        for name, written in self._regexes:
            yield f"{self._hits[name]:8}  {name:{width}}  {written}"
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self._kinds.items()))
        missed = f", {self.missed} missed" if self.missed else ""
        yield f"{self._name}: {lines} lines, {self.matched} matched{f' ({kinds})' if kinds else ''}{missed}"


class Sampled:
    """Chunks that go by; of the first one some lines are kept, to tell by them why none matched."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = chunks
        self._source = ""
        self._lines: list[bytes] = []

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self._chunks:
            if not self._source:
                self._source = chunk.source
                self._lines = chunk.data[:_SAMPLE].split(b"\n")[:-1]
            yield chunk

    def choose(self, scanner: Scanner) -> Seen | None:
        """A line that is the filter's to read, else the first one."""
        lines = [Seen(self._source, number, None, _decode(line)) for number, line in enumerate(self._lines, 1)]
        return next((seen for seen in lines if scanner.fits(0, seen.text)), lines[0] if lines else None)


def _missed(scanner: Scanner, chunk: Chunk, start: int, end: int, number: int, encoding: str) -> Iterator[Seen]:
    """The lines from one match to the next that the filter's header fits; `number` is the first one's."""
    for raw in chunk.data[start:end].removesuffix(b"\n").split(b"\n") if start < end else ():
        text = _decode(raw, encoding)
        if scanner.fits(0, text):
            yield Seen(chunk.source, number, None, text)
        number += 1


def _decode(raw: bytes, encoding: str = "utf-8") -> str:
    return raw.removesuffix(b"\r").decode(encoding, "backslashreplace")
