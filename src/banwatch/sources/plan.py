"""
What has to be read before a log can be gone on with: the rest of files that were rotated away meanwhile. Pure.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from banwatch.model import Position
from banwatch.sources.memory import places_of
from banwatch.sources.rotated import Rotated

SLACK = 1.0
"""Seconds by which the time of a last line may be told too early: the kernel's clock for it is a coarse one."""


class Step(NamedTuple):
    """A rotated file, and the place in it to go on from; None for its start."""

    file: Rotated
    place: Position | None


def plan_rest(
    position: Position, files: Sequence[Rotated], is_of: Callable[[Rotated, Position], bool], *, is_current: bool
) -> list[Step]:
    """
    What is unread of the rotated files of a log, in the order in which it was written.

    Args:
        position: where reading of the log had come to.
        files: its rotated files, the oldest first.
        is_of: whether the file has what was read up to a place.
        is_current: the log itself is still the file that was read last.
    """
    *older, last = places_of(position)
    left, steps, after = list(files), list[Step](), list[Step]()
    found = None if is_current else _find(left, last, is_of)
    for place in older:
        if (one := _find(_candidates(left, found, last, place, is_current), place, is_of)) is not None:
            left.remove(one)
            steps += [Step(one, place)] * _may_have_more(one, place)
    if last.at and not (last.head and (found is not None or is_current)):
        # It is gone, with what nobody had read of it, or it was empty then and may have been emptied again: what was written
        # later was not read at all.
        after = [Step(one, None) for one in left if one is found or one.written > last.at * 1e9]
    elif found is not None:
        after = [Step(found, last), *(Step(one, None) for one in left[left.index(found) + 1 :])]
    return steps + after


def _find(files: Sequence[Rotated], place: Position, is_of: Callable[[Rotated, Position], bool]) -> Rotated | None:
    return next((one for one in reversed(files) if is_of(one, place)), None)


def _candidates(
    files: Sequence[Rotated], found: Rotated | None, last: Position, place: Position, is_current: bool
) -> Sequence[Rotated]:
    """Which files may be an older one: not that which was read last, and by an inode alone none that came later."""
    if found is not None:
        at = files.index(found)
        return [*files[:at], *files[at + 1 :]] if place.head else files[:at]
    if is_current:
        return [one for one in files if _may_have_more(one, place)]
    return files if place.head else [one for one in files if one.written <= last.at * 1e9]


def _may_have_more(file: Rotated, place: Position) -> bool:
    """Packing leaves the time of the last line alone, so that not everything has to be unpacked at each start."""
    return not file.ending or file.written > (place.at - SLACK) * 1e9
