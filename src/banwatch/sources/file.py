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
from banwatch.sources.opened import OpenFile, open_regular

KNOWN = 256
"""How many bytes before the place of reading are compared: more than the longest start that two log lines share."""

MARKS = 64
SPACING = 4096
"""How many places of a file are remembered, and how many bytes apart the newest of them are."""


class Mark(NamedTuple):
    """A place where the reading had come to, and the hash of the last bytes before it."""

    offset: int
    before: int

    def fits(self, file: "LogFile") -> bool:
        """Whether the file has the same bytes there."""
        known = min(self.offset, KNOWN)
        return hash(file.peek(self.offset - known, known)) == self.before


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

    def add(self, offset: int, known: bytes) -> None:
        marks = self.marks
        if len(marks) > 1 and offset < marks[-2].offset + SPACING:
            marks.pop()
        marks.append(Mark(offset, hash(known)))
        if len(marks) > MARKS:
            del marks[1 : MARKS // 2 : 2]


class Piece(NamedTuple):
    """Whole lines, or none yet; where they start, where to go on, and whether they came after the first look."""

    data: bytes
    start: int
    position: Position
    live: bool


class LogFile(OpenFile):
    """
    A regular file that is read forwards; rewinds by itself after a truncation.

    Attributes:
        stood: up to here it had grown when the daemon looked first; what comes after is live.
        offset: where the next unread byte is.
        more: False when the last read() came to the end of the file.
        traces: what it had, the content of now first, then that before the last truncation.
        counters: of whoever has the file; truncations, too_long and unfinished are counted here.
    """

    def __init__(self, path: str, descriptor: int, status: os.stat_result, offset: int = 0, stood: int = 0) -> None:
        super().__init__(path, descriptor, status)
        self.stood = stood
        self.counters = Counters()
        self._hole = False
        self.traces: tuple[Trace, ...] = (Trace(),)
        self._begin(offset)

    @classmethod
    def open(cls, path: str, *, lookback: int | None = None, resume: int | None = None) -> Self:
        """
        Args:
            path: never a link that has still to be followed.
            lookback: the file stood there before: begin with the first line that starts within so many last bytes.
                None: the file is new, all of it is live.
            resume: the file stood there before: begin here, if it is still that long.
        Raises:
            OSError: as open(2).
            SourceError: it is not a regular file. A pipe is not waited for.
        """
        descriptor, status = open_regular(path)
        try:
            size = status.st_size
            if resume is not None and resume <= size:
                return cls(path, descriptor, status, resume, size)
            if lookback is None:
                return cls(path, descriptor, status)
            file = cls(path, descriptor, status, 0, size)
            if size > lookback:
                file.seek(size - lookback)
            return file
        except BaseException:
            os.close(descriptor)
            raise

    @property
    def offset(self) -> int:
        return self._cutter.offset

    @property
    def position(self) -> Position:
        """After the last whole line that was handed out."""
        return Position(*self.identity, self._cutter.position)

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
        live, room = at >= self.stood, len(buffer) - KNOWN
        whole = begin + (room if live else min(room, self.stood - at))
        size = os.preadv(self.descriptor, [memoryview(buffer)[:whole]], at - begin)
        if size < begin or not buffer.startswith(self._known):
            return self._rewind()
        self.more = size == whole
        if size == begin:
            return None
        known = bytes(buffer[max(0, size - KNOWN) : size])
        if self._hole:
            begin = self._pass_hole(buffer, begin, size)
        data = self._cutter.feed(buffer, begin, size)
        self._remember(known)
        return self._piece(data, live)

    def finish(self) -> Piece | None:
        """The last line without its end, if there is one: nobody is going to finish it."""
        if not self._cutter.unfinished:
            return None
        self.counters.unfinished += 1
        return self._piece(self._cutter.finish(), self.offset > self.stood)

    def _piece(self, data: bytes, live: bool) -> Piece:
        self.counters.too_long += self._cutter.too_long
        self._cutter.too_long = 0
        return Piece(data, self._cutter.start, self.position, live)

    def _rewind(self) -> Piece:
        """To the start of the file; gives what was left of the old content."""
        begin = _first_data(self.descriptor)
        self.counters.truncations += 1
        last = self.finish() or Piece(b"", 0, self.position, True)
        self.stood = 0
        self.traces = (Trace(), self.traces[0])
        self._begin(begin)
        self._hole = True
        return last

    def _begin(self, offset: int, *, inside: bool = False) -> None:
        self.more = True
        self._cutter = Cutter(offset, inside=inside)
        known = min(offset, KNOWN)
        self._remember(self.peek(offset - known, known))

    def _remember(self, known: bytes) -> None:
        """Have what stands before the place of reading at hand, for the next read to compare."""
        self._known = known
        trace = self.traces[0]
        if known:
            trace.add(self.offset, known)
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
