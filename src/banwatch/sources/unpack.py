"""
The bytes of a log that was packed after its rotation, as a stream: nothing is held but the next block.
"""

import bz2
import gzip
import lzma
import os
import subprocess
import zlib
from typing import IO, Any, Final

from banwatch.errors import SourceError

PACKED: Final = (".gz", ".xz", ".bz2", ".zst", ".lz4", ".lzma", ".Z")
"""Endings of packed files: what they hold is no log until it is unpacked."""

ENDINGS: Final = ("gz", "bz2", "xz", "lzma", "zst")
"""Those that can be unpacked here."""

_UNPACK: Final = ("zstd", "-dcq")


class Unpacked:
    """
    What an open file holds, according to its name; one that is not packed is taken as it is.

    Args:
        raw: without a buffer, because another process may go on reading it; close() closes it.
        path: for its ending, and for messages.
    Raises:
        SourceError: what unpacks it is not here; `raw` is closed then.
    """

    def __init__(self, raw: IO[bytes], path: str) -> None:
        self._raw = raw
        self._path = path
        self._child: subprocess.Popen[bytes] | None = None
        self._stream: Any = raw
        ending = path.rpartition(".")[2]
        if ending == "gz":
            self._stream = gzip.GzipFile(fileobj=raw)
        elif ending == "bz2":
            self._stream = bz2.BZ2File(raw)
        elif ending in ("xz", "lzma"):
            self._stream = lzma.LZMAFile(raw)  # noqa: SIM115 - close() closes it
        elif ending == "zst":
            self._child = self._start()
            self._stream = self._child.stdout

    @property
    def taken(self) -> int:
        """How many bytes were taken from the file."""
        # Also right for the child: it has the very same open file, and with it the same place in it.
        return os.lseek(self._raw.fileno(), 0, os.SEEK_CUR)

    def read(self, size: int) -> bytes:
        """
        The next bytes, at most `size`; empty at the end.

        Raises:
            SourceError: it is not packed as its name says, or the disk fails.
        """
        try:
            block: bytes = self._stream.read(size)
        except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
            raise unreadable(self._path, error) from error
        if not block and self._child is not None and self._child.wait() != 0:
            said = self._child.stderr.read() if self._child.stderr is not None else b""
            raise SourceError(f"{self._path}: {said.decode('utf-8', 'backslashreplace').strip() or 'zstd failed'}")
        return block

    def close(self) -> None:
        """Let go of the file."""
        if self._child is not None:
            self._child.kill()
            for pipe in (self._child.stdout, self._child.stderr):
                if pipe is not None:
                    pipe.close()
            self._child.wait()
        self._stream.close()
        self._raw.close()

    def _start(self) -> subprocess.Popen[bytes]:
        """The program that unpacks what Python 3.11 cannot."""
        try:
            return subprocess.Popen(_UNPACK, stdin=self._raw, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as error:
            self._raw.close()
            raise SourceError(f"{self._path}: zstd, which unpacks it, is not installed", "apt install zstd") from error


def unreadable(path: str, error: Exception) -> SourceError:
    """What is told of a log that cannot be read."""
    return SourceError(f"{path}: {getattr(error, 'strerror', None) or error}")
