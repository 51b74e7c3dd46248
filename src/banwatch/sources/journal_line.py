"""
An entry of the journal as a line of a log, as rsyslog would have written it to a file. Pure.

What cannot stand in one line is written as #ooo, so that a message is one line whatever is in it.
"""

import re
from datetime import UTC, datetime
from typing import Final

LONGEST: Final = 64 * 1024

_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")
_NO_TAG: Final = re.compile(rb"[\x00-\x20\x7f\[\]:]+")
_TAG_ROOM: Final = 64
_LATEST: Final = 253402300799
"""The last second of the year 9999."""


class LineMaker:
    """
    Entries → lines with a header of RFC 3339; most entries have the second of the one before.

    `too_long` counts messages that lost their tail to the bound.
    """

    def __init__(self) -> None:
        self.too_long = 0
        self._second = -1
        self._text = b""

    def line(self, microseconds: int, program: bytes | None, pid: bytes | None, message: bytes) -> bytes:
        """
        One line with its end, at most LONGEST bytes before it.

        Args:
            microseconds: since the epoch.
            program: the syslog identifier.
        """
        second, fraction = divmod(microseconds, 1_000_000)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(min(second, _LATEST), UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
        tag = _NO_TAG.sub(b"_", program[:_TAG_ROOM]) if program else b"-"
        if pid is not None and pid.isdigit():
            tag += b"[%s]" % pid
        text = b"%s.%06dZ - %s: %s" % (self._text, fraction, tag, message.rstrip(b"\n"))
        if not text.isascii() or not text.decode("ascii").isprintable():
            text = _CONTROL.sub(_escape, text)
        if len(text) > LONGEST:
            self.too_long += 1
            text = text[:LONGEST]
        return text + b"\n"


def _escape(found: re.Match[bytes]) -> bytes:
    return b"#%03o" % ord(found[0])
