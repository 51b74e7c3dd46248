"""
A log that was packed after it was rotated away, of which something is unread: unpacked once, from its start, in pieces.
"""

import os
from typing import Any

from banwatch.model import Position
from banwatch.sources.base import Counters
from banwatch.sources.cut import Cutter
from banwatch.sources.file import Piece, Trace
from banwatch.sources.opened import Identity, OpenFile
from banwatch.sources.prints import KNOWN, fingerprint, fits, known
from banwatch.sources.unpack import Unpacked

START = Position(0, 0, 0)


class PackedFile(OpenFile):
    """
    What a packed file holds, as a LogFile that ends and is never live. It is open only while it is read.

    Args:
        path: its ending says how it is packed.
        size: of the packed file.
        place: up to here it was read already; passed over if it is the same log, else there is nothing to read.
    """

    traces: tuple[Trace, ...] = ()

    def __init__(self, path: str, identity: Identity, size: int, place: Position = START) -> None:
        super().__init__(path, -1, identity)
        self.counters = Counters()
        self.read_at = place.at
        self.more = True
        self._place = place
        self._packed_size = size
        self._stream: Unpacked | None = None
        self._head = self._last = self._before = b""
        self._cutter = Cutter(place.offset)
        self._left = place.offset

    @property
    def is_parked(self) -> bool:
        return False

    @property
    def offset(self) -> int:
        return self._cutter.offset

    @property
    def stood(self) -> int:
        """All of it, and more than was read until the end is seen."""
        return self.offset + self.more

    @property
    def position(self) -> int:
        return self._cutter.position

    @property
    def is_under_way(self) -> bool:
        return self._cutter.unfinished

    @property
    def size(self) -> int:
        """How much was unpacked, and how much is still packed."""
        return self.offset + self._packed_size * self.more - (self._stream.taken if self._stream is not None else 0)

    @property
    def deleted(self) -> bool:
        return False

    def places(self) -> tuple[Position, ...]:
        """As of a LogFile; in another life it is found again by its content."""
        at = self.position
        if at == self._place.offset:  # nothing is new
            return () if self._place is START else (self._place,)
        head = fingerprint(self._head[: known(at)])
        return (Position(*self.identity, at, head, fingerprint(self._before), self.read_at),)

    def park(self) -> None:
        """Close it. It will be unpacked from its start again, and what was read until now passed over."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self.more:
            self._place = (self.places() or (self._place,))[0]
            self._reset()

    def read(self, buffer: bytearray) -> Piece | None:
        """
        As LogFile.read; the last line needs no end, nobody is going to give it one.

        Raises:
            OSError, SourceError: it cannot be opened or unpacked.
        """
        if not self.more:
            return None
        if self._stream is None:
            self._stream = self._start()
        block = self._stream.read(len(buffer) - KNOWN)
        if passed := min(self._left, len(block)):
            block = self._pass(block, passed)
        elif not block:
            return self._end()
        self._head += block[: KNOWN - len(self._head)]
        data = self._cutter.feed(block) if block else b""
        if data:
            self._before = (self._last + block[: len(block) - (self.offset - self.position)])[-KNOWN:]
        self._last = (self._last + block)[-KNOWN:]
        return self._piece(data)

    def finish(self) -> None:
        """There is nothing under way once the end was seen."""

    def _start(self) -> Unpacked:
        raw: Any = os.fdopen(self._find(), "rb", buffering=0)
        return Unpacked(raw, self.path)

    def _reset(self) -> None:
        self._left = self._place.offset
        self._head = self._last = self._before = b""
        self._cutter = Cutter(self._place.offset)

    def _pass(self, block: bytes, passed: int) -> bytes:
        """What of a block is news; all of it was read if it goes on differently than that which was."""
        self._head += block[:passed][: KNOWN - len(self._head)]
        self._last = (self._last + block[:passed])[-KNOWN:]
        self._left -= passed
        if self._left:
            return b""
        self._before = self._last
        size = known(self._place.offset)
        if self._place.head and not fits(self._place, self._head[:size], self._last[-size:]):
            self.close_at_end()
            return b""
        return block[passed:]

    def _end(self) -> Piece | None:
        self.counters.unfinished += self._cutter.unfinished
        data = self._cutter.finish()
        if data:
            self._before = self._last
        self.close_at_end()
        return self._piece(data) if data else None

    def close_at_end(self) -> None:
        """Nothing more will be read."""
        self.more = False
        self.park()

    def _piece(self, data: bytes) -> Piece:
        self.counters.too_long += self._cutter.too_long
        self._cutter.too_long = 0
        return Piece(data, self._cutter.start, False)
