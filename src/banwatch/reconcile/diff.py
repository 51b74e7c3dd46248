"""
A set of the kernel against what the book wants in it. Pure.

A member that is gone was either taken out by somebody who meant it, or went with all the others when the set was flushed or
destroyed. The mark tells: a member of our own, put in after all the others, that nobody takes out by hand.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from typing import NamedTuple

from banwatch.firewall.wire import LONGEST
from banwatch.model import Ban

ENDING = 2.0
"""What has less than this left, in seconds, is not put back, and not taken over."""

SLACK = 3.0
"""The kernel's seconds are whole: an end that is no further off than this is the right one."""

RENEWED_BELOW = LONGEST - 2 * 86400.0
"""Of a ban longer than the kernel's longest timeout at least this has to be left; it is renewed once a day."""


class Found(NamedTuple):
    """
    A set as the kernel has it.

    Args:
        left: seconds by canonical text of an address or network, None is for ever; the mark left out.
        began, ended: when it was listed; of 100,000 members the last is told a second or more after the first.
        marked: whether our mark stands in it.
        foreign: somebody else made the set, and may fill and empty it as he likes.
        shared: several jails look into it, so that what one of them has taken out another may still want.
    """

    left: Mapping[str, float | None]
    began: float
    ended: float
    marked: bool = True
    foreign: bool = False
    shared: bool = False


class Difference(NamedTuple):
    """`lost`: to be put back. `ends`: there, but with another end. `removed`: taken out by hand, so that the book follows."""

    lost: tuple[Ban, ...] = ()
    ends: tuple[Ban, ...] = ()
    removed: tuple[Ban, ...] = ()


def compare(bans: Iterable[Ban], found: Found, now: float, acknowledged: Callable[[Ban], bool]) -> Difference:
    """
    What is wrong with `bans`, all of which should be in the set.

    Args:
        acknowledged: whether the kernel has said that it has a ban. What it never had nobody can have taken out.
    """
    lost: list[Ban] = []
    ends: list[Ban] = []
    removed: list[Ban] = []
    for ban in bans:
        ending = ban.until is not None and ban.until - now < ENDING
        if ban.target.who in found.left:
            if not ending and _ends_otherwise(found, found.left[ban.target.who], ban.until):
                ends.append(ban)
        elif _is_by_hand(ban, found, acknowledged):
            if not ending:  # its end is near: let it come
                removed.append(ban)
        elif not ending:
            lost.append(ban)
    return Difference(tuple(lost), tuple(ends), tuple(removed))


def strangers(found: Found, wanted: Container[str]) -> dict[str, float | None]:
    """Who is in the set without being `wanted`, with the seconds left; what ends at once is left out."""
    return {who: left for who, left in found.left.items() if who not in wanted and (left is None or left >= ENDING)}


def _is_by_hand(ban: Ban, found: Found, acknowledged: Callable[[Ban], bool]) -> bool:
    if found.foreign and ban.origin == "adopted":
        return True  # its owner put it in, its owner took it out
    return found.marked and not found.shared and acknowledged(ban)


def _ends_otherwise(found: Found, left: float | None, until: float | None) -> bool:
    if left is None or until is None:
        return left is not until
    return left > until - found.began + SLACK or left < min(until - found.ended, RENEWED_BELOW) - SLACK
