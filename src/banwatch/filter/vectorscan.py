"""
The needles of all filters found in one pass over a chunk, by Vectorscan.

Each event costs a call from C into Python. So all that an event leaves is its place, and the line around it is looked for
once, however often something is found in it.
"""

from collections.abc import Iterator, Sequence

import hyperscan

from banwatch.filter.needles import EVERY_LINE, Needle
from banwatch.filter.prefilter import Span, beyond_ascii, every_line


class Vectorscan:
    """
    One database for the needles of all lenses.

    Args:
        needles: of each lens.
    Raises:
        ValueError: Vectorscan does not run here, or does not take a needle; with its reason.
    """

    engine = "vectorscan"

    def __init__(self, needles: Sequence[Sequence[Needle]]) -> None:
        self._every = tuple(EVERY_LINE in lens for lens in needles)
        wanted = [(index, needle) for index, lens in enumerate(needles) if not self._every[index] for needle in lens]
        self._database = None
        if not wanted:
            return
        try:
            self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            self._database.compile(
                expressions=[needle.regex for _, needle in wanted],
                ids=[index for index, _ in wanted],
                flags=[hyperscan.HS_FLAG_CASELESS if needle.folded else 0 for _, needle in wanted],
            )
        except hyperscan.error as error:
            raise ValueError(f"vectorscan: {error}") from error

    def candidates(self, data: bytes, lenses: Sequence[int]) -> Sequence[list[Span]]:
        """For each of `lenses` the lines with a needle of its."""
        places: list[list[int]] = [[] for _ in self._every]
        if self._database is not None and not all(self._every[lens] for lens in lenses):

            def note(lens: int, _start: int, place: int, _flags: int, _context: object) -> None:
                places[lens].append(place)

            self._database.scan(data, match_event_handler=note)
        beyond = [] if data.isascii() else [end for _, end in beyond_ascii(data)]
        return [list(every_line(data) if self._every[lens] else _lines_at(data, places[lens] + beyond)) for lens in lenses]


def _lines_at(data: bytes, places: list[int]) -> Iterator[Span]:
    """The lines that hold the bytes before these places."""
    places.sort()  # they are, nearly: then it costs next to nothing
    end = -1
    for place in places:
        if place > end:
            end = data.find(b"\n", place)
            if end < 0:
                end = len(data)
            yield data.rfind(b"\n", 0, place) + 1, end
