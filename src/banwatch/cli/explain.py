"""Why a line does not count: which of header, program, regex or fields it fails at, and how far it got. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any, Final, NamedTuple

from banwatch.address import canonical_ip
from banwatch.cli.furthest import LONGEST, find_furthest
from banwatch.config.model import FilterSpec
from banwatch.filter.dates import KNOWN, DateReader, parse_format
from banwatch.filter.failregex import Pattern, compile_regex
from banwatch.filter.fields import Entry, read_address
from banwatch.filter.header import Header, compile_header
from banwatch.filter.jsonlog import field_text, read_object
from banwatch.filter.match import Filter, name_regex
from banwatch.filter.matcher import make_matcher
from banwatch.text import escape

_SHOWN: Final = 100
"""Characters on each side of the place that matters."""


class Place(NamedTuple):
    """A character of a text, and what the text is."""

    name: str
    text: str
    at: int


class Reason(NamedTuple):
    """Why a line does not count, in one line, and where one can see it."""

    why: str
    places: tuple[Place, ...] = ()


class Explainer:
    """
    Explains lines that a filter does not match.

    Args:
        zone: of dates that name none; None is this system's.
    """

    def __init__(self, spec: FilterSpec, filter_: Filter, zone: tzinfo | None) -> None:
        self.name = spec.name
        self._spec = spec
        self._filter = filter_
        self._zone = zone
        self._matcher = make_matcher(0, filter_, zone)
        self._formats = KNOWN if spec.date is None else parse_format(spec.date)

    def explain(self, line: str) -> Reason:
        """The reason that comes last on the way of a line: it got that far."""
        line = line.rstrip("\r\n")[:LONGEST]
        bodies = [body.message for _, body in self._matcher.bodies(line)]
        if self._filter.records is not None:
            messages = [text for text in (line, *bodies) if text.startswith("{")]
            if messages:
                return self._explain_record(messages[0])
            if not self._filter.patterns:
                return Reason("it is no object of JSON", (Place("line", line, 0),))
        if not bodies:
            return self._explain_header(line)
        return max((self._explain_message(message) for message in bodies), key=_progress)

    def explain_date(self, line: str, now: float) -> str:
        """What is wrong with the date of a line, if anything."""
        for header in self._headers():
            found = header.head.match(line) if header.head is not None else None
            if found is None or "date" not in found.re.groupindex or found["date"] is None:
                continue
            reader = DateReader(self._formats, self._zone)
            reader.begin(now)
            if reader.read(found["date"]) is None:
                return f"there is no such date as {found['date']!r}: it would count as now"
            return ""
        return ""

    def _headers(self) -> Iterator[Header]:
        """The filter's headers, but for any program."""
        for text in self._spec.header:
            if text != "json":
                yield compile_header(text, self._formats, self._spec.date is not None, None)

    def _explain_header(self, line: str) -> Reason:
        names = [text for text in self._spec.header if text != "json"]
        return max((self._explain_one(*pair, line) for pair in zip(names, self._headers(), strict=True)), key=_progress)

    def _explain_one(self, name: str, header: Header, line: str) -> Reason:
        if header.head is None:
            return Reason("the line is all message")
        found = header.head.match(line)
        if found is None:
            return self._explain_head(name, line, header.steady)
        if not header.program:
            return _other_program(line, found.start("program"), found["program"], self._spec.program)
        behind = found.end()
        writer = compile_regex(f"(?>{header.program})").match(line, behind)
        if writer is None:
            return Reason(
                "the header has date and host, but no program like 'sshd[812]: ' behind it", (Place("line", line, behind),)
            )
        if self._spec.program is not None and compile_regex(self._spec.program).fullmatch(writer["program"]) is None:
            return _other_program(line, behind, writer["program"], self._spec.program)
        place = writer.end()
        reach = find_furthest(f"^{name.removeprefix('^').removeprefix('<SYSLOG>')}", line[place:], self._expand)
        at = place if reach is None else place + reach.text
        wanted = "" if reach is None else f": it asks for {reach.wanted}"
        return Reason(f"the header does not fit behind the program{wanted}", (Place("line", line, at),))

    def _explain_head(self, name: str, line: str, steady: bool) -> Reason:
        if steady:
            known = compile_regex(KNOWN.pattern).search(line)
            hint = f"; {known[0]!r} may be one for another header" if known is not None else ""
            why = f"the header does not fit: no date like 'Nov 20 10:00:00' or '2026-11-20T10:00:00+01:00' and a host{hint}"
            return Reason(why, (Place("line", line, 0),))
        reach = find_furthest(f"^{name.removeprefix('^')}", line, self._expand)
        if reach is None:
            return Reason("the header does not fit", (Place("line", line, 0),))
        places = (Place("line", line, reach.text), Place("header", name, max(reach.regex - (not name.startswith("^")), 0)))
        return Reason(f"the header does not fit: it asks for {reach.wanted}", places)

    def _expand(self, piece: str) -> str:
        return piece.replace("<DATE>", self._formats.pattern)

    def _explain_message(self, message: str) -> Reason:
        """Which regex got furthest."""
        start = Place("message", message, 0)
        furthest = Reason("no regex begins like this message" if self._filter.patterns else "there is no regex", (start,))
        for pattern in self._filter.patterns:
            name = name_regex(pattern.kind, pattern.index, pattern.hint)
            if pattern.chosen.regex.search(message) is not None and (found := pattern.regex.search(message)) is not None:
                return self._explain_found(pattern, name, found)
            reach = find_furthest(pattern.written, message, doubt=pattern.chosen.doubt)
            if reach is not None and reach.text > _progress(furthest):
                places = (Place("message", message, reach.text), Place("regex", pattern.written, reach.regex))
                furthest = Reason(f"{name} fits up to here, then asks for {reach.wanted}", places)
        return furthest

    def _explain_found(self, pattern: Pattern, name: str, found: re.Match[str]) -> Reason:
        """Why a regex that matches gives nothing all the same."""
        for number, regex in enumerate(self._filter.ignore):
            if (ignored := regex.search(found.string)) is not None:
                return Reason(
                    f"{name} matches, but ignoreregex[{number}] does, too", (Place("message", found.string, ignored.start()),)
                )
        for tag in pattern.ips:
            if found[tag] is not None and canonical_ip(found[tag]) is None:
                return Reason(
                    f"{name} matches, but {found[tag]!r} is no address", (Place("message", found.string, found.start(tag)),)
                )
        return Reason(f"{name} matches, but it names nobody", (Place("message", found.string, found.start()),))

    def _explain_record(self, text: str) -> Reason:
        """Of the entry of which most conditions hold, the first that does not."""
        assert self._filter.records is not None
        record = read_object(text)
        if record is None:
            return Reason("it is no object of JSON", (Place("line", text, _error_place(text)),))
        reasons = [_explain_entry(entry, record) for entry in self._filter.records.entries]
        _, why = max(reasons, key=lambda reason: reason[0])
        if why:
            return Reason(why)
        for path in self._filter.records.where.get("ip", ()):
            if (host := field_text(record, path)) and read_address(host) is None:
                return Reason(f"{path.written} is {host!r}, which is no address")
        return Reason("it names nobody")


def render_reason(reason: Reason) -> Iterator[str]:
    """As lines of text: why, and each place with a caret under it."""
    yield reason.why
    width = max((len(place.name) for place in reason.places), default=0)
    for place in reason.places:
        begin = max(place.at - _SHOWN, 0)
        before = ("…" if begin else "") + escape(place.text[begin : place.at])
        behind = escape(place.text[place.at : place.at + _SHOWN]) + ("…" if len(place.text) > place.at + _SHOWN else "")
        yield f"  {place.name:{width}}  {before}{behind}"
        yield f"  {'':{width}}  {' ' * len(before)}^"


def _progress(reason: Reason) -> int:
    return reason.places[0].at if reason.places else 0


def _other_program(line: str, place: int, program: str, wanted: str | None) -> Reason:
    return Reason(f"the program is {program!r}, not {wanted}", (Place("line", line, place),))


def _explain_entry(entry: Entry, record: Mapping[str, Any]) -> tuple[int, str]:
    """How many of its conditions hold, and what is wrong with the first that does not; empty if all do."""
    name = name_regex(entry.kind, entry.index, entry.hint)
    held = 0
    why = ""
    for path, regex in entry.conditions:
        value = field_text(record, path)
        if (value == "") if regex is None else (value is not None and regex.fullmatch(value) is not None):
            held += 1
        elif not why:
            shown = "absent" if value == "" else "no text" if value is None else repr(value[:_SHOWN])
            asked = "absent" if regex is None else repr(regex.pattern)
            why = f"{name}: {path.written} is {shown}, and has to be {asked}"
    return held, why


def _error_place(text: str) -> int:
    try:
        json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        return error.pos
    except RecursionError:
        pass
    return 0
