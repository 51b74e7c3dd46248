"""
Dates as logs print them → UTC epoch seconds.

A format is text with strptime's directives. It is compiled to a regex once; nothing calls strptime for a line. Lines come
in order, so nearly all of them share everything but the seconds with the line before: a DateReader keeps the last minute
and adds the seconds to it.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, tzinfo
from typing import Final

MONTHS: Final = {
    name: number
    for number, name in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)
}
DAY: Final = 86400.0
EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()

_ZONES: Final = (
    "WES?T|CES?T|EES?T|MSK|BST|IST|WAT|CAT|EAT|SAST|PKT|HKT|SGT|JST|KST|AWST|AC[SD]T|AE[SD]T|NZ[SD]T"
    "|E[SD]T|C[SD]T|M[SD]T|P[SD]T|AK[SD]T|HST"
)

# Each directive: the group it fills (None: it is only skipped) and its regex.
DIRECTIVES: Final[dict[str, tuple[str | None, str]]] = {
    "Y": ("Y", r"[0-9]{4}"),
    "y": ("y", r"[0-9]{2}"),
    "m": ("m", r"[0-9]{2}"),
    "b": ("b", r"[A-Za-z]{3}"),
    "h": ("b", r"[A-Za-z]{3}"),
    "B": ("b", r"[A-Za-z]{3,9}"),
    "d": ("d", r"[0-9 ]?[0-9]"),
    "e": ("d", r"[0-9 ]?[0-9]"),
    "a": (None, r"[A-Za-z]{3}"),
    "A": (None, r"[A-Za-z]{6,9}"),
    "H": ("H", r"[0-9]{2}"),
    "k": ("H", r"[0-9 ]?[0-9]"),
    "I": ("I", r"[0-9]{2}"),
    "l": ("I", r"[0-9 ]?[0-9]"),
    "p": ("p", r"[AaPp][Mm]"),
    "M": ("M", r"[0-9]{2}"),
    "S": ("S", r"[0-9]{2}"),
    "f": ("f", r"[0-9]{1,9}"),
    "z": ("z", r"(?:(?:Z|UTC|GMT)\b|[+-][0-9]{2}(?::?[0-9]{2})?(?![0-9]))"),
    # Names that several zones share, so the zone is the log's own. A list, since a log goes on with words in capitals as well.
    "Z": (None, rf"(?:{_ZONES})\b"),
    "s": ("s", r"[1-9][0-9]{9}(?:\.[0-9]{1,9})?(?![0-9])"),
}
SHORTHANDS: Final = {"T": "%H:%M:%S", "F": "%Y-%m-%d", "R": "%H:%M", "D": "%m/%d/%y"}

# What <DATE> means unless the filter has a date of its own. Between the directives stands regex.
_SYSLOG: Final = (r"%b %d %H:%M:%S(?:[.,]%f)?", r"%Y-%m-%dT%H:%M:%S(?:[.,]%f)?(?:%z)?")
_KNOWN: Final = (
    r"%Y-%m-%d[T ]%k:%M:%S(?:[.,]%f)?(?: ?%z| %Z)?",
    r"%a %b %d %H:%M:%S(?:[.,]%f)? %Y",
    r"%y%m%d %k:%M:%S",
    r"%b %d %H:%M:%S(?:[.,]%f)?",
    r"%Y/%m/%d %H:%M:%S(?:[.,]%f)?",
    r"%d/%b/%Y:%H:%M:%S(?: %z)?",
    r"%s",
)


class DateFormats:
    """
    The formats a date may have, tried in order.

    `pattern` is a regex for all of them, without groups of its own, to be put into a larger one.
    """

    def __init__(self, templates: Iterable[str]) -> None:
        templates = tuple(templates)
        self.pattern = "(?:" + "|".join(_regex(template, named=False) for template in templates) + ")"
        self.regexes = tuple(re.compile(_regex(template, named=True)) for template in templates)


def parse_format(text: str) -> DateFormats:
    """
    The one format that the operator wrote, with strptime's directives.

    Raises:
        ValueError: a directive is unknown, stands there twice, or too little is given to tell an instant; with what was
            expected.
    """
    pieces = re.split(r"%(.?)", _spell_out(text))
    seen = set()
    template = re.escape(pieces[0])
    for directive, literal in zip(pieces[1::2], pieces[2::2], strict=True):
        if directive == "%":
            template += "%%"
        elif directive in DIRECTIVES:
            group = DIRECTIVES[directive][0]
            if group in seen:
                raise ValueError(f"expected each part of a date once, got %{directive} again")
            seen.add(group)
            template += f"%{directive}"
        else:
            known = " ".join(f"%{name}" for name in (*DIRECTIVES, *SHORTHANDS))
            raise ValueError(f"expected one of {known}, got %{directive}")
        template += re.escape(literal)
    if "s" not in seen and not (({"m", "b"} & seen) and "d" in seen and ({"H", "I"} & seen)):
        raise ValueError("expected at least month, day and hour, or %s")
    return DateFormats((template,))


class DateReader:
    """
    Reads the dates of one log.

    Args:
        zone: the zone of dates that name none; None is this system's.
    """

    def __init__(self, formats: DateFormats, zone: tzinfo | None) -> None:
        self._regexes = formats.regexes
        self._zone = zone
        self._now = 0.0
        self._text: str | None = None  # the last date, and what it was
        self._at: float | None = None
        self._before = self._after = "\n"  # what surrounds the seconds in it
        self._base: float | None = None  # its minute; None if the seconds cannot be told apart

    def begin(self, now: float) -> None:
        """From here on `now` decides the year of dates that have none."""
        if abs(now - self._now) > 3600.0:
            self._forget()
        self._now = now

    def read(self, text: str) -> float | None:
        """Epoch seconds of `text`; None when there is no such date (31 February), or when it has none of the formats."""
        if text == self._text:
            return self._at
        # The same minute and zone: what is left is seconds, perhaps with a fraction. No such text is shorter than both.
        if text.startswith(self._before) and text.endswith(self._after) and self._base is not None:
            try:
                seconds = float(text[len(self._before) : len(text) - len(self._after)])
            except ValueError:
                return self._parse(text)
            if 0.0 <= seconds < 61.0:
                self._text = text
                self._at = self._base + seconds
                return self._at
        return self._parse(text)

    def _forget(self) -> None:
        self._text = self._at = self._base = None
        self._before = self._after = "\n"

    def _parse(self, text: str) -> float | None:
        self._forget()
        self._text = text
        for regex in self._regexes:
            if (match := regex.fullmatch(text)) is not None:
                self._at = self._convert(text, match)
                break
        return self._at

    def _convert(self, text: str, match: re.Match[str]) -> float | None:
        part = match.groupdict()
        if part.get("s"):
            return float(part["s"])
        minute = _minute(part, self._zone, self._now)
        if minute is None:
            return None
        second = part.get("S")
        if second is None:
            return minute
        if int(second) > 60:
            return None
        fraction = part.get("f")
        start, end = match.span("S")
        if fraction is not None and match.start("f") == end + 1:
            end = match.end("f")
        elif fraction is not None:
            return minute + int(second) + float(f"0.{fraction}")
        self._before, self._after, self._base = text[:start], text[end:], minute
        return minute + float(f"{second}.{fraction or 0}")


def _spell_out(text: str) -> str:
    return re.sub(r"%(.)", lambda found: SHORTHANDS.get(found[1], found[0]), text)


def _regex(template: str, *, named: bool) -> str:
    def replace(found: re.Match[str]) -> str:
        if found[1] == "%":
            return "%"
        group, regex = DIRECTIVES[found[1]]
        return f"(?P<{group}>{regex})" if named and group is not None else regex

    return re.sub(r"%(.)", replace, template)


def _minute(part: dict[str, str | None], zone: tzinfo | None, now: float) -> float | None:
    """Epoch seconds of the minute that the parts name; None if there is no such minute."""
    name = part.get("b")
    month = MONTHS.get(name[:3].lower(), 0) if name else int(part.get("m") or 0)
    day = int(part["d"] or 0)
    hour = int(part.get("H") or part.get("I") or 0)
    if part.get("I"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if (part.get("p") or "").lower() == "pm" else 0)
    clock = (month, day, hour, int(part.get("M") or 0))
    offset = _offset(part.get("z"))
    if year := part.get("Y") or part.get("y"):
        return _instant((int(year) if len(year) == 4 else 2000 + int(year), *clock), zone, offset, now)
    # No year: the one that puts it at most a day into the future. Eight years back there was a 29 February.
    newest = datetime.fromtimestamp(now, UTC).year + 1
    for candidate in range(newest, newest - 10, -1):
        at = _instant((candidate, *clock), zone, offset, now)
        if at is not None and at <= now + DAY:
            return at
    return None


def _offset(text: str | None) -> int | None:
    """Seconds east of Greenwich; None when no zone is named."""
    if text is None:
        return None
    if text[0] not in "+-":
        return 0
    seconds = int(text[1:3]) * 3600 + int(text[3:].removeprefix(":") or 0) * 60
    return -seconds if text[0] == "-" else seconds


def _instant(when: tuple[int, int, int, int, int], zone: tzinfo | None, offset: int | None, now: float) -> float | None:
    year, month, day, hour, minute = when
    try:
        if offset is not None:
            days = date(year, month, day).toordinal() - EPOCH_ORDINAL
            return days * DAY + hour * 3600 + minute * 60 - offset if hour < 24 and minute < 60 else None
        first = datetime(year, month, day, hour, minute, tzinfo=zone).timestamp()
        second = datetime(year, month, day, hour, minute, tzinfo=zone, fold=1).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    # When clocks are put back an hour comes twice. A line being written now belongs to the one that is now; of an old line
    # nobody knows, and the first is taken.
    if first < second and abs(second - now) < abs(first - now) < DAY:
        return second
    return first


SYSLOG: Final = DateFormats(_SYSLOG)
KNOWN: Final = DateFormats(_KNOWN)
