"""
Which files the configured patterns lead to, under which names, and which of them have been rotated away.

A file is known by its device and inode, whatever it is called: the one that is renamed goes on where it was, and one that
is reached by several paths is read once. A file that no path leads to any more is *retired*: it is kept open, because its
writers may still have it.
"""

import errno
import fnmatch
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from banwatch.errors import SourceError
from banwatch.model import Position
from banwatch.sources.base import Counters, SourceState, Waker
from banwatch.sources.directories import Directories
from banwatch.sources.file import Identity, LogFile, check_regular, identity
from banwatch.sources.paths import ABSENT, Found, find

STALE = 60.0
"""A file that turns up, but was last written longer ago than this, has old lines: it was mounted or moved here."""

LASTING = ABSENT | {errno.EACCES, errno.EPERM, errno.ELOOP}
"""Errors that end with an event of some directory; after others the only way is to try again."""

LIMITS = {errno.ENOSPC: "fs.inotify.max_user_watches", errno.EMFILE: "fs.inotify.max_user_instances"}


@dataclass(slots=True, eq=False)
class Followed:
    """
    An open file and its names.

    `patterns` are those that lead to it. A path that was turned to another file leaves its patterns in `former` until
    what was written before is read. `waits_for` are the files it took a path from, whose rest comes first; it is among their
    `heirs`. `moved`: it lost its name or all of them, so the line under way may never get an end. `superseded`:
    retired, and so is one that came later. `settling`: moved, and still for a while. `read_last` is when it last gave
    something, on the waker's clock.
    """

    file: LogFile
    source: str
    paths: tuple[str, ...] = ()
    patterns: frozenset[str] = frozenset()
    former: frozenset[str] = frozenset()
    former_until: int = 0
    watch: int | None = None
    note: str | None = None
    error: str | None = None
    failures: int = 0
    retired: bool = False
    moved: bool = False
    superseded: bool = False
    settling: bool = False
    read_last: float = 0.0
    waits_for: "set[Followed]" = field(default_factory=set)
    heirs: "list[Followed]" = field(default_factory=list)

    @property
    def behind(self) -> int:
        """Bytes that are there and were not handed out as lines."""
        return max(self.file.size - self.file.position.offset, 0)

    @property
    def belongs_to(self) -> frozenset[str]:
        return self.patterns | self.former if self.former else self.patterns


class Absent(NamedTuple):
    """A path, or a glob, that leads to nothing readable; `errno` is 0 when it is there but of the wrong kind."""

    why: str
    errno: int
    patterns: frozenset[str]


def render_errno(number: int) -> str:
    return f"{os.strerror(number).lower()} (errno {number})"


class Catalogue:
    """
    Keeps files, names and watches in step with the directories; look() is the only thing that changes them.

    Args:
        resume: where another life left off; found again by device and inode, the keys do not matter.

    Attributes:
        unwatched: files whose growth is no event.
        uncertain: a path may come to lead elsewhere without an event.
    """

    def __init__(
        self, waker: Waker, clock: Callable[[], float], lookback: int, resume: Mapping[str, Position], every: float
    ) -> None:
        self._waker = waker
        self._clock = clock
        self._lookback = lookback
        self._resume = {Identity(one.device, one.inode): one.offset for one in resume.values()}
        self._every = every
        self.directories = Directories(waker)
        self.files: dict[Identity, Followed] = {}
        self.watched: dict[int, Followed] = {}
        self.leads: dict[str, Followed] = {}
        self.absent: dict[str, Absent] = {}
        self.counters: dict[str, Counters] = {}
        self.unwatched: dict[Followed, None] = {}
        self.uncertain = False

    def look(self, patterns: frozenset[str], new: frozenset[str] = frozenset()) -> list[Followed]:
        """
        Follow every path anew; gives the files of which something may be unread. Those that nobody wants any more are left
        with no pattern they belong to.

        Args:
            new: patterns that were not looked for before: what they lead to stood there already.
        """
        self.directories.begin()
        before, self.absent = self.absent, {}
        known = set(self.files.values())
        found = self._find(patterns)
        named: dict[Followed, dict[str, frozenset[str]]] = {}
        for one, paths in found:
            if (followed := self._obtain(one, paths, new, before)) is not None:
                named.setdefault(followed, {}).update(paths)
        touched: dict[Followed, None] = {}
        for followed in list(self.files.values()):
            if self._rename(followed, named.get(followed, {}), patterns):
                touched[followed] = None
        for followed, paths in named.items():
            for path in paths:
                touched.update(dict.fromkeys(self._lead(path, followed, followed not in known)))
        self.directories.settle()
        self.leads = {path: one for path, one in self.leads.items() if self.files.get(one.file.identity) is one}
        self.counters = {path: one for path, one in self.counters.items() if path in self.leads or path in self.absent}
        self.uncertain = bool(self.directories.unwatched) or any(
            one.errno not in LASTING for one in self.absent.values() if one.errno
        )
        return list(touched)

    def drop(self, followed: Followed) -> None:
        """Close it and forget it."""
        self.files.pop(followed.file.identity, None)
        self.unwatched.pop(followed, None)
        if followed.watch is not None:
            self.watched.pop(followed.watch, None)
            self._waker.unwatch(followed.watch)
        followed.file.close()

    def watch_again(self, followed: Followed) -> None:
        """
        Watch it anew after the kernel took the watch away.

        It does so when the last name of a file is deleted, if that is not the name by which the file was opened (a hard
        link), although its writers may go on.
        """
        if followed.watch is not None:
            self.watched.pop(followed.watch, None)
            followed.watch = None
        self._watch(followed)

    def succeeded(self, followed: Followed) -> bool:
        """Whether another file has its place and is in use."""
        others = (self.leads.get(path) for path in followed.paths)
        return any(other is not None and other is not followed and other.file.offset > 0 for other in others)

    def states(self) -> dict[str, SourceState]:
        """Each path in use, and each path or glob that leads to nothing."""
        states = {}
        rest: dict[str, int] = {}
        for one in self.files.values():
            if one.retired:
                rest[one.source] = rest.get(one.source, 0) + one.behind
        for one in self.files.values():
            if not one.retired:
                live = one.file.offset >= one.file.stood
                behind = one.behind + rest.get(one.source, 0)
                states[one.source] = SourceState(
                    one.source, one.belongs_to, one.paths, True, live, behind, one.error, one.note, one.file.counters
                )
        for path, absent in self.absent.items():
            counters = self.counters.get(path) or Counters()
            states[path] = SourceState(
                path, absent.patterns, (), False, True, rest.get(path, 0), absent.why, None, counters, absent.errno in ABSENT
            )
        return states

    def _find(self, patterns: Iterable[str]) -> list[tuple[Found, dict[str, frozenset[str]]]]:
        """Each file once, with all paths to it and the patterns of each path."""
        files: dict[Identity, tuple[Found, dict[str, frozenset[str]]]] = {}
        for pattern in sorted(patterns):
            names = list(find(pattern, self.directories.want))
            for one in names:
                try:
                    if one.status is None:
                        self._miss(one.path, render_errno(one.errno), one.errno, pattern)
                        continue
                    check_regular(one.status)
                except SourceError as error:
                    self._miss(one.path, error.message, 0, pattern)
                    continue
                paths = files.setdefault(identity(one.status), (one, {}))[1]
                paths[one.path] = paths.get(one.path, frozenset()) | {pattern}
            if not names:
                self._miss(pattern, "no file matches", errno.ENOENT, pattern)
        return list(files.values())

    def _miss(self, path: str, why: str, number: int, *patterns: str) -> None:
        known = self.absent[path].patterns if path in self.absent else frozenset()
        self.absent[path] = Absent(why, number, known.union(patterns))

    def _obtain(
        self, one: Found, paths: Mapping[str, frozenset[str]], new: frozenset[str], before: Mapping[str, Absent]
    ) -> Followed | None:
        """The file as it is followed already, or opened now; None and a reason in `absent` if it cannot be."""
        assert one.status is not None
        if (followed := self.files.get(identity(one.status))) is not None:
            if followed.watch is None:
                self._watch(followed)
            return followed
        stood = (
            any(not new.isdisjoint(patterns) for patterns in paths.values())
            or one.status.st_mtime < self._clock() - STALE
            or any(_was_refused(path, before) for path in paths)
        )
        try:
            file = LogFile.open(
                one.real,
                lookback=self._lookback if stood else None,
                resume=self._resume.get(identity(one.status)) if stood else None,
            )
        except (OSError, SourceError) as error:
            number = (error.errno or errno.EIO) if isinstance(error, OSError) else 0
            for path, patterns in paths.items():
                self._miss(path, render_errno(number) if number else str(error), number, *patterns)
            return None
        if (followed := self.files.get(file.identity)) is not None:  # it was replaced between look and open
            file.close()
            return followed
        source = min(paths)
        file.counters = self.counters.setdefault(source, Counters())
        followed = Followed(file, source)
        self.files[file.identity] = followed
        self._watch(followed)
        return followed

    def _watch(self, followed: Followed) -> None:
        try:
            followed.watch = self._waker.watch_file(followed.file.descriptor)
        except OSError as error:
            number = error.errno or errno.EIO
            self.unwatched[followed] = None
            remedy = f"; raise {LIMITS[number]}" if number in LIMITS else ""
            followed.note = f"cannot be watched: {render_errno(number)}; looked at every {self._every:g} s{remedy}"
        else:
            followed.note = None
            self.unwatched.pop(followed, None)
            self.watched[followed.watch] = followed

    def _rename(self, followed: Followed, paths: Mapping[str, frozenset[str]], configured: frozenset[str]) -> bool:
        """Give it the names it has now; True if it may have something unread. Without any it retires."""
        if not paths:
            followed.patterns &= configured
            followed.former &= configured
            news = not followed.retired
            if news:
                followed.retired = followed.moved = True
                followed.read_last = 0.0
            return news
        patterns = frozenset().union(*paths.values())
        if lost := (followed.belongs_to - patterns) & configured:
            followed.former, followed.former_until = lost, followed.file.size
        news = not followed.paths or followed.retired or bool(lost)
        followed.paths, followed.patterns = tuple(sorted(paths)), patterns
        followed.moved &= not followed.retired
        followed.retired = followed.superseded = False
        if followed.source not in paths:
            followed.source, followed.moved = followed.paths[0], True
            followed.file.counters = self.counters.setdefault(followed.source, Counters())
        return news

    def _lead(self, path: str, followed: Followed, is_new: bool) -> Iterable[Followed]:
        """Let the path lead to this file; gives the one that it led to before, if that was another."""
        old = self.leads.get(path)
        self.leads[path] = followed
        if old is None or old is followed:
            return
        followed.file.counters.rotations += 1
        if is_new and old.file.is_open:  # two files that swap their names would wait for each other for ever
            followed.waits_for.add(old)
            old.heirs.append(followed)
        yield old
        for other in self.files.values():
            if other.retired and other is not old and path in other.paths:
                other.superseded = True
                yield other


def _was_refused(path: str, before: Mapping[str, Absent]) -> bool:
    """Whether it could have been there all the time, behind an error that hid it."""
    return any(
        one.errno and one.errno not in ABSENT and (path == shown or fnmatch.fnmatchcase(path, shown))
        for shown, one in before.items()
    )
