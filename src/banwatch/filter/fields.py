"""
Filters that name fields: `fields:` says where address, login and date are, `failfields:` which values a failed login has.

    header: json
    fields: {date: ts, ip: request.remote_ip, login: user_id}
    failfields:
      auth:
        - {status: '401', user_id: '.+'}

Each entry is a mapping of conditions, all of which have to hold: a field and a regex for the whole of its value, which may
have tags in it. Lines are parsed only if they have the text in them that an entry's first condition asks for (or the next
one, if no text can be told from that): so the condition that fewest lines meet should stand first.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from banwatch.address import canonical_ip
from banwatch.config.model import FilterSpec
from banwatch.filter.bounded import Bounded
from banwatch.filter.dates import DateReader
from banwatch.filter.engines import choose_engine
from banwatch.filter.failregex import IP_NAMES, PatternError, compile_regex, expand_tags
from banwatch.filter.jsonlog import FieldPath, field_text, parse_path, read_object
from banwatch.filter.needles import EVERY_LINE, LEAST, Needle, longest_text
from banwatch.filter.tree import parse, words
from banwatch.model import SUCCESS, Match

FIELDS: Final = 1 << 16
"""From here on the numbers of entries count, so that a Match's number tells them from regexes of the same kind."""

FIELD_NAMES: Final = ("date", "ip", "login", "session")
_PLENTY: Final = 8
"""A text of this length is as rare as a key with its value; a shorter one is not."""

# Beyond these some program or other escapes characters of ASCII.
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9 _.,:;()\[\]=@#*!?%-]+")
_PORT: Final = re.compile(r"([0-9.]+):[0-9]{1,5}|\[([0-9A-Fa-f:.%\w]+)\](?::[0-9]{1,5})?")
_EPOCH: Final = re.compile(r"[1-9][0-9]{9}(?:\.[0-9]+)?|[1-9][0-9]{12}|[1-9][0-9]{15}|[1-9][0-9]{18}", re.ASCII)

Report = Callable[[str, ValueError, str], None]


class Condition(NamedTuple):
    """A field and what its value has to be; None: absent, null or empty."""

    path: FieldPath
    regex: re.Pattern[str] | Bounded | None


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """
    One mapping of conditions.

    Args:
        written: as the operator could have written it.
        needle: stands in every line that may match; a line without it is not one.
    """

    kind: str
    index: int
    hint: bool
    written: str
    conditions: tuple[Condition, ...]
    needle: Needle
    seek: re.Pattern[str]


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """What a filter says about fields: by name where they are (the first one that is filled counts), and the entries."""

    where: Mapping[str, tuple[FieldPath, ...]]
    entries: tuple[Entry, ...]

    @property
    def needles(self) -> tuple[Needle, ...]:
        """One of these stands in every line that an entry matches."""
        return tuple(dict.fromkeys(entry.needle for entry in self.entries))


def compile_records(spec: FilterSpec, report: Report, proven: bool = False) -> Records | None:
    """
    None if the filter names no fields.

    Args:
        report: is told each problem: its key, what was expected, what stands there.
        proven: the regexes are known to be linear in `re`.
    """
    lists = [
        *((f"failfields.{kind}", kind, False, entries) for kind, entries in spec.failfields.items()),
        *((f"hintfields.{kind}", kind, True, entries) for kind, entries in spec.hintfields.items()),
        ("successfields", SUCCESS, False, spec.successfields),
    ]
    given = any(entries for *_, entries in lists)
    if "json" not in spec.header:
        if given or spec.fields:
            report("header", PatternError("json among them, because fields are named"), ", ".join(spec.header))
    elif not given:
        report("header", PatternError("failfields, because it is json"), "json")
    where = {name: tuple(_paths(f"fields.{name}", written, report)) for name, written in spec.fields.items()}
    entries = []
    for key, kind, hint, written in lists:
        for index, conditions in enumerate(written):
            entry = _compile_entry(f"{key}[{index}]", conditions, where, report, proven)
            entries.append(replace(entry, kind=kind, index=FIELDS + index, hint=hint))
    return Records(where, tuple(entries)) if given else None


def _paths(key: str, written: Iterable[str], report: Report) -> Iterable[FieldPath]:
    for text in written:
        try:
            yield parse_path(text)
        except PatternError as error:
            report(key, error, text)


def _compile_entry(
    key: str, written: Mapping[str, str | None], where: Mapping[str, tuple[FieldPath, ...]], report: Report, proven: bool
) -> Entry:
    conditions = []
    needles: list[Needle] = []
    keys: list[Needle] = []
    tags: set[str] = set()
    for name, text in written.items():
        try:
            path = parse_path(name)
            regex = None if text is None else compile_regex(expand_tags(text))
            if regex is not None and not tags.isdisjoint(regex.groupindex):
                raise PatternError(f"each tag in one condition, not {', '.join(sorted(tags & set(regex.groupindex)))} again")
        except PatternError as error:
            report(f"{key}.{name}", error, text or "null")
            continue
        conditions.append(Condition(path, None if regex is None else choose_engine(regex, proven, searched=False).regex))
        if regex is not None:
            tags.update(regex.groupindex)
            needles.extend(_texts(path, regex))
            keys.extend(_keys(path, regex))
    if len(conditions) == len(written):
        if not conditions:
            report(key, PatternError("at least one condition"), "{}")
        elif not (tags & {*IP_NAMES, "user"} or where.keys() & {"ip", "login"}):
            report(key, PatternError("fields.ip, or a tag that says who: <HOST> or <F-USER>"), ", ".join(written))
    needle = next(iter((*needles, *keys)), EVERY_LINE)
    shown = ", ".join(f"{name}: {'null' if text is None else repr(text)}" for name, text in written.items())
    return Entry("", 0, False, f"{{{shown}}}", tuple(conditions), needle, re.compile(needle.regex.decode("ascii"), re.ASCII))


def _texts(path: FieldPath, regex: re.Pattern[str]) -> Iterable[Needle]:
    """What a condition asks for in the line as it is written, the rarest first: a long text, the key with its value, a text."""
    nodes = parse(regex.pattern, 0)
    text = longest_text(nodes)
    piece = "" if text is None or text.folded else max(_UNSAFE.split((text.literal or b"").decode("ascii")), key=len)
    needle = Needle(re.escape(piece.encode("ascii")), piece.encode("ascii"))
    if len(piece) >= _PLENTY:
        yield needle
    values = words(nodes)
    if values and not any(_UNSAFE.search(value) for value in values):
        for key in _key(path, regex):
            value = b"|".join(re.escape(value.encode("ascii")) for value in sorted(set(values)))
            yield Needle(key + b'"?(?:' + value + b")")
    if len(piece) >= LEAST:
        yield needle


def _keys(path: FieldPath, regex: re.Pattern[str]) -> Iterable[Needle]:
    """The key of a condition, with a value that is neither empty nor null."""
    for key in _key(path, regex):
        yield Needle(key + b'(?:"[^"\\n]|[^" n\\n])')


def _key(path: FieldPath, regex: re.Pattern[str]) -> Iterable[bytes]:
    """What stands before the value of a field, if no absent field meets the condition."""
    key = path.parts[-1]
    if regex.fullmatch("") is None and not key.isdecimal() and not _UNSAFE.search(key):
        yield re.escape(f'"{key}"'.encode("ascii")) + b" {0,2}: {0,2}"


class Told(NamedTuple):
    """What stands around a message, from the header if there is one."""

    at: float | None
    times: int
    session: str | None
    line: str
    offset: int


class RecordReader:
    """
    Reads the records of one log.

    Args:
        lens, name: go into each Match.
        zone: of dates that name none; None is this system's.
    """

    def __init__(self, lens: int, name: str, records: Records, reader: DateReader) -> None:
        self._lens = lens
        self._name = name
        self._where = records.where
        self._entries = records.entries
        self._reader = reader

    def begin(self, now: float) -> None:
        """From here on `now` decides the year of dates that have none."""
        self._reader.begin(now)

    def read(self, message: str, told: Told) -> Match | None:
        """What the first entry that matches says."""
        entries = [entry for entry in self._entries if entry.seek.search(message) is not None]
        record = read_object(message) if entries else None
        if record is None:
            return None
        for entry in entries:
            tags = _capture(entry, record)
            if tags is not None and (match := self._build(entry, record, tags, told)) is not None:
                return match
        return None

    def _build(self, entry: Entry, record: Mapping[str, Any], tags: dict[str, str], told: Told) -> Match | None:
        host = next((tags[name] for name in IP_NAMES if name in tags), None)
        if host is None and "ip" in self._where:
            host = tags["ip"] = self._first(record, "ip")
        ip = None if host is None else read_address(host)
        if host is not None and ip is None:
            return None
        if "user" not in tags and "login" in self._where:
            tags["user"] = self._first(record, "login")
        login = tags.get("user") or None
        if ip is None and login is None:
            return None
        at = read_date(self._first(record, "date"), self._reader)
        session = tags.get("session") or self._first(record, "session") or told.session
        return Match(
            self._lens,
            self._name,
            entry.kind,
            told.at if at is None else at,
            ip,
            login,
            told.times,
            entry.index,
            entry.hint,
            session,
            told.line,
            told.offset,
            tags,
        )

    def _first(self, record: Mapping[str, Any], name: str) -> str:
        """The first of the fields for `name` that is filled."""
        texts = (field_text(record, path) for path in self._where.get(name, ()))
        return next(filter(None, texts), "")


def _capture(entry: Entry, record: Mapping[str, Any]) -> dict[str, str] | None:
    """The tags in the conditions, or None if one does not hold."""
    tags: dict[str, str] = {}
    for path, regex in entry.conditions:
        value = field_text(record, path)
        if regex is None:
            if value != "":
                return None
        elif value is None or (found := regex.fullmatch(value)) is None:
            return None
        else:
            tags.update((name, text) for name, text in found.groupdict().items() if text is not None)
    return tags


def read_address(text: str) -> str | None:
    """The address that a field holds, which may have a port: `192.0.2.7:4242`, `[2001:db8::7]:4242`."""
    found = _PORT.fullmatch(text)
    return canonical_ip(text if found is None else found[1] or found[2])


def read_date(text: str, reader: DateReader) -> float | None:
    """Epoch seconds of a date or of a number: seconds, or thousandths, millionths and so on of them."""
    if not text:
        return None
    if _EPOCH.fullmatch(text) is None:
        return reader.read(text)
    whole, _, fraction = text.partition(".")
    return float(text) if fraction or len(whole) == 10 else int(whole) / 10 ** (len(whole) - 10)
