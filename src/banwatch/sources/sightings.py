"""
What all patterns together lead to at one moment: each file once with all its paths, and what leads nowhere, with the reason.
"""

import errno
import fnmatch
import os
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from banwatch.errors import SourceError
from banwatch.sources.opened import Identity, check_regular, identity
from banwatch.sources.paths import ABSENT, find

LASTING = ABSENT | {errno.EACCES, errno.EPERM, errno.ELOOP}
"""Errors that end with an event of some directory; after others the only way is to try again."""

Paths = dict[str, frozenset[str]]
"""Path → the configured patterns that it answers to."""


class Sighting(NamedTuple):
    """A regular file that is there: one way to it without links, and all paths that lead to it."""

    real: str
    status: os.stat_result
    paths: Paths


class Absent(NamedTuple):
    """A path, or a glob, that leads to nothing readable; `errno` is 0 when it is there but of the wrong kind."""

    why: str
    errno: int
    patterns: frozenset[str]

    @property
    def is_missing(self) -> bool:
        return self.errno in ABSENT

    @property
    def is_lasting(self) -> bool:
        """Some event will tell when it is over."""
        return self.errno == 0 or self.errno in LASTING


def render_errno(number: int) -> str:
    return f"{os.strerror(number).lower()} (errno {number})"


def add_absent(absent: dict[str, Absent], path: str, why: str, number: int, patterns: frozenset[str]) -> None:
    known = absent[path].patterns if path in absent else frozenset()
    absent[path] = Absent(why, number, known | patterns)


def find_files(patterns: Iterable[str], watch: Callable[[str, str], None]) -> tuple[list[Sighting], dict[str, Absent]]:
    """The files, and the paths and globs without one; `watch` as in paths.find."""
    files: dict[Identity, Sighting] = {}
    absent: dict[str, Absent] = {}
    for pattern in sorted(patterns):
        only = frozenset([pattern])
        names = list(find(pattern, watch))
        for one in names:
            if one.status is None:
                add_absent(absent, one.path, render_errno(one.errno), one.errno, only)
                continue
            try:
                check_regular(one.status)
            except SourceError as error:
                add_absent(absent, one.path, error.message, 0, only)
                continue
            paths = files.setdefault(identity(one.status), Sighting(one.real, one.status, {})).paths
            paths[one.path] = paths.get(one.path, frozenset()) | only
        if not names:
            add_absent(absent, pattern, "no file matches", errno.ENOENT, only)
    return list(files.values()), absent


def was_hidden(paths: Iterable[str], before: Mapping[str, Absent]) -> bool:
    """Whether a file at one of the paths could have been there all the time, behind an error that hid it."""
    hidden = [shown for shown, one in before.items() if one.errno and not one.is_missing]
    return any(path == shown or fnmatch.fnmatchcase(path, shown) for path in paths for shown in hidden)
