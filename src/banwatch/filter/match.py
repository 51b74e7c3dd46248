"""
One line → Match.

A filter is compiled so that an ordinary line takes two regexes: the header's head, which for most lines is the text of the
line before, and one for everything behind it: program, pid and all failregexes as branches. Where that is not possible, and
where it found something that is no address after all, the regexes are searched one by one in the message, which is what
the other way is a shortcut for; tests hold the two against each other.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final, NamedTuple

from banwatch.address import canonical_ip
from banwatch.config.model import FilterSpec, Mark, Problem
from banwatch.errors import ConfigError
from banwatch.filter.dates import KNOWN, SYSLOG, DateFormats, DateReader, parse_format
from banwatch.filter.engines import Chosen, choose_engine, name_engine
from banwatch.filter.failregex import COMMON, Pattern, PatternError, check_linear, compile_pattern, compile_regex, expand_tags
from banwatch.filter.fields import FIELDS, Entry, RecordReader, Records, Told, compile_records
from banwatch.filter.fuse import fuse
from banwatch.filter.header import HEADER_NAMES, REPEATED, Header, compile_header
from banwatch.filter.needles import Needle, find_needles
from banwatch.model import KINDS, SUCCESS, Match

MOST_ATTEMPTS: Final = 1_000_000
_RFC_3339: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:(?P<seconds>[0-9]{2}\.[0-9]+)(?:Z|[+-].*)?")
_new: Final = tuple.__new__  # a named tuple's own way takes twice as long
_REPEATED_TEXT: Final = REPEATED.replace("?P<times>", "?:")


class Branch(NamedTuple):
    """
    A pattern within the fused regex; None for "message repeated", which has to be taken apart.

    `picks` are the groups that hold its tags, and then program with pid. `plain`: address and login are all it captures,
    and nothing is ignored.
    """

    pattern: Pattern | None
    picks: tuple[int, ...]
    plain: bool
    kind: str
    number: int
    hint: bool


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """
    A header with what can follow it.

    Args:
        prefix: between head and message; None if there is nothing.
        repeated: the same, of a line which stands for several.
        fused: prefix and patterns in one, if that is possible.
        whole: all patterns in one for the message alone, if only that is possible. Else some pattern has to be searched for.
        branches: by the number of the last group that one of these matched.
    """

    header: Header
    prefix: re.Pattern[str] | None
    repeated: re.Pattern[str] | None
    fused: re.Pattern[str] | None
    whole: re.Pattern[str] | None
    branches: Mapping[int, Branch]


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """
    A compiled filter; it holds no state but the pauses of regexes, so that any number of scanners may use it.

    `engines` tells of each regex, by its place in the configuration, which engine takes it and why.
    """

    name: str
    forms: tuple[Form, ...]
    patterns: tuple[Pattern, ...]
    ignore: tuple[Any, ...]
    formats: DateFormats
    needles: tuple[Needle, ...]
    engines: Mapping[str, Chosen]
    records: Records | None = None

    @property
    def blown(self) -> int:
        """How many lines spent the budget of a regex, and were no match for it."""
        return sum(chosen.regex.blown for chosen in self.engines.values() if chosen.engine == "bounded")

    @property
    def rules(self) -> tuple[Pattern | Entry, ...]:
        """Everything that gives a Match, regexes first."""
        return (*self.patterns, *(self.records.entries if self.records is not None else ()))


def compile_filter(spec: FilterSpec, proven: bool = False) -> Filter:
    """
    Args:
        proven: its regexes are known to be linear in `re`, as are those of all filters that are shipped.
    Raises:
        ConfigError: regexes, headers or the date are no good; `problems` holds all of them.
    """
    problems: list[Problem] = []

    def report(key: str, error: ValueError, got: str) -> None:
        mark = spec.marks.get(key) or spec.marks.get(key.partition("[")[0]) or Mark(f"filters/{spec.name}.yaml", 0)
        problems.append(Problem(mark.file, mark.line, key, str(error).removeprefix("expected "), got, filter=spec.name))

    formats = KNOWN
    if spec.date is not None:
        try:
            formats = parse_format(spec.date)
        except ValueError as error:
            report("date", error, spec.date)
    program = spec.program
    if program is not None:
        try:
            compile_regex(program)
            if not proven:
                check_linear(program)
        except PatternError as error:
            report("program", error, program)
            program = None
    headers = []
    for number, text in enumerate(spec.header):
        if text == "json":
            continue
        try:
            header = compile_header(text, formats, spec.date is not None, program)
            if text not in HEADER_NAMES and not proven:
                check_linear(header.head.pattern if header.head is not None else "")
                check_linear(header.prefix)
            headers.append(header)
        except PatternError as error:
            report(f"header[{number}]", error, text)
    patterns = []
    for key, kind, hint, texts in _lists(spec):
        if kind not in KINDS and kind != SUCCESS:
            report(key, PatternError(f"one of {', '.join(KINDS)}"), kind)
        for number, text in enumerate(texts):
            try:
                patterns.append(compile_pattern(text, kind, number, hint, proven))
            except PatternError as error:
                report(f"{key}[{number}]", error, text)
    engines = {name_regex(pattern.kind, pattern.index, pattern.hint): pattern.chosen for pattern in patterns}
    ignore = []
    for number, text in enumerate(spec.ignoreregex):
        try:
            regex = compile_regex(expand_tags(text))
            chosen = choose_engine(regex, proven)
            ignore.append(chosen.regex)
            engines[f"ignoreregex[{number}]"] = chosen
        except PatternError as error:
            report(f"ignoreregex[{number}]", error, text)
    records = compile_records(spec, report, proven)
    if patterns and set(spec.header) == {"json"}:
        report("header", PatternError("another one besides, because there are regexes"), "json")
    if problems:
        count = len(problems)
        raise ConfigError(f"filter {spec.name}: {count} problem{'s' if count > 1 else ''}", problems=sorted(problems[:]))
    forms = tuple(_form(header, patterns, bool(ignore)) for header in headers)
    needles = find_needles(headers, patterns) if patterns or records is None else ()
    needles += records.needles if records is not None else ()
    for entry in records.entries if records is not None else ():
        place = name_regex(entry.kind, entry.index, entry.hint)
        engines |= {f"{place}.{path.written}": name_engine(regex) for path, regex in entry.conditions if regex is not None}
    return Filter(spec.name, forms, tuple(patterns), tuple(ignore), formats, needles, engines, records)


def _lists(spec: FilterSpec) -> list[tuple[str, str, bool, tuple[str, ...]]]:
    """Every list of regexes that give a Match, in the order in which they are tried: (key, kind, hint, regexes)."""
    return [
        *((f"failregex.{kind}", kind, False, texts) for kind, texts in spec.failregex.items()),
        *((f"hintregex.{kind}", kind, True, texts) for kind, texts in spec.hintregex.items()),
        ("successregex", SUCCESS, False, spec.successregex),
    ]


def _form(header: Header, patterns: Sequence[Pattern], ignored: bool) -> Form:
    prefix = compile_regex(header.prefix) if header.prefix else None
    repeated = compile_regex(f"(?>{header.program}{REPEATED}{header.rest})") if header.program else None
    if (header.checked is not None and header.program) or not patterns or any(pattern.fused is None for pattern in patterns):
        return Form(header, prefix, repeated, None, None, {})
    # Where something could look back, the message is cut out before it is matched.
    alone = any(pattern.looks_back for pattern in patterns)
    fused = fuse([pattern.fused or "" for pattern in patterns])
    if alone:
        source = fused.source
    else:
        rest = f"(?>{header.rest})(?:{fused.source})" if header.rest else fused.source
        source = f"(?>{header.program})(?:(?P<again>{_REPEATED_TEXT})|{rest})" if header.program else f"(?:{rest})"
    regex = compile_regex(source)
    group = regex.groupindex
    branches = {group["again"]: Branch(None, (), False, "", 0, False)} if "again" in group else {}
    for name, number in fused.branches.items():
        pattern, marker = patterns[number], group[name]
        picks = (*(group[f"{name}_{tag}"] for tag in pattern.names), group.get("writer", marker), marker)
        plain = pattern.names == COMMON and not ignored
        branches[marker] = Branch(pattern, picks, plain, pattern.kind, pattern.index, pattern.hint)
    if alone:
        return Form(header, prefix, repeated, None, regex, branches)
    return Form(header, prefix, repeated, regex, None, branches)


class Head:
    """
    The last head of this form: what it said, and by what the next line can be known to have the same one.

    A head of RFC 3339 differs in its seconds only, which are `width` characters between `text` and `tail`; of another kind
    all of it is `text`. `minute` is the time without these seconds.
    """

    __slots__ = ("at", "dated", "minute", "session", "tail", "text", "width")

    def __init__(self, dated: bool) -> None:
        self.dated = dated
        self.at: float | None = None
        self.session: str | None = None
        self.minute = 0.0
        self.forget()

    def forget(self) -> None:
        self.text, self.tail, self.width = "\n", "", 0  # no line begins like this

    def remember(self, text: str, date: str) -> None:
        """The text of a whole head, and that of its date."""
        self.text, self.tail, self.width = text, "", 0
        if self.at is not None and (found := _RFC_3339.fullmatch(date)) is not None:
            seconds = found["seconds"]
            place = text.index(date) + found.start("seconds")
            self.text, self.tail, self.width = text[:place], text[place + len(seconds) :], len(seconds)
            self.minute = float(round(self.at - float(seconds)))


class Matcher:
    """
    Applies one filter to the lines of one log.

    Args:
        lens: goes into each Match.
        zone: of dates that name none; None is this system's.
    """

    def __init__(self, lens: int, filter_: Filter, zone: tzinfo | None) -> None:
        self._lens = lens
        self._filter = filter_
        self._name = filter_.name
        self._steps = tuple(
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
        for head, _, _, _, _, reader in self._steps:
            head.forget()
            reader.begin(now)

    def match(self, text: str, start: int, end: int, offset: int) -> Match | None:
        """
        What the line text[start:end] gives, if anything.

        Args:
            offset: goes into the Match.
        """
        for head, fused, branches, named, form, reader in self._steps:
            behind = -1
            if text.startswith(head.text, start):
                behind = start + len(head.text)
                if head.tail:
                    seconds = text[behind : behind + head.width]
                    behind += head.width
                    if text.startswith(head.tail, behind) and is_seconds(seconds):
                        head.at = head.minute + float(seconds)
                        behind += len(head.tail)
                    else:
                        behind = -1
            if behind < 0:
                behind = self._read_head(form, head, reader, text, start, end)
                if behind < 0:
                    continue
            if fused is not None:
                found = fused(text, behind, end)
                if found is not None:
                    pattern, picks, plain, kind, number, hint = branches[found.lastindex]  # type: ignore[index]
                    if plain:
                        # What _build does, unrolled for what nearly all lines are: this is where the time goes.
                        host, login, writer, _ = found.group(*picks)
                        if login and host and (ip := canonical_ip(host)) is not None:
                            return _new(
                                Match,
                                (
                                    self._lens,
                                    self._name,
                                    kind,
                                    head.at,
                                    ip,
                                    login,
                                    1,
                                    number,
                                    hint,
                                    (writer if writer[-1] == "]" else None) if named else head.session,
                                    text[start:end],
                                    offset,
                                    {"ip": host, "user": login},
                                ),
                            )
                    if pattern is not None and not self._filter.ignore:
                        values = found.group(*picks)
                        session = _session(values[-2]) if named else head.session
                        result = self._build(pattern, values, session, 1, head.at, text[start:end], offset)
                        if result is not None:
                            return result
                elif form.prefix is None or len(self._steps) == 1 or form.prefix.match(text, behind, end) is not None:
                    return None
                else:
                    continue
            body = self._split(form, head, text, behind, end)
            if body is None:
                continue
            if form.whole is not None:
                found = form.whole.match(body.message)
                if found is None:
                    return None
                pattern, picks, *_ = branches[found.lastindex]  # type: ignore[index]
                if pattern is not None and not self._filter.ignore:
                    result = self._build(pattern, found.group(*picks), body.session, body.times, head.at, text[start:end], offset)
                    if result is not None:
                        return result
            return self._search(body, head.at, text[start:end], offset)
        return None

    def fits(self, text: str) -> bool:
        """Whether a line has the header that the filter asks for, so that its patterns are tried."""
        return any(True for _ in self.bodies(text, 0, len(text)))

    def bodies(self, text: str, start: int, end: int) -> Iterator[tuple[float | None, "Body"]]:
        """For each header that the line has: its date, and what is behind it."""
        for head, _, _, _, form, reader in self._steps:
            head.forget()
            behind = self._read_head(form, head, reader, text, start, end)
            if behind >= 0 and (body := self._split(form, head, text, behind, end)) is not None:
                yield head.at, body

    def _read_head(self, form: Form, head: Head, reader: DateReader, text: str, start: int, end: int) -> int:
        """Fills `head`; where the head of this line ends, -1 if it has another header."""
        header = form.header
        if header.head is None:
            found = header.search.search(text, start, end) if header.search is not None else None
            head.at = reader.read(found["date"]) if found is not None else None
            return start
        found = header.head.match(text, start, end)
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

    def _split(self, form: Form, head: Head, text: str, start: int, end: int) -> "Body | None":
        """What is behind the head, in pieces; None if this is not what the header asks for."""
        found = None
        times = 1
        if form.repeated is not None and text.endswith("]", start, end):
            found = form.repeated.match(text, start, end)
            if found is not None:
                end -= 1
                times = int(found["times"])
        if found is None and form.prefix is not None:
            found = form.prefix.match(text, start, end)
            if found is None:
                return None
        if found is None:
            return Body(text[start:end], times, head.session)
        if (checked := form.header.checked) is not None and checked.fullmatch(found["program"]) is None:
            return None
        return Body(text[found.end() : end], times, _session(found["writer"]))

    def _search(self, body: "Body", at: float | None, line: str, offset: int) -> Match | None:
        """The first pattern that finds something in the message, one after the other."""
        for pattern in self._filter.patterns:
            found = pattern.chosen.regex.search(body.message)
            if found is not None:
                values = found.group(*pattern.names, 0, 0)
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
            values: of the groups pattern.names, and two more.
        """
        if None in values:
            tags = {name: text for name, text in zip(pattern.names, values, strict=False) if text is not None}
        else:
            tags = dict(zip(pattern.names, values, strict=False))
        ip = login = None
        for name in pattern.ips:
            if name in tags:
                ip = canonical_ip(tags[name])
                if ip is None:
                    return None
                break
        for name in pattern.logins:
            if login := tags.get(name):
                break
        if ip is None and not login:
            return None
        if "count" in tags:
            times *= parse_count(tags["count"])
            if times == 0:
                return None
        if "session" in tags:
            session = tags["session"] or None
        return _new(
            Match,
            (
                self._lens,
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


def is_seconds(text: str) -> bool:
    """Whether it is two digits of seconds with a fraction, as a date has them."""
    return text[2:3] == "." and text < "61" and text.isascii() and text[:2].isdigit() and text[3:].isdigit()


class RecordMatcher(Matcher):
    """The same for a filter that names fields: of a line, or of what is behind its header, if that is an object of JSON."""

    def __init__(self, lens: int, filter_: Filter, records: Records, zone: tzinfo | None) -> None:
        super().__init__(lens, filter_, zone)
        self._records = RecordReader(lens, filter_.name, records, DateReader(filter_.formats, zone))

    def begin(self, now: float) -> None:
        """From here on `now` decides the year of dates that have none."""
        super().begin(now)
        self._records.begin(now)

    def match(self, text: str, start: int, end: int, offset: int) -> Match | None:
        """What the line text[start:end] gives, if anything."""
        if text.startswith("{", start, end):
            return self._read(Body(text[start:end], 1, None), None, text[start:end], offset)
        if self._steps and text.find("{", start, end) >= 0:
            for at, body in self.bodies(text, start, end):
                if body.message.startswith("{") and (found := self._read(body, at, text[start:end], offset)) is not None:
                    return found
        return super().match(text, start, end, offset)

    def fits(self, text: str) -> bool:
        """Whether a line is of the form that the filter asks for, so that its patterns are tried."""
        return text.startswith("{") or super().fits(text)

    def _read(self, body: "Body", at: float | None, line: str, offset: int) -> Match | None:
        if any(regex.search(body.message) for regex in self._filter.ignore):
            return None
        return self._records.read(body.message, Told(at, body.times, body.session, line, offset))


def make_matcher(lens: int, filter_: Filter, zone: tzinfo | None) -> Matcher:
    """What applies the filter to the lines of one log."""
    return Matcher(lens, filter_, zone) if filter_.records is None else RecordMatcher(lens, filter_, filter_.records, zone)


def name_regex(kind: str, index: int, hint: bool) -> str:
    """Where a regex stands in its filter, as configuration messages name it: "failregex.auth[0]", or "failfields.auth[0]"."""
    form = "fields" if index >= FIELDS else "regex"
    if kind == SUCCESS:
        return f"success{form}[{index % FIELDS}]"
    return f"{'hint' if hint else 'fail'}{form}.{kind}[{index % FIELDS}]"


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
