"""
The unread rest of rotated files: found beside the logs, and followed before them.
"""

import fnmatch
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain, pairwise

from banwatch.errors import SourceError
from banwatch.model import Position
from banwatch.sources.base import Counters
from banwatch.sources.file import LogFile
from banwatch.sources.handles import Followed, Handles
from banwatch.sources.memory import Memory
from banwatch.sources.opened import identity
from banwatch.sources.packed import PackedFile
from banwatch.sources.plan import Step, plan_rest
from banwatch.sources.rotated import Rotated, find_logs
from banwatch.sources.siblings import Siblings, is_of, open_rest

Stood = Mapping[Followed, Position | None]
"""Files that stood there when they were found, each with the place where it was left, if it was read before."""


RECENT = 60.0
"""Seconds before the last reading of a log within which the file that came next was not written yet."""


class Rest:
    """
    Opens what was rotated away while nobody read.

    Args:
        memory: what is used of it is forgotten.
        count: gives the counters of a source.
    """

    def __init__(self, handles: Handles, memory: Memory, count: Callable[[str], Counters]) -> None:
        self._handles = handles
        self._memory = memory
        self._count = count
        self._last_packed: Followed | None = None
        self._siblings = Siblings()

    def begin(self) -> None:
        """A new look: names may have changed."""
        self._siblings = Siblings()

    def follow(self, stood: Stood, new: frozenset[str], leads: dict[str, Followed]) -> list[Followed]:
        """
        Follow the rest of what came before the files in `stood`, and before those that are not there.

        Args:
            new: patterns that were not looked for before.
            leads: path → the file it leads to; a path that leads nowhere now gets the last that it led to.
        Returns: what has something unread; no path leads to it, or it is in `stood`.
        """
        rest = list[Followed]()
        logs = self._memory.sources.union(leads)
        for current in stood:
            current.moved = any(not find_logs(path).isdisjoint(logs) for path in current.paths)
            known = (position for path in current.paths if (position := self._memory.position(path)) is not None)
            if (position := next(known, None)) is not None:
                files = self._siblings.find((*current.paths, current.file.path))
                found = self._follow(position, files, current.source, current.patterns, current, stood)
                for before, after in pairwise((*found, current)):
                    after.wait_for(before)
                rest += found
            for path in current.paths:
                self._memory.forget(path)
        for source in self._memory.sources if new else ():
            patterns = frozenset(pattern for pattern in new if pattern == source or fnmatch.fnmatchcase(source, pattern))
            if patterns and (position := self._memory.position(source)) is not None:
                found = self._follow(position, self._siblings.find((source,)), source, patterns, None, stood)
                for before, after in pairwise(found):
                    after.wait_for(before)
                if found:
                    self._memory.forget(source)
                    leads.setdefault(source, found[-1])
                rest += found
        return rest

    def between(self, old: Followed, new: Followed, patterns: frozenset[str]) -> list[Followed]:
        """
        Follow the files that came and were rotated away after the old one and before the new one, without being seen.

        Their names alone are not believed: somebody may have given the old one a name that makes others look newer.
        """
        if _is_first(old.file, new.paths):
            return []
        files = self._siblings.find((*new.paths, new.file.path))
        since = (old.file.read_at - RECENT) * 1e9
        newer = files[_find(old.file, files) + 1 :]
        unseen = [one for one in newer if one.identity not in self._handles.files and one.written > since]
        found = [one for file in unseen if (one := self._open(Step(file, None), new.source, patterns, {})) is not None]
        for before, after in pairwise((old, *found, new)):
            after.wait_for(before)
        for one in (old, *found[:-1]) if found else ():
            one.superseded = one.retired
        return found

    def _follow(
        self,
        position: Position,
        files: Sequence[Rotated],
        source: str,
        patterns: frozenset[str],
        current: Followed | None,
        stood: Stood,
    ) -> list[Followed]:
        is_current = current is not None and stood[current] is not None and _has(current.file, position)
        others = [one for one in files if current is None or one.identity != current.file.identity]
        steps = plan_rest(position, others, is_of, is_current=is_current)
        found = [one for step in steps if (one := self._open(step, source, patterns, stood)) is not None]
        for one in found[:-1]:
            one.superseded = one.retired
        return found

    def _open(self, step: Step, source: str, patterns: frozenset[str], stood: Stood) -> Followed | None:
        """The rotated file, to be gone on with where it was left; None if it cannot be opened."""
        if (followed := self._handles.files.get(step.file.identity)) is not None:
            if step.place is None and followed in stood and stood[followed] is None and isinstance(followed.file, LogFile):
                followed.file.go_on(0)  # a glob led to it, and what was never seen is looked back into: it is new
            return followed
        try:
            file = open_rest(step.file, step.place)
        except (OSError, SourceError):
            self._count(source).errors += 1
            return None
        file.counters = self._count(source)
        followed = Followed(file, source, paths=(source,), patterns=patterns)
        if isinstance(file, PackedFile):  # one after the other, lest there be too many descriptors and programs
            if self._last_packed is not None:
                followed.wait_for(self._last_packed)
            self._last_packed = followed
        self._handles.add(followed)
        self._handles.retire(followed)
        followed.superseded = isinstance(file, PackedFile)
        return followed


def _is_first(file: LogFile | PackedFile, paths: Iterable[str]) -> bool:
    """Whether a rotated file bears the number of the newest one: what it mostly does, told without reading a directory."""
    for path in paths:
        with suppress(OSError):
            if identity(os.lstat(f"{path}.1")) == file.identity:
                return not os.path.lexists(f"{path}.0")
    return False


def _find(file: LogFile | PackedFile, files: Sequence[Rotated]) -> int:
    """Which of its rotated files, the oldest first, is this one, packed perhaps; the last of them if it is none."""
    numbers = range(len(files) - 1, -1, -1)
    itself = (number for number in numbers if files[number].identity == file.identity)
    packed = (number for number in numbers for place in file.places()[-1:] if is_of(files[number], place))
    return next(chain(itself, packed), len(files) - 1)


def _has(file: LogFile | PackedFile, position: Position) -> bool:
    try:
        return isinstance(file, LogFile) and file.fits(position)
    except OSError:  # whoever reads it will be told
        return True
