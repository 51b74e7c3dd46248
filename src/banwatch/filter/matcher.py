"""
One line → Match.

An ordinary line takes two regexes: the header's head, which for most lines is the text of the line before, and one for
everything behind it: program, pid and all failregexes as branches. Where that is not possible, and where it found something
that is no address after all, the regexes are searched one by one in the message, which is what the other way is a shortcut
for; tests hold the two against each other.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import tzinfo
from typing import Any, Final, NamedTuple

from banwatch.address import CANONICAL
from banwatch.filter.dates import SYSLOG, DateFormats, DateReader
from banwatch.filter.failregex import Pattern
from banwatch.filter.fields import RecordReader, Records, Told
from banwatch.filter.head import Head
from banwatch.filter.match import Filter, Form
from banwatch.model import Match

Note = Callable[[int, str, float | None, str | None, str | None, int, int, bool, str | None], object]
"""Is told what counts in a Match: lens, kind, at, ip, login, attempts, regex, hint, session."""

MOST_ATTEMPTS: Final = 1_000_000
_new: Final = tuple.__new__  # a named tuple's own way takes twice as long


class Matcher:
    """
    Applies one filter to the lines of one log.

    Args:
        lens: goes into each Match.
        zone: of dates that name none; None is this system's.

    `found` counts the matches; `steps` are the forms of its headers, with what each needs.
    """

    def __init__(self, lens: int, filter_: Filter, zone: tzinfo | None) -> None:
        self.lens = lens
        self._filter = filter_
        self._name = filter_.name
        self.found = 0
        self.steps = tuple(
            (
                Head(_is_dated(form)),
                form.fused and form.fused.match,
                form.branches,
                bool(form.header.program),
                form,
                DateReader(_formats(form, filter_), zone),
            )
            for form in filter_.forms
        )

    def begin(self, now: float) -> None:
        """From here on `now` decides the year of dates that have none."""
        for head, _, _, _, _, reader in self.steps:
            head.forget()
            reader.begin(now)

    def matches(self, lines: Iterable[tuple[str, int]]) -> Iterator[Match]:
        """What `lines` give, each with its offset; `found` goes on counting."""
        match = self.match
        for line, start in lines:
            if (found := match(line, start)) is not None:
                self.found += 1
                yield found

    def tell(self, lines: Iterable[tuple[str, int]], note: Note) -> None:
        """The same to `note`, which saves the making of a Match."""
        for lens, _, kind, at, ip, login, attempts, number, hint, session, _, _, _ in self.matches(lines):
            note(lens, kind, at, ip, login, attempts, number, hint, session)

    def match(self, line: str, start: int) -> Match | None:
        """
        What `line` gives, if anything.

        Args:
            start: goes into the Match.
        """
        for head, fused, branches, named, form, reader in self.steps:
            behind = head.skip(line)
            if behind < 0 and (behind := self.read_head(form, head, reader, line)) < 0:
                continue
            if fused is not None:
                found = fused(line, behind)
                if found is not None:
                    pattern, picks, *_ = branches[found.lastindex]  # type: ignore[index]
                    if pattern is not None and not self._filter.ignore:
                        values = found.group(*picks)
                        session = _session(values[-1]) if named else head.session
                        result = self._build(pattern, values, session, 1, head.at, line, start)
                        if result is not None:
                            return result
                elif form.prefix is None or len(self.steps) == 1 or form.prefix.match(line, behind) is not None:
                    return None
                else:
                    continue
            body = self._split(form, head, line, behind)
            if body is None:
                continue
            if form.whole is not None:
                found = form.whole.match(body.message)
                if found is None:
                    return None
                pattern, picks, *_ = branches[found.lastindex]  # type: ignore[index]
                if pattern is not None and not self._filter.ignore:
                    result = self._build(pattern, found.group(*picks), body.session, body.times, head.at, line, start)
                    if result is not None:
                        return result
            return self._search(body, head.at, line, start)
        return None

    def fits(self, text: str) -> bool:
        """Whether a line has the header that the filter asks for, so that its patterns are tried."""
        return any(True for _ in self.bodies(text))

    def bodies(self, line: str) -> Iterator[tuple[float | None, "Body"]]:
        """For each header that the line has: its date, and what is behind it."""
        for head, _, _, _, form, reader in self.steps:
            head.forget()
            behind = self.read_head(form, head, reader, line)
            if behind >= 0 and (body := self._split(form, head, line, behind)) is not None:
                yield head.at, body

    def read_head(self, form: Form, head: Head, reader: DateReader, line: str) -> int:
        """Fills `head`; where the head of this line ends, -1 if it has another header."""
        header = form.header
        if header.head is None:
            found = header.search.search(line) if header.search is not None else None
            head.at = reader.read(found["date"]) if found is not None else None
            return 0
        found = header.head.match(line)
        if found is None:
            return -1
        if head.dated:
            date = found["date"]
            head.at = reader.read(date) if date is not None else None
            if header.steady:
                head.remember(found[0], date)
                return found.end()
        groups = header.head.groupindex
        program = found["program"] if "program" in groups else None
        pid = found["pid"] if "pid" in groups else None
        head.session = f"{program or self._name}[{pid}]" if pid else None
        checked = header.checked
        if checked is not None and program is not None and checked.fullmatch(program) is None:
            return -1
        return found.end()

    def _split(self, form: Form, head: Head, line: str, start: int) -> "Body | None":
        """What is behind the head, in pieces; None if this is not what the header asks for."""
        found = None
        times, end = 1, len(line)
        if form.repeated is not None and line.endswith("]", start):
            found = form.repeated.match(line, start)
            if found is not None:
                end -= 1
                times = int(found["times"])
        if found is None and form.prefix is not None:
            found = form.prefix.match(line, start)
            if found is None:
                return None
        if found is None:
            return Body(line[start:], times, head.session)
        if (checked := form.header.checked) is not None and checked.fullmatch(found["program"]) is None:
            return None
        return Body(line[found.end() : end], times, _session(found["writer"]))

    def _search(self, body: "Body", at: float | None, line: str, offset: int) -> Match | None:
        """The first pattern that finds something in the message, one after the other."""
        for pattern in self._filter.patterns:
            found = pattern.chosen.regex.search(body.message)
            if found is not None:
                values = found.group(*pattern.names, 0)
                result = self._build(pattern, values, body.session, body.times, at, line, offset)
                if result is not None:
                    return None if any(regex.search(body.message) for regex in self._filter.ignore) else result
        return None

    def _build(
        self,
        pattern: Pattern,
        values: tuple[str | Any, ...],
        session: str | None,
        times: int,
        at: float | None,
        line: str,
        offset: int,
    ) -> Match | None:
        """
        None when the captures name nobody: what stands in the place of the address is none.

        Args:
            values: of the groups pattern.names, and one more.
        """
        if None in values:
            tags = {name: text for name, text in zip(pattern.names, values, strict=False) if text is not None}
        else:
            tags = dict(zip(pattern.names, values, strict=False))
        ip = login = None
        for name in pattern.ips:
            if name in tags:
                ip = CANONICAL[tags[name]]
                if ip is None:
                    return None
                break
        for name in pattern.logins:
            if login := tags.get(name):
                break
        if "count" in tags:
            times *= parse_count(tags["count"])
        if times == 0 or (ip is None and not login):
            return None
        if "session" in tags:
            session = tags["session"] or None
        return _new(
            Match,
            (
                self.lens,
                self._name,
                pattern.kind,
                at,
                ip,
                login or None,
                min(times, MOST_ATTEMPTS),
                pattern.index,
                pattern.hint,
                session,
                line,
                offset,
                tags,
            ),
        )


class QuickMatcher(Matcher):
    """
    The same for a filter with one form of header, all of whose regexes are one, and which ignores nothing.

    Nearly all lines of an attack have an address, a login and a pid, and nothing else: this is where the time goes, so
    what `match` does with them is written out here. For others it is asked.
    """

    def matches(self, lines: Iterable[tuple[str, int]]) -> Iterator[Match]:
        """What `lines` give, each with its offset."""
        ((head, fused, branches, named, form, reader),) = self.steps
        assert fused is not None
        lens, name, found = self.lens, self._name, 0
        text, same, behind, at, session = head.text, False, 0, head.at, head.session
        for line, start in lines:
            if not (same and line.startswith(text)):
                behind = head.skip(line)
                if behind < 0:
                    behind = self.read_head(form, head, reader, line)
                text, same, at, session = head.text, behind >= 0 and not head.tail, head.at, head.session
                if behind < 0:
                    continue
            told = fused(line, behind)
            if told is None:
                continue
            _, picks, plain, kind, number, hint = branches[told.lastindex]  # type: ignore[index]
            if plain:
                host, login, writer = told.group(*picks)
                if login and host and (ip := CANONICAL[host]) is not None:
                    if named:
                        session = writer if writer[-1] == "]" else None
                    tags = {"ip": host, "user": login}
                    found += 1
                    yield _new(Match, (lens, name, kind, at, ip, login, 1, number, hint, session, line, start, tags))
                    continue
            if (match := self.match(line, start)) is not None:
                found += 1
                yield match
        self.found += found


class RecordMatcher(Matcher):
    """The same for a filter that names fields: of a line, or of what is behind its header, if that is an object of JSON."""

    def __init__(self, lens: int, filter_: Filter, records: Records, zone: tzinfo | None) -> None:
        super().__init__(lens, filter_, zone)
        self._records = RecordReader(lens, filter_.name, records, DateReader(filter_.formats, zone))

    def begin(self, now: float) -> None:
        """From here on `now` decides the year of dates that have none."""
        super().begin(now)
        self._records.begin(now)

    def match(self, line: str, start: int) -> Match | None:
        """What `line` gives, if anything."""
        if line.startswith("{"):
            return self._read(Body(line, 1, None), None, line, start)
        if self.steps and "{" in line:
            for at, body in self.bodies(line):
                if body.message.startswith("{") and (found := self._read(body, at, line, start)) is not None:
                    return found
        return super().match(line, start)

    def fits(self, text: str) -> bool:
        """Whether a line is of the form that the filter asks for, so that its patterns are tried."""
        return text.startswith("{") or super().fits(text)

    def _read(self, body: "Body", at: float | None, line: str, offset: int) -> Match | None:
        if any(regex.search(body.message) for regex in self._filter.ignore):
            return None
        return self._records.read(body.message, Told(at, body.times, body.session, line, offset))


def make_matcher(lens: int, filter_: Filter, zone: tzinfo | None) -> Matcher:
    """What applies the filter to the lines of one log."""
    if filter_.records is not None:
        return RecordMatcher(lens, filter_, filter_.records, zone)
    quick = len(filter_.forms) == 1 and filter_.forms[0].fused is not None and not filter_.ignore
    return QuickMatcher(lens, filter_, zone) if quick else Matcher(lens, filter_, zone)


class Body(NamedTuple):
    """What is behind the head: the message, how many lines this one stands for, and the session as program[pid]."""

    message: str
    times: int
    session: str | None


def parse_count(text: str) -> int:
    """The number that <F-COUNT> found, at most MOST_ATTEMPTS; 1 if it is none."""
    return min(int(text[:7]), MOST_ATTEMPTS) if text.isascii() and text.isdigit() else 1


def _session(writer: str) -> str | None:
    """The session that a line with this program and pid belongs to; None without a pid."""
    return writer if writer.endswith("]") else None


def _is_dated(form: Form) -> bool:
    return form.header.head is not None and "date" in form.header.head.groupindex


def _formats(form: Form, filter_: Filter) -> DateFormats:
    """The formats of the dates that a header captures: <SYSLOG> has its own."""
    return SYSLOG if form.header.steady else filter_.formats
