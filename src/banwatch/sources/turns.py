"""
The files that have something to read, one chunk each in turn, and what is due without an event.
"""

import errno
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from banwatch.errors import SourceError
from banwatch.model import Chunk, Position
from banwatch.sources.catalogue import Catalogue
from banwatch.sources.copies import find_begin, find_originals
from banwatch.sources.file import LogFile, Piece
from banwatch.sources.handles import Followed, Handles
from banwatch.sources.prints import KNOWN
from banwatch.sources.sightings import render_errno
from banwatch.sources.whole import position_of

FAILURES = 3
"""A rotated file that cannot be read is given up after so many times; nobody will mend it."""


class Patience(NamedTuple):
    """
    Seconds.

    Args:
        grace: a rotated file that has been still for so long will not get an end to its last line, and, if deleted, is let go.
        linger: so long a deleted file is kept that nothing has taken the place of.
        every: how often to look at what cannot be watched.
        retry: the longest wait after failed reads; the first is one second, each further one twice as long.
    """

    grace: float = 5.0
    linger: float = 600.0
    every: float = 1.0
    retry: float = 60.0


class Turns:
    """
    A queue of files, each in it once.

    Args:
        clock: the wall clock, for chunks.
        now: the waker's clock, for what is due.

    Attributes:
        doubt: a file could not be read: its path may lead to another by now, and no event tells.
    """

    def __init__(
        self,
        handles: Handles,
        catalogue: Catalogue,
        patience: Patience,
        chunk_bytes: int,
        clock: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._handles = handles
        self._catalogue = catalogue
        self._patience = patience
        self._buffer = bytearray(KNOWN + chunk_bytes)
        self._clock = clock
        self._now = now
        self._ready: deque[Followed] = deque()
        self._queued: set[Followed] = set()
        self._due: dict[Followed, float] = {}
        self.doubt = False

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def due(self) -> Iterable[float]:
        return self._due.values()

    def add(self, followed: Followed) -> None:
        if followed not in self._queued and followed.file.is_open:
            self._queued.add(followed)
            self._ready.append(followed)

    def add_due(self) -> None:
        """Those whose time has come."""
        if self._due:
            now = self._now()
            for followed in [one for one, at in self._due.items() if at <= now]:
                del self._due[followed]
                followed.settling = followed.moved or followed.suspect
                self.add(followed)

    def drop(self, followed: Followed) -> None:
        self._release(followed)
        self._due.pop(followed, None)
        if followed in self._queued:
            self._queued.discard(followed)
            self._ready.remove(followed)
        self._catalogue.drop(followed)

    def take(self) -> Chunk | None:
        """The next file's next lines; None if it has none at the moment."""
        followed = self._ready.popleft()
        self._queued.discard(followed)
        if followed.waits_for:
            return None
        try:
            if followed.file.is_parked and not self._handles.unpark(followed):
                with followed.file.at_hand():
                    return self._turn(followed)
            return self._turn(followed)
        except (OSError, SourceError) as error:
            self._fail(followed, error)
            return None

    def _turn(self, followed: Followed) -> Chunk | None:
        return None if followed.suspect and not self._clear(followed) else self._read(followed)

    def _clear(self, followed: Followed) -> bool:
        """Find out whether a new file is a copy, and pass over what was read in the original; False while that is not known."""
        file, is_still = followed.file, followed.settling or followed.retired
        assert isinstance(file, LogFile)
        if file.size == 0 and not is_still:  # copied is from what there is when the copying begins
            followed.originals = None
            self._release(followed)
            return False
        if followed.originals is None:
            followed.originals = find_originals(file, self._catalogue.siblings(followed))
        begin = find_begin(file, followed.originals, is_still=is_still)
        if begin is None:
            self._release(followed)
            self._due[followed] = self._now() + self._patience.grace
            return False
        if begin:
            file.seek(begin)
            followed.tell = True
        followed.suspect, followed.settling, followed.originals = False, False, None
        return True

    def _read(self, followed: Followed) -> Chunk | None:
        file = followed.file
        if followed.former and file.offset >= followed.former_until:
            followed.former = frozenset()
        truncations = file.counters.truncations
        piece = file.read(self._buffer)
        followed.error, followed.failures = None, 0
        has_read = piece is not None
        followed.settling &= not has_read
        if followed.settling:
            piece = file.finish()
        chunk = self._chunk(followed, piece) if piece is not None and piece.data else self._tell(followed)
        if followed.retired and file.counters.truncations > truncations:
            self.drop(followed)  # whatever this is now, it is not that log
        elif file.more:
            self.add(followed)
        else:
            self._release(followed)
            if followed.moved:
                self._settle(followed, has_read)
        return chunk

    def _settle(self, followed: Followed, has_read: bool) -> None:
        """Decide what becomes of a file that was moved away and read to its end."""
        now = self._now()
        if has_read or not followed.read_last:
            followed.read_last = now
        if not followed.settling:
            self._due[followed] = now + self._patience.grace
        elif not followed.retired:
            followed.moved = False
        elif self._is_over(followed, now):
            self.drop(followed)
        elif followed.file.deleted:
            self._due[followed] = followed.read_last + self._patience.linger
        followed.settling = False

    def _is_over(self, followed: Followed, now: float) -> bool:
        """
        Whether a retired file that is still can be let go of.

        One that only has another name now costs nothing and may have a writer who was never told: it stays until the next
        one retires. A deleted one keeps its space on the disk.
        """
        if followed.superseded:
            return True
        is_late = now >= followed.read_last + self._patience.linger
        return followed.file.deleted and (is_late or self._catalogue.succeeded(followed))

    def _release(self, followed: Followed) -> None:
        """Let those go on that waited for its last byte."""
        for heir in followed.heirs:
            heir.waits_for.discard(followed)
            heir.catch_up()
            self.add(heir)
        followed.heirs.clear()

    def _fail(self, followed: Followed, error: OSError | SourceError) -> None:
        """Close it, and open it again when it is tried again: what a descriptor is of may be gone while its name is not."""
        followed.failures += 1
        followed.file.counters.errors += 1
        self._handles.park(followed)
        self.doubt = True
        followed.error = error.message if isinstance(error, SourceError) else render_errno(error.errno or errno.EIO)
        if followed.retired and followed.failures > FAILURES:
            self.drop(followed)
        else:
            self._release(followed)
            self._due[followed] = self._now() + min(2.0 ** (followed.failures - 1), self._patience.retry)

    def _chunk(self, followed: Followed, piece: Piece) -> Chunk:
        file, now = followed.file, self._clock()
        file.read_at, followed.tell = now, False
        file.counters.chunks += 1
        file.counters.bytes += len(piece.data)
        return Chunk(
            followed.source, piece.data, piece.start, self._position(followed, now), piece.live, now, followed.belongs_to
        )

    def _tell(self, followed: Followed) -> Chunk | None:
        """A chunk without lines, if the place of the file is news."""
        if not followed.tell:
            return None
        now, start = self._clock(), followed.file.position
        followed.file.read_at, followed.tell = now, False
        return Chunk(followed.source, b"", start, self._position(followed, now), False, now, followed.belongs_to)

    def _position(self, followed: Followed, now: float) -> Position:
        source = followed.source
        return position_of(followed, self._handles.retired.get(source, ()), self._catalogue.leads.get(source), now)
