"""
Where a configured path or glob leads at this moment, and which directory entries decide about it.

A path is followed by hand, component by component and link by link, because each directory on the way has to be watched
*before* its entry is looked at: what changes after the look is then an event, and nothing falls into the gap. A directory
that does not exist yet is an entry of its nearest existing parent.

Source: path_resolution(7); glob(7) for the wildcards. `**` is `*`.
"""

import errno
import fnmatch
import os
import stat
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from re import Pattern, compile
from typing import NamedTuple

from banwatch.sources.unpack import PACKED

MAX_LINKS = 40  # as the kernel
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})

Watch = Callable[[str, str], None]
"""Takes a directory and the name, or wildcard, of an entry in it that matters."""


class Found(NamedTuple):
    """
    One path that a pattern stands for.

    Args:
        path: as configured or completed from the glob, links kept.
        real: the same with every link followed.
        status: None when it cannot be looked at; `errno` says why.
        errno: 0 when it is there.
    """

    path: str
    real: str
    status: os.stat_result | None
    errno: int = 0


class Step(NamedTuple):
    """A component still to be passed; one that came out of a link is not shown and has no wildcards."""

    name: str
    shown: bool


def has_wildcard(text: str) -> bool:
    return "*" in text or "?" in text or "[" in text  # for each name of a busy directory


@lru_cache(maxsize=1024)
def _wildcard(text: str) -> Pattern[str]:
    return compile(fnmatch.translate(text))


def fits(name: str, wanted: str) -> bool:
    """Whether a directory entry is one that `wanted` (a name, or a wildcard) is about."""
    if name == wanted or not has_wildcard(wanted):
        return name == wanted
    return _wildcard(wanted).match(name) is not None and (wanted.startswith(".") or not name.startswith("."))


def find(pattern: str, watch: Watch) -> Iterator[Found]:
    """
    What the pattern stands for now, sorted within each directory; `watch` is called before each look.

    A path without wildcards gives exactly one, even if absent. A glob gives what is there; a directory on its way that
    cannot be read is given as a Found with its errno, since it may hide files. Packed files are not logs any more and no
    glob gives them.
    """
    whole = pattern if pattern.startswith("/") else f"{Path.cwd()}/{pattern}"
    steps = tuple(Step(part, True) for part in whole.split("/") if part)
    return _follow("", "/", steps, 0, True, watch)


def _follow(shown: str, at: str, steps: tuple[Step, ...], links: int, literal: bool, watch: Watch) -> Iterator[Found]:
    """
    Args:
        shown: how the operator would call the directory `at`, without a slash at its end.
        literal: no wildcard was passed: whoever is absent has to be told of.
    """
    while steps:
        (name, is_shown), steps = steps[0], steps[1:]
        if is_shown and has_wildcard(name) and not _exists(at, name):
            yield from _expand(shown, at, name, steps, links, watch)
            return
        if is_shown:
            shown = f"{shown}/{name}"
        if name == "..":
            at = os.path.dirname(at)  # noqa: PTH120  the hot way: no objects for thousands of components
        if name in (".", ".."):
            continue
        watch(at, name)
        real = f"{at}/{name}" if at != "/" else f"/{name}"
        try:
            status = os.lstat(real)
            if stat.S_ISLNK(status.st_mode):
                links += 1
                if links > MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                target = os.readlink(real)  # noqa: PTH115
                steps = tuple(Step(part, False) for part in target.split("/") if part) + steps
                at = "/" if target.startswith("/") else at
                continue
            if steps and not stat.S_ISDIR(status.st_mode):
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        except OSError as error:
            if literal or error.errno not in ABSENT:
                yield Found(_complete(shown, steps), real, None, error.errno or errno.EIO)
            return
        at = real
        if not steps:
            yield Found(shown, real, status)
            return
    yield Found(shown or "/", at, None, errno.EISDIR)  # it ends in a dot, or leads to the root


def _expand(shown: str, at: str, name: str, steps: tuple[Step, ...], links: int, watch: Watch) -> Iterator[Found]:
    watch(at, name)
    try:
        with os.scandir(at) as entries:
            names = sorted(entry.name for entry in entries if fits(entry.name, name))
    except OSError as error:
        if error.errno not in ABSENT:
            yield Found(_complete(f"{shown}/{name}", steps), at, None, error.errno or errno.EIO)
        return
    for one in names:
        if steps or not one.endswith(PACKED):
            yield from _follow(shown, at, (Step(one, True), *steps), links, False, watch)


def _exists(at: str, name: str) -> bool:
    """A name that looks like a wildcard but is there, to the letter, is that file."""
    return os.path.lexists(f"{at}/{name}")


def _complete(shown: str, steps: tuple[Step, ...]) -> str:
    return "/".join((shown, *(step.name for step in steps if step.shown)))
