"""
One open file as one endless stream of whole lines, from the start again whenever somebody truncates it.

Whether the file is still the one that was read is asked with every read, in the same system call: the read begins a few
bytes early, and what stood there must still stand there. If it does not, or if the file ends before, it was truncated
(logrotate's copytruncate), even when it has grown past the old place since.
"""

import errno
import os
from typing import NamedTuple, Self

from banwatch.model import Position
from banwatch.sources.base import Counters
from banwatch.sources.cut import Cutter
from banwatch.sources.opened import OpenFile, identity, open_regular
from banwatch.sources.prints import KNOWN, fingerprint, fits, known

MARKS = 64
SPACING = 4096
"""How many places of a file are remembered, and how many bytes apart the newest of them are."""


class Mark(NamedTuple):
    """A place where the reading had come to, and the hash of the last bytes before it."""

    offset: int
    before: int

    def fits(self, file: "LogFile") -> bool:
        """Whether the file has the same bytes there."""
        size = known(self.offset)
        return hash(file.peek(self.offset - size, size)) == self.before


class Trace:
    """
    What is remembered of one content of a file, from one truncation to the next.

    Attributes:
        head: its first bytes.
        marks: some of the places where the reading had come to, always the first and the last; the older, the fewer.
    """

    __slots__ = ("head", "marks")

    def __init__(self) -> None:
        self.head = b""
        self.marks: list[Mark] = []

    def add(self, offset: int, last: bytes) -> None:
        marks = self.marks
        if len(marks) > 1 and offset < marks[-2].offset + SPACING:
            marks.pop()
        marks.append(Mark(offset, hash(last)))
        if len(marks) > MARKS:
            del marks[1 : MARKS // 2 : 2]


class Piece(NamedTuple):
    """Whole lines, or none yet; where they start, and whether they came after the first look."""

    data: bytes
    start: int
    live: bool


class LogFile(OpenFile):
    """
    A regular file that is read forwards; rewinds by itself after a truncation.

    Attributes:
        stood: up to here it had grown when the daemon looked first; what comes after is live.
        offset: where the next unread byte is.
        more: False when the last read() came to the end of the file.
        read_at: when something was read last; for places.
        traces: what it had, the content of now first, then that before the last truncation.
        counters: of whoever has the file; truncations, too_long and unfinished are counted here.
    """

    def __init__(self, path: str, descriptor: int, status: os.stat_result, offset: int = 0, stood: int = 0) -> None:
        super().__init__(path, descriptor, identity(status))
        self.stood = stood
        self.counters = Counters()
        self.read_at = 0.0
        self._hole = False
        self._is_catching_up = stood > 0
        self._past: tuple[Position, ...] = ()
        self._places: tuple[Position, ...] = ()
        self.traces: tuple[Trace, ...] = (Trace(),)
        self._begin(offset)

    @classmethod
    def open(cls, path: str, *, stood: bool = False) -> Self:
        """
        Args:
            path: never a link that has still to be followed.
            stood: the file stood there before: what it has now is not live.
        Raises:
            OSError: as open(2).
            SourceError: it is not a regular file. A pipe is not waited for.
        """
        descriptor, status = open_regular(path)
        try:
            return cls(path, descriptor, status, stood=status.st_size if stood else 0)
        except BaseException:
            os.close(descriptor)
            raise

    @property
    def offset(self) -> int:
        return self._cutter.offset

    @property
    def position(self) -> int:
        """After the last whole line that was handed out."""
        return self._cutter.position

    @property
    def is_under_way(self) -> bool:
        """A line was begun and has no end yet."""
        return self._cutter.unfinished

    def places(self) -> tuple[Position, ...]:
        """What has to be remembered of it: the content before the last truncation, and the one of now if it was begun."""
        at, told = self.position, self._places
        if not at:
            return self._past
        if told and told[-1].offset == at and told[-1].at == self.read_at:  # a rotated file is asked with each chunk of the next
            return told
        # A short file has a new head with each line; a longer one is asked for the head that it has already.
        head = told[-1].head if told and told[-1].offset >= KNOWN else fingerprint(self.traces[0].head[: known(at)])
        place = Position(self.identity.device, self.identity.inode, at, head, fingerprint(self._before), self.read_at)
        self._places = (*self._past, place)
        return self._places

    def fits(self, place: Position) -> bool:
        """Whether it has what was read up to there; of a place without fingerprints only that it is long enough."""
        if self.size < place.offset:
            return False
        if not place.head:
            return True
        size = known(place.offset)
        return fits(place, self.peek(0, size), self.peek(place.offset - size, size))

    def look_back(self, bytes_: int) -> None:
        """Go on with the first line that starts within so many last bytes of what stood there."""
        if self.stood > bytes_:
            self.seek(self.stood - bytes_)

    def go_on(self, offset: int, read_at: float = 0.0) -> None:
        """Go on there, where a line starts; up to there it was read at that time."""
        self.read_at = read_at
        self._begin(offset)
        self._hole = not self._before.strip(b"\0")

    def seek(self, offset: int) -> None:
        """Go on with the first line that starts there or later."""
        self._begin(offset - 1, inside=True)  # one byte early: if that is a line end, the line after it is whole

    def read(self, buffer: bytearray) -> Piece | None:
        """
        The lines within the next bytes (none, if no line ends there); None at the end of the file.

        Bytes that stood there before and later ones are never in the same piece.

        Args:
            buffer: room for KNOWN bytes and as many more as are to be read at most. One for all reads: a new one each time
                would cost more than the reading.
        Raises:
            OSError: EIO, ESTALE and the like; the place is kept, so it can be tried again.
        """
        at, begin = self.offset, len(self._known)
        room = len(buffer) - KNOWN
        if self._is_catching_up and at >= self.stood:
            self._look_for_more(room)
        live = at >= self.stood
        whole = begin + (room if live else min(room, self.stood - at))
        size = os.preadv(self.descriptor, [memoryview(buffer)[:whole]], at - begin)
        if size < begin or not buffer.startswith(self._known):
            return self._rewind()
        self.more = size == whole
        if size == begin:
            self._is_catching_up = False
            return None
        last = bytes(buffer[max(0, size - KNOWN) : size])
        if self._hole:
            begin = self._pass_hole(buffer, begin, size)
        before = self.position
        data = self._cutter.feed(buffer, begin, size)
        self._remember(last)
        if self.position != before:
            end = size - (self.offset - self.position)
            self._before = last if end == size else bytes(buffer[max(0, end - KNOWN) : end])
        return self._piece(data, live)

    def stand_anew(self) -> None:
        """What it has now was not read in time: it is not live."""
        self.stood = self.size

    def _look_for_more(self, room: int) -> None:
        """What came while the rest was read is not live either, until there is no more of it than is read at once."""
        if self.size > self.offset + room:
            self.stand_anew()
        else:
            self._is_catching_up = False

    def finish(self) -> Piece | None:
        """The last line without its end, if there is one: nobody is going to finish it."""
        if not self._cutter.unfinished:
            return None
        self.counters.unfinished += 1
        data, self._before = self._cutter.finish(), self._known
        return self._piece(data, self.offset > self.stood)

    def _piece(self, data: bytes, live: bool) -> Piece:
        self.counters.too_long += self._cutter.too_long
        self._cutter.too_long = 0
        return Piece(data, self._cutter.start, live)

    def _rewind(self) -> Piece:
        """To the start of the file; gives what was left of the old content."""
        begin = _first_data(self.descriptor)
        self.counters.truncations += 1
        last = self.finish() or Piece(b"", 0, True)
        self._past = self.places()[-1:]
        self.stood = 0
        self.traces = (Trace(), self.traces[0])
        self._begin(begin)
        self._hole = True
        return last

    def _begin(self, offset: int, *, inside: bool = False) -> None:
        self.more = True
        self._places = ()
        self._cutter = Cutter(offset, inside=inside)
        size = known(offset)
        self._before = self.peek(offset - size, size)
        self._remember(self._before)

    def _remember(self, last: bytes) -> None:
        """Have what stands before the place of reading at hand, for the next read to compare."""
        self._known = last
        trace = self.traces[0]
        if last:
            trace.add(self.offset, last)
        if len(trace.head) < KNOWN:
            trace.head = self.peek(0, KNOWN)

    def _pass_hole(self, block: bytearray, begin: int, stop: int) -> int:
        """
        Where the text begins in what was read after a truncation.

        A writer that does not append but goes on at its old place leaves a hole before it, which reads as NUL bytes. Taken
        for text they would make the first line too long to be seen.
        """
        text = stop - len(block[begin:stop].lstrip(b"\0"))
        self._hole = text == stop
        self._cutter = Cutter(self._cutter.offset + text - begin)
        return text


def _first_data(descriptor: int) -> int:
    """Where the first byte is that was ever written; 0 when the file is empty or its file system knows no holes."""
    try:
        return os.lseek(descriptor, 0, os.SEEK_DATA)
    except OSError as error:
        if error.errno not in (errno.ENXIO, errno.EINVAL):
            raise
        return 0
