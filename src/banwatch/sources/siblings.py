"""
The rotated files beside logs, as they are on the disk.
"""

import os
import stat
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import PurePath
from typing import Any

from banwatch.errors import SourceError
from banwatch.model import Position
from banwatch.sources.file import LogFile
from banwatch.sources.opened import identity, open_regular
from banwatch.sources.packed import START, PackedFile
from banwatch.sources.prints import KNOWN, fingerprint, known
from banwatch.sources.rotated import Rotated, arrange, find_bases, split_ending
from banwatch.sources.unpack import ENDINGS, Unpacked

COMPARED = 16 * 1024 * 1024
"""How far a packed file is unpacked to compare what stands before a place; further on its first bytes have to do."""


class Siblings:
    """Rotated files by the log they are of; each directory is read once."""

    def __init__(self) -> None:
        self._directories: dict[str, dict[str, list[Rotated]]] = {}

    def find(self, paths: Iterable[str]) -> list[Rotated]:
        """Those of a log that has these paths, the oldest first; what cannot be read has none."""
        found = {one.identity: one for path in paths for one in self._of(PurePath(path))}
        return arrange(found.values())

    def _of(self, path: PurePath) -> list[Rotated]:
        directory = str(path.parent)
        if directory not in self._directories:
            self._directories[directory] = _read_directory(directory)
        return self._directories[directory].get(path.name, [])


def is_of(rotated: Rotated, place: Position) -> bool:
    """Whether a file, packed or not, has what was read up to the place."""
    with suppress(OSError, SourceError):
        return _unpacks_to(rotated, place) if rotated.ending else _has(rotated, place)
    return False


def open_rest(rotated: Rotated, place: Position | None) -> LogFile | PackedFile:
    """
    The file, to be read from the place on.

    Raises:
        OSError, SourceError: it cannot be opened.
    """
    if rotated.ending:
        return PackedFile(rotated.path, rotated.identity, rotated.size, place or START)
    plain = LogFile.open(rotated.path, stood=True)
    if place is not None:
        plain.go_on(place.offset)
    return plain


def _read_directory(directory: str) -> dict[str, list[Rotated]]:
    found: dict[str, list[Rotated]] = {}
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            ending = split_ending(entry.name)[1]
            bases = list(find_bases(entry.name))
            if not bases or (ending and ending not in ENDINGS):
                continue
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    for base, stamp in bases:
                        one = Rotated(entry.path, stamp, ending, identity(status), status.st_mtime_ns, status.st_size)
                        found.setdefault(base, []).append(one)
    return found


def _has(rotated: Rotated, place: Position) -> bool:
    if not place.head and rotated.identity != (place.device, place.inode):
        return False
    with closing(LogFile.open(rotated.path)) as file:
        return file.fits(place)


def _unpacks_to(rotated: Rotated, place: Position) -> bool:
    if not place.head:
        return False
    raw: Any = os.fdopen(open_regular(rotated.path)[0], "rb", buffering=0)
    with closing(Unpacked(raw, rotated.path)) as stream:
        head = last = _read_whole(stream, known(place.offset))
        if fingerprint(head) != place.head:
            return False
        left = place.offset - len(head)
        if place.offset > COMPARED:
            return True
        try:
            while left and (block := stream.read(min(left, 1 << 18))):
                last = (last + block)[-KNOWN:]
                left -= len(block)
        except SourceError:  # it is damaged: whoever reads it will be told, and must not begin at its start
            return True
        return not left and fingerprint(last) == place.tail


def _read_whole(stream: Unpacked, size: int) -> bytes:
    data = b""
    while len(data) < size and (block := stream.read(size - len(data))):
        data += block
    return data
