"""
The rotated files beside logs, as they are on the disk.
"""

import os
import stat
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import PurePath
from typing import Any, NamedTuple

from banwatch.errors import SourceError
from banwatch.model import Position
from banwatch.sources.file import LogFile
from banwatch.sources.opened import identity, open_regular
from banwatch.sources.packed import START, PackedFile
from banwatch.sources.prints import KNOWN, fingerprint, known
from banwatch.sources.rotated import Rotated, arrange, find_bases, split_ending
from banwatch.sources.unpack import ENDINGS, Unpacked

COMPARED = 1024 * 1024
"""How far a packed file is unpacked to compare what stands before a place; further on its first bytes have to do."""


class Entry(NamedTuple):
    """A name that may be that of a rotated file."""

    path: str
    stamp: str
    ending: str


class Siblings:
    """Rotated files by the log they are of, at one moment; each directory is read once."""

    def __init__(self) -> None:
        self._directories: dict[str, dict[str, list[Entry]]] = {}

    def find(self, paths: Iterable[str]) -> list[Rotated]:
        """Those of a log that has these paths, the oldest first; what cannot be read has none."""
        entries = (entry for path in dict.fromkeys(paths) for entry in self._of(PurePath(path)))
        return arrange({one.identity: one for entry in entries if (one := _look_at(entry)) is not None}.values())

    def _of(self, path: PurePath) -> list[Entry]:
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
        plain.go_on(place.offset, place.at)
    return plain


def _read_directory(directory: str) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            ending = split_ending(entry.name)[1]
            if not ending or ending in ENDINGS:
                for base, stamp in find_bases(entry.name):
                    found.setdefault(base, []).append(Entry(entry.path, stamp, ending))
    return found


def _look_at(entry: Entry) -> Rotated | None:
    with suppress(OSError):
        status = os.lstat(entry.path)
        if stat.S_ISREG(status.st_mode):
            return Rotated(*entry, identity(status), status.st_mtime_ns, status.st_size)
    return None


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
