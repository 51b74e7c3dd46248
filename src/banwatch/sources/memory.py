"""
Where reading had come to in files that are not followed at the moment: in an earlier life, or until they went away.
"""

from collections.abc import Iterable, Mapping

from banwatch.model import Position
from banwatch.sources.file import LogFile
from banwatch.sources.opened import Identity
from banwatch.sources.prints import KNOWN
from banwatch.sources.rotated import find_logs

LARGEST = 20_000
"""So many files are remembered that went away while the daemon ran; the oldest are forgotten first."""


class Memory:
    """
    Positions by source, and their places by file.

    Args:
        resume: the last position of each source.
    """

    def __init__(self, resume: Mapping[str, Position]) -> None:
        self._sources = _agree(resume)
        self._places: dict[Identity, list[Position]] = {}
        for position in self._sources.values():
            self._note(position)

    @property
    def sources(self) -> frozenset[str]:
        return frozenset(self._sources)

    def position(self, source: str) -> Position | None:
        return self._sources.get(source)

    def file_of(self, source: str) -> Identity | None:
        """The file that was read last under this path."""
        position = self._sources.get(source)
        return None if position is None else Identity(position.device, position.inode)

    def recall(self, file: LogFile, paths: Iterable[str]) -> Position | None:
        """
        The place up to which this very file was read, or a file of the same content: under one of its paths, or as the
        log whose rotated file it is by its name.

        Raises:
            OSError: as of reading.
        """
        own = [place for place in self._places.get(file.identity, ()) if file.fits(place)]
        if not own:
            related = {source for path in paths for source in (path, *find_logs(path))} & self._sources.keys()
            places = (place for source in related for place in places_of(self._sources[source]))
            own = [place for place in places if place.head and file.fits(place)]
        return max(own, key=lambda place: place.offset, default=None)

    def keep(self, source: str | None, file: Identity, places: tuple[Position, ...]) -> None:
        """Remember a file that is followed no more; as the last one of `source`, if it was that."""
        if not places:
            return
        self._places.pop(file, None)
        self._places[file] = list(places)
        if source is not None:
            self._sources.pop(source, None)
            self._sources[source] = places[-1]._replace(older=places[:-1])
        while len(self._places) > LARGEST:
            del self._places[next(iter(self._places))]
        while len(self._sources) > LARGEST:
            del self._sources[next(iter(self._sources))]

    def forget(self, source: str) -> None:
        """The source has a file again, and that one knows by itself where it is."""
        self._sources.pop(source, None)

    def _note(self, position: Position) -> None:
        for place in places_of(position):
            self._places.setdefault(Identity(place.device, place.inode), []).append(place)


def _agree(resume: Mapping[str, Position]) -> dict[str, Position]:
    """The same, where a file that went on under another name is as far in all positions."""
    last: dict[Identity, Position] = {}
    for place in (place for position in resume.values() for place in places_of(position)):
        known = last.get(Identity(place.device, place.inode))
        if known is None or place.at > known.at:
            last[Identity(place.device, place.inode)] = place

    def further(place: Position) -> Position:
        other = last[Identity(place.device, place.inode)]
        same = not place.head or place.offset < KNOWN or place.head == other.head
        return other if same and other.offset > place.offset else place

    return {
        source: further(position._replace(older=()))._replace(older=tuple(map(further, position.older)))
        for source, position in resume.items()
    }


def places_of(position: Position) -> tuple[Position, ...]:
    """The oldest first."""
    return (*position.older, position._replace(older=()))
