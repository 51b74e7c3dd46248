"""
Bytes to whole lines, however they arrive.

A line may be of any length, but what is kept of it may not: its first LONGEST bytes are handed out, the rest is passed
over without being held. A line under way is held back until its end comes, so that nobody sees half an address.
"""

LONGEST = 64 * 1024
LF = b"\n"


class Cutter:
    """
    The whole lines of one stretch of bytes, and where they stood.

    Args:
        offset: where the first byte to be fed stands.
        inside: that byte is in the middle of a line; what is left of this line is dropped.
        longest: how much of a line is handed out, its end not counted.

    Attributes:
        start: where the first line stands that the last feed() handed out.
        position: just after the last whole line; the place to go on from in another life.
        offset: where the next byte to be fed stands.
        too_long: lines that lost their tail to the bound.
    """

    __slots__ = ("_dropping", "_held", "longest", "offset", "position", "start", "too_long")

    def __init__(self, offset: int = 0, *, inside: bool = False, longest: int = LONGEST) -> None:
        self.longest = longest
        self.start = self.position = self.offset = offset
        self.too_long = 0
        self._held = bytearray()
        self._dropping = inside

    @property
    def unfinished(self) -> bool:
        """Whether a line is under way that would be handed out."""
        return self.offset > self.position and not self._dropping

    def feed(self, block: bytes | bytearray, begin: int = 0, stop: int | None = None) -> bytes:
        """
        The lines that are whole now, each with its end; empty while none is.

        The news is block[begin:stop]: to be told so saves the reader a copy. The normal path is one search backwards and one
        copy; it never goes through the lines one by one.
        """
        stop = len(block) if stop is None else stop
        end = block.rfind(LF, begin, stop) + 1
        if not end:
            self._hold(block, begin, stop)
            self.offset += stop - begin
            return b""
        first = begin
        self.start = self.position
        pieces: list[bytes | memoryview] = []
        if self.offset > self.position or self._dropping:
            first = block.find(LF, begin) + 1
            self._hold(block, begin, first - 1)
            if self._dropping:
                self.start = self.offset + first - begin
            else:
                pieces += self._shown(self.offset + first - begin - self.position - 1), LF
            self._held = bytearray()
            self._dropping = False
        self._add_lines(pieces, block, first, end)
        self.offset += stop - begin
        self.position = self.offset - (stop - end)
        self._hold(block, end, stop)
        return b"".join(pieces)

    def finish(self) -> bytes:
        """The line under way, with an end that it never got; empty when there is none. Nothing is held afterwards."""
        last = b"".join((self._shown(self.offset - self.position), LF)) if self.unfinished else b""
        self.start, self.position = self.position, self.offset
        self._held = bytearray()
        self._dropping = False
        return last

    def _hold(self, block: bytes | bytearray, begin: int, end: int) -> None:
        """Keep what the bound has room for."""
        if begin < end and not self._dropping and (room := self.longest - len(self._held)) > 0:
            self._held += memoryview(block)[begin : min(end, begin + room)]

    def _shown(self, length: int) -> bytes:
        """The held line; its full length tells whether it was cut."""
        self.too_long += length > self.longest
        return bytes(self._held)

    def _add_lines(self, pieces: list[bytes | memoryview], block: bytes | bytearray, begin: int, end: int) -> None:
        """
        Add the lines in block[begin:end], the long ones shortened.

        From the start of a line, the last line end within reach of the bound is searched backwards: each such step passes
        many lines at once, and a step that finds none stands at a line that is too long.
        """
        view, longest = memoryview(block), self.longest
        at = begin
        while end - at > longest + 1:
            seen = block.rfind(LF, at, at + longest + 1) + 1
            if seen:
                at = seen
                continue
            pieces += view[begin : at + longest], LF
            self.too_long += 1
            begin = at = block.find(LF, at + longest) + 1
        if begin < end:
            pieces.append(view[begin:end])
