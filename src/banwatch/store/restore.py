"""
What was remembered, as it holds now. Pure.

A ban ends when it was to end. If the clock was set back meanwhile it would seem to have more than its whole time left: then it
has that, and no more. What has ended while nobody was there is told as ended now.
"""

from collections.abc import Iterable
from typing import NamedTuple

from banwatch.model import Ban, Unban

ENDED = "expired while banwatch was not running"


class Restored(NamedTuple):
    """The bans that last, and the ends of those that do not."""

    bans: list[Ban]
    ended: list[Unban]


def restore(bans: Iterable[Ban], now: float) -> Restored:
    """`bans` as they are at `now`: remaining time = min(until - now, whole time)."""
    lasting: list[Ban] = []
    ended: list[Unban] = []
    for ban in bans:
        until = ban.until
        if ban.at > now:
            ban = ban._replace(at=now, until=None if until is None else min(until, now + (until - ban.at)))
            until = ban.until
        if until is not None and until <= now:
            ended.append(Unban(ban, now, ENDED))
        else:
            lasting.append(ban)
    return Restored(lasting, ended)
