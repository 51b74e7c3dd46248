"""A journal file as the bytes of a log: every entry, whoever wrote it."""

from contextlib import suppress
from pathlib import Path

from banwatch.sources.journal_entry import read_entry
from banwatch.sources.journal_library import Handle, Library
from banwatch.sources.journal_line import LONGEST, LineMaker
from banwatch.sources.unpack import unreadable

SUFFIX = ".journal"


class JournalLines:
    """
    Raises:
        SourceError: it cannot be read, or libsystemd is not there.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lines = LineMaker()
        library = Library()
        try:
            self._handle = Handle(library, Path(path), LONGEST)
            self._handle.seek_time(0)
        except OSError as error:
            raise unreadable(path, error) from error

    def read(self, size: int) -> bytes:
        """
        Whole lines of about `size` bytes; empty at the end.

        Raises:
            SourceError: it is damaged so that nothing can be read behind this place.
        """
        lines: list[bytes] = []
        length = 0
        try:
            while length < size and self._handle.next():
                with suppress(OSError):  # a damaged entry; those behind it may be whole
                    if (entry := read_entry(self._handle, None, self._lines)) is not None:
                        lines.append(entry.line)
                        length += len(entry.line)
        except OSError as error:
            raise unreadable(self._path, error) from error
        return b"".join(lines)

    def close(self) -> None:
        """Let go of the file."""
        self._handle.close()
