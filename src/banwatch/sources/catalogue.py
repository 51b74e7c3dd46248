"""
Which files the configured patterns lead to, under which names, and which of them have been rotated away.

A file is known by its device and inode, whatever it is called: the one that is renamed goes on where it was, and one that
is reached by several paths is read once. A file that no path leads to any more is *retired*: it is kept open, because its
writers may still have it.
"""

import errno
from collections.abc import Callable, Iterable, Mapping

from banwatch.errors import SourceError
from banwatch.model import Position
from banwatch.sources.base import Counters, SourceState, Waker
from banwatch.sources.directories import Directories
from banwatch.sources.file import LogFile
from banwatch.sources.handles import Followed, Handles
from banwatch.sources.memory import Memory
from banwatch.sources.opened import identity
from banwatch.sources.rest import Rest
from banwatch.sources.sightings import Absent, Paths, Sighting, add_absent, find_files, render_errno, was_hidden

STALE = 60.0
"""A file that turns up, but was last written longer ago than this, has old lines: it was mounted or moved here."""


class Catalogue:
    """
    Keeps names and open files in step with the directories; look() does it.

    Args:
        resume: where another life left off, by source.

    Attributes:
        leads: path → the file it leads to, or led to last if that is still open.
        absent: path or glob → why it leads to nothing.
        uncertain: a path may come to lead elsewhere without an event.
    """

    def __init__(
        self, handles: Handles, waker: Waker, clock: Callable[[], float], lookback: int, resume: Mapping[str, Position]
    ) -> None:
        self._handles = handles
        self._clock = clock
        self._lookback = lookback
        self._memory = Memory(resume)
        self.directories = Directories(waker)
        self.leads: dict[str, Followed] = {}
        self.absent: dict[str, Absent] = {}
        self.uncertain = False
        self._counters: dict[str, Counters] = {}
        self._stood: dict[Followed, Position | None] = {}  # of this look: what it found, and where that was left
        self._rest = Rest(handles, self._memory, self._count)

    def look(self, patterns: frozenset[str], new: frozenset[str] = frozenset()) -> list[Followed]:
        """
        Follow every path anew; gives the files of which something may be unread. Those that nobody wants any more are left
        with no pattern they belong to.

        Args:
            new: patterns that were not looked for before: what they lead to stood there already.
        """
        before, known = self.absent, set(self._handles.files.values())
        self.directories.begin()
        self._rest.begin()
        sightings, self.absent = find_files(patterns, self.directories.want)
        named: dict[Followed, Paths] = {}
        self._stood = {}
        for sighting in sightings:
            if (followed := self._obtain(sighting, new, before)) is not None:
                named.setdefault(followed, {}).update(sighting.paths)
        self.directories.settle()
        unread = dict.fromkeys(
            one for one in list(self._handles.files.values()) if self._rename(one, named.get(one, {}), patterns)
        )
        for followed, paths in named.items():
            for path in paths:
                unread.update(dict.fromkeys(self._lead(path, followed, is_new=followed not in known)))
        unread.update(dict.fromkeys(self._rest.follow(self._stood, new, self.leads)))
        self.leads = {path: one for path, one in self.leads.items() if one.file.is_open}
        self._counters = {path: one for path, one in self._counters.items() if path in self.leads or path in self.absent}
        self.uncertain = bool(self.directories.unwatched) or not all(one.is_lasting for one in self.absent.values())
        return list(unread)

    def succeeded(self, followed: Followed) -> bool:
        """Whether another file has its place and is in use."""
        others = (self.leads.get(path) for path in followed.paths)
        return any(other is not None and other is not followed and other.file.offset > 0 for other in others)

    def siblings(self, followed: Followed) -> list[LogFile]:
        """The other files which the same patterns lead to, or led to."""
        files = self._handles.files.values()
        others = (one for one in files if one is not followed and not one.belongs_to.isdisjoint(followed.patterns))
        return [one.file for one in others if isinstance(one.file, LogFile)]

    def states(self) -> dict[str, SourceState]:
        """Each path in use, and each path or glob that leads to nothing."""
        rest: dict[str, int] = {}
        for one in self._handles.files.values():
            if one.retired:
                rest[one.source] = rest.get(one.source, 0) + one.behind
        states = {
            path: SourceState(
                path,
                absent.patterns,
                aliases=(),
                opened=False,
                live=True,
                behind=rest.get(path, 0),
                error=absent.why,
                note=None,
                counters=self._counters.get(path) or Counters(),
                missing=absent.is_missing,
            )
            for path, absent in self.absent.items()
        }
        for one in self._handles.files.values():
            if not one.retired:
                states[one.source] = SourceState(
                    one.source,
                    one.belongs_to,
                    aliases=one.paths,
                    opened=True,
                    live=one.file.offset >= one.file.stood,
                    behind=one.behind + rest.get(one.source, 0),
                    error=one.error,
                    note=one.notes,
                    counters=one.file.counters,
                    parked=one.parked,
                )
        return states

    def drop(self, followed: Followed) -> None:
        """Follow it no more; should it come back, it goes on where it was."""
        file, places = followed.file, followed.file.places()
        self._handles.drop(followed)
        if isinstance(file, LogFile):
            self._memory.keep(None if followed.retired else followed.source, file.identity, places)

    def _obtain(self, sighting: Sighting, new: frozenset[str], before: Mapping[str, Absent]) -> Followed | None:
        """The file as it is followed already, or opened now; None and a reason in `absent` if it cannot be."""
        name = identity(sighting.status)
        if (followed := self._handles.files.get(name)) is not None:
            if followed.watch is None:
                self._handles.watch(followed)
            return followed
        stood = (
            any(not new.isdisjoint(patterns) for patterns in sighting.paths.values())
            or sighting.status.st_mtime < self._clock() - STALE
            or was_hidden(sighting.paths, before)
        )
        try:
            file = LogFile.open(sighting.real, stood=stood)
            place = self._place(file, sighting.paths)
        except (OSError, SourceError) as error:
            number = (error.errno or errno.EIO) if isinstance(error, OSError) else 0
            for path, patterns in sighting.paths.items():
                add_absent(self.absent, path, render_errno(number) if number else str(error), number, patterns)
            return None
        if (followed := self._handles.files.get(file.identity)) is not None:  # it was replaced between look and open
            file.close()
            return followed
        source = min(sighting.paths)
        file.counters = self._count(source)
        followed = Followed(file, source, suspect=not stood and place is None)
        followed.tell = self._is_news(file, place, source)
        self._handles.add(followed)
        if stood or place is not None:
            self._stood[followed] = place
        else:
            for path in sighting.paths:
                self._memory.forget(path)
        return followed

    def _is_news(self, file: LogFile, place: Position | None, source: str) -> bool:
        """Whether nothing that is remembered leads from the source to the file, or to one that it came after."""
        if place is not None:
            return file.identity != self._memory.file_of(source)
        return source not in self.leads and self._memory.position(source) is None

    def _place(self, file: LogFile, paths: Paths) -> Position | None:
        """Have it begin where it was left; what was never seen is looked back into, what came after what was is new."""
        try:
            place = self._memory.recall(file, paths)
            if place is not None and not place.offset and not file.stood:
                place = None  # an inode that was an empty file's before tells nothing of one that is new
            if place is not None:
                file.go_on(place.offset, place.at)
                file.stand_anew()
            elif not any(self._memory.position(path) for path in paths):
                file.look_back(self._lookback)
        except BaseException:
            file.close()
            raise
        return place

    def _count(self, source: str) -> Counters:
        return self._counters.setdefault(source, Counters())

    def _rename(self, followed: Followed, paths: Paths, configured: frozenset[str]) -> bool:
        """Give it the names it has now; True if it may have something unread. Without any it retires."""
        if not paths:
            followed.patterns &= configured
            followed.former &= configured
            if followed.retired:
                return False
            self._handles.retire(followed)
            return True
        patterns = frozenset().union(*paths.values())
        if lost := (followed.belongs_to - patterns) & configured:
            followed.former, followed.former_until = lost, followed.size
        unread = not followed.paths or followed.retired or bool(lost)
        followed.paths, followed.patterns = tuple(sorted(paths)), patterns
        self._handles.restore(followed)
        if followed.source not in paths:
            followed.source, followed.moved = followed.paths[0], True
            followed.file.counters = self._count(followed.source)
            followed.tell = unread = True
        return unread

    def _lead(self, path: str, followed: Followed, *, is_new: bool) -> Iterable[Followed]:
        """Let the path lead to this file; gives those that it led to before, if they were others."""
        old = self.leads.get(path)
        self.leads[path] = followed
        if old is None or old is followed:
            return
        followed.file.counters.rotations += 1
        between = list[Followed]()
        if is_new:  # two files that swap their names would wait for each other for ever
            followed.wait_for(old)
            if old.retired and followed not in self._stood:
                between = self._rest.between(old, followed, followed.patterns)
        yield from (old, *between)
        for other in self._handles.files.values():
            if other.retired and other is not old and other not in between and path in other.paths:
                other.superseded = True
                yield other
