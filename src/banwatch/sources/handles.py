"""
The open files, what is known about each, and their watches.
"""

import errno
import resource
from dataclasses import dataclass, field

from banwatch.sources.base import Waker
from banwatch.sources.copies import Original
from banwatch.sources.file import LogFile
from banwatch.sources.opened import Identity
from banwatch.sources.packed import PackedFile
from banwatch.sources.sightings import render_errno

LIMITS = {errno.ENOSPC: "fs.inotify.max_user_watches", errno.EMFILE: "fs.inotify.max_user_instances"}
"""Why a file cannot be watched → what the operator may raise."""

RESERVE = 128
"""Descriptors that are left to the firewall, the control socket, the metrics and the store; of few, half of them."""

PARKED = "opened only to be read: there are more logs than descriptors; raise LimitNOFILE in the unit, or ulimit -n"


def find_room() -> int:
    """How many files may be held open."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return limit - min(RESERVE, limit // 2) if limit != resource.RLIM_INFINITY else 1 << 20


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
        parked: it holds no descriptor, because there are too few.
        error, failures: why it cannot be read, and how often that was tried.
        retired: no path leads to it any more.
        moved: it lost its name, so the line under way may never get an end.
        superseded: retired, and so is one that came later.
        suspect: it is new and may be the copy of a file that was read, one of `originals` (None: not looked for yet).
        tell: its place is to be told although there may be no lines: it is not remembered under this source.
        settling: it is still; time for what is put off until then.
        read_last: when it last gave something, on the waker's clock.
        waits_for: files it took a path from, whose rest comes first; it is among their `heirs`.
    """

    file: LogFile | PackedFile
    source: str
    paths: tuple[str, ...] = ()
    patterns: frozenset[str] = frozenset()
    former: frozenset[str] = frozenset()
    former_until: int = 0
    watch: int | None = None
    note: str | None = None
    parked: bool = False
    error: str | None = None
    failures: int = 0
    retired: bool = False
    moved: bool = False
    superseded: bool = False
    suspect: bool = False
    originals: list[Original] | None = None
    tell: bool = False
    settling: bool = False
    read_last: float = 0.0
    waits_for: "set[Followed]" = field(default_factory=set)
    heirs: "list[Followed]" = field(default_factory=list)

    @property
    def size(self) -> int:
        """How large it is; how large it was when last looked at, if it cannot be looked at without effort."""
        known = max(self.file.stood, self.file.offset)
        if self.file.is_parked:
            return known
        try:
            return self.file.size
        except OSError:  # ESTALE and the like; whoever reads it next deals with that
            return known

    @property
    def behind(self) -> int:
        """Bytes that are there and were not handed out as lines."""
        return max(self.size - self.file.position, 0)

    @property
    def notes(self) -> str | None:
        """It is read, but not as it should be."""
        return "; ".join(filter(None, (self.note, PARKED if self.parked else None))) or None

    @property
    def belongs_to(self) -> frozenset[str]:
        return self.patterns | self.former if self.former else self.patterns

    def wait_for(self, other: "Followed") -> None:
        """Have the rest of the other one read first, if that does not wait for this one."""
        if other.file.is_open and not (self.heirs and other.awaits(self)):
            self.waits_for.add(other)
            other.heirs.append(self)

    def catch_up(self) -> None:
        """It waited while others were caught up with: what it has got meanwhile is not live."""
        if isinstance(self.file, LogFile) and self.file.stood:
            self.file.stood = self.size

    def awaits(self, other: "Followed") -> bool:
        """Whether it is the other one, or waits for it, or for one that does."""
        left, seen = [self], {self}
        while left and other not in seen:
            news = left.pop().waits_for - seen
            seen |= news
            left += news
        return other in seen


class Handles:
    """
    Every open file, by identity and by watch.

    Args:
        room: how many of them may hold a descriptor; the others are opened whenever they are read, and closed again.

    Attributes:
        retired: by source those that no path leads to any more, in the order in which that happened.
        unwatched: files whose growth is no event.
    """

    def __init__(self, waker: Waker, every: float, room: int | None = None) -> None:
        self._waker = waker
        self._every = every
        self._room = find_room() if room is None else room
        self._held: set[Followed] = set()
        self.files: dict[Identity, Followed] = {}
        self.retired: dict[str, list[Followed]] = {}
        self.watched: dict[int, Followed] = {}
        self.unwatched: dict[Followed, None] = {}

    def add(self, followed: Followed) -> None:
        self.files[followed.file.identity] = followed
        if isinstance(followed.file, PackedFile):  # it does not grow, and is open only while it is read
            return
        self.watch(followed)
        self._held.add(followed)
        if len(self._held) > self._room:
            self.park(followed)
            followed.parked = True

    def retire(self, followed: Followed) -> None:
        """No path leads to it any more."""
        followed.retired = followed.moved = True
        followed.read_last = 0.0
        self.retired.setdefault(followed.source, []).append(followed)

    def restore(self, followed: Followed) -> None:
        """It has a name again, if it had none."""
        if followed.retired:
            followed.retired = followed.superseded = followed.moved = False
            self._strike(followed)

    def park(self, followed: Followed) -> None:
        """Close it until it is read again; what is known of it stays, and so does its watch."""
        followed.file.park()
        self._held.discard(followed)

    def unpark(self, followed: Followed) -> bool:
        """Hold it open again, if there is room; OSError as of OpenFile.unpark()."""
        if len(self._held) < self._room:
            followed.file.unpark()
            self._held.add(followed)
            followed.parked = False
        else:
            followed.parked = True
        return not followed.parked

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
            with followed.file.at_hand():
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
        if followed.retired:
            self._strike(followed)
        self.unwatched.pop(followed, None)
        if followed.watch is not None:
            self.watched.pop(followed.watch, None)
            self._waker.unwatch(followed.watch)
        self._held.discard(followed)
        followed.file.close()

    def _strike(self, followed: Followed) -> None:
        others = [one for one in self.retired.pop(followed.source, []) if one is not followed]
        if others:
            self.retired[followed.source] = others
