"""
The open files, what is known about each, and their watches.
"""

import errno
from dataclasses import dataclass, field

from banwatch.sources.base import Waker
from banwatch.sources.copies import Original
from banwatch.sources.file import Identity, LogFile
from banwatch.sources.sightings import render_errno

LIMITS = {errno.ENOSPC: "fs.inotify.max_user_watches", errno.EMFILE: "fs.inotify.max_user_instances"}
"""Why a file cannot be watched → what the operator may raise."""


@dataclass(slots=True, eq=False)
class Followed:
    """
    An open file and its names.

    Args:
        source: the path by which it is known outside.
        paths: all that lead to it; when none does any more, those that did last.
        patterns: those that lead to it.
        former, former_until: a path that was turned to another file leaves its patterns here until what was written
            before is read.
        watch: its number at the waker; None when it cannot be watched, and `note` says why.
        error, failures: why it cannot be read, and how often that was tried.
        retired: no path leads to it any more.
        moved: it lost its name, so the line under way may never get an end.
        superseded: retired, and so is one that came later.
        suspect: it is new and may be the copy of a file that was read, one of `originals` (None: not looked for yet).
        settling: it is still; time for what is put off until then.
        read_last: when it last gave something, on the waker's clock.
        waits_for: files it took a path from, whose rest comes first; it is among their `heirs`.
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
    suspect: bool = False
    originals: list[Original] | None = None
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

    def wait_for(self, other: "Followed") -> None:
        """Have the rest of the other one read first."""
        if other.file.is_open:
            self.waits_for.add(other)
            other.heirs.append(self)


class Handles:
    """
    Every open file, by identity and by watch.

    Attributes:
        unwatched: files whose growth is no event.
    """

    def __init__(self, waker: Waker, every: float) -> None:
        self._waker = waker
        self._every = every
        self.files: dict[Identity, Followed] = {}
        self.watched: dict[int, Followed] = {}
        self.unwatched: dict[Followed, None] = {}

    def add(self, followed: Followed) -> None:
        self.files[followed.file.identity] = followed
        self.watch(followed)

    def watch(self, followed: Followed) -> None:
        """
        Watch it; also anew, after the kernel took the watch away.

        It does so when the last name of a file is deleted, if that is not the name by which the file was opened (a hard
        link), although its writers may go on.
        """
        if followed.watch is not None:
            self.watched.pop(followed.watch, None)
            followed.watch = None
        try:
            followed.watch = self._waker.watch_file(followed.file.descriptor)
        except OSError as error:
            number = error.errno or errno.EIO
            remedy = f"; raise {LIMITS[number]}" if number in LIMITS else ""
            followed.note = f"cannot be watched: {render_errno(number)}; looked at every {self._every:g} s{remedy}"
            self.unwatched[followed] = None
        else:
            followed.note = None
            self.watched[followed.watch] = followed
            self.unwatched.pop(followed, None)

    def drop(self, followed: Followed) -> None:
        """Close it and forget it."""
        self.files.pop(followed.file.identity, None)
        self.unwatched.pop(followed, None)
        if followed.watch is not None:
            self.watched.pop(followed.watch, None)
            self._waker.unwatch(followed.watch)
        followed.file.close()
