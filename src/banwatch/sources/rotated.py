"""
What a rotated log is called, and which of them are newer. Pure.

`mainlog` becomes `mainlog.1`, `mainlog-20261127`, `mainlog.old`; `app.log` also `app.1.log` and `app-20261127.log`; and
all of them may be packed after that. Numbers grow with age, and dates that sort are in order. With any other stamps the
older file is the one that was written to last at an earlier time: renaming and packing leave that time alone, and so do
those who copy, since a copy is made after the last line and before the next one.

Source: logrotate(8): dateext, dateformat, extension, compressext; savelog(8).
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from banwatch.sources.opened import Identity
from banwatch.sources.unpack import PACKED

_STAMP = re.compile(r"[.\-_](?P<stamp>\d[\d\-_.T:]*|old)(?P<extension>\.[A-Za-z]\w*)?")
_LARGEST = 1900
"""What is a number below this; above it is a year, a date or seconds."""

_SORTABLE = re.compile(r"(?:19|20)\d\d([\-_.]?)(?:0[1-9]|1[0-2])\1[0-3]\d|\d{10}$")
"""The year before the month before the day; or seconds."""


class Rotated(NamedTuple):
    """
    A file beside a log that bears the name of an earlier one.

    Args:
        ending: of the program that packed it; empty when it is not packed.
        written: when it was written to last, in nanoseconds.
        size: of the file as it is.
    """

    path: str
    stamp: str
    ending: str
    identity: Identity
    written: int
    size: int


def split_ending(name: str) -> tuple[str, str]:
    """The name without the ending of a packed file, and the ending, without its dot."""
    ending = next((one for one in PACKED if name.endswith(one)), "") if name.endswith(PACKED) else ""
    return name.removesuffix(ending), ending[1:]


def find_bases(name: str) -> Iterator[tuple[str, str]]:
    """Whose rotated file something of this name could be: names of logs, each with what is the stamp then."""
    name = split_ending(name)[0]
    for start in (at for at, letter in enumerate(name) if at and letter in ".-_"):
        if found := _STAMP.fullmatch(name, start):
            yield name[:start] + (found["extension"] or ""), found["stamp"]


def find_logs(path: str) -> set[str]:
    """The paths of the logs that something at this path could be a rotated file of."""
    directory, slash, name = path.rpartition("/")
    return {f"{directory}{slash}{base}" for base, _ in find_bases(name)}


def arrange(files: Iterable[Rotated]) -> list[Rotated]:
    """The oldest first."""
    files = list(files)
    if all((number := _number(one.stamp)) is not None and number < _LARGEST for one in files):
        return sorted(files, key=lambda one: (-(_number(one.stamp) or 0), one.written, one.path))
    if len({len(one.stamp) for one in files}) == 1 and all(_SORTABLE.match(one.stamp) for one in files):
        return sorted(files, key=lambda one: (one.stamp, one.written, one.path))
    return sorted(files, key=lambda one: (one.written, one.stamp, one.path))


def _number(stamp: str) -> int | None:
    return 1 if stamp == "old" else int(stamp) if stamp.isdecimal() and len(stamp) < 5 else None
