"""
The position of a source: the places of all its files as one. Pure.
"""

from collections.abc import Iterable

from banwatch.model import Position
from banwatch.sources.handles import Followed

OLDER = 16
"""So many rotated files are remembered with a source; more than that never have something to read."""


def position_of(followed: Followed, retired: Iterable[Followed], lead: Followed | None, now: float) -> Position:
    """
    Where the whole source is: the last of its files that was begun, and before it those that may get more. If none was
    begun, that this one stood there.

    A line under way in a rotated file is without an end, perhaps for ever: whatever its time, there is something to read.

    Args:
        followed: the file that is read.
        retired: the rotated files of its source, in their order.
        lead: the file that the source leads to.
    """
    files = dict.fromkeys((*retired, lead or followed, followed)) if retired else (followed,)
    begun = [(one, place) for one in files for place in one.file.places()]
    if not begun:
        return Position(*followed.file.identity, 0, at=now)
    last = begun.pop()[1]
    older = [place._replace(at=0.0) if one is not lead and one.file.is_under_way else place for one, place in begun]
    empty = [Position(*one.file.identity, 0) for one in retired if not one.file.places()]
    return last._replace(older=(*older, *empty)[-OLDER:]) if older or empty else last
