"""
Wrong passwords, as far as their hashes tell them apart: a phone with an old password tries the same one for ever, which is one
mistake; whoever tries many different ones guesses. Pure.
"""

from itertools import islice
from typing import Final

ROOM: Final = 50_000
DAY: Final = 86400.0
DISTINCT: Final = 64
"""So many wrong passwords of one (address, login) are remembered, the latest."""


class Guesses:
    """
    Args:
        room: pairs of address and login at most; of more, the half that was heard of first goes.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._tried: dict[tuple[str | None, str], dict[str, float]] = {}

    def is_news(self, unit: str | None, login: str, pwhash: str, at: float) -> bool:
        """Whether this wrong password was not tried by `unit` on `login` within a day; one that is not told always is news."""
        if not pwhash:
            return True
        key = (unit, login)
        tried = self._tried.pop(key, {})
        self._tried[key] = tried
        before = tried.pop(pwhash, None)
        tried[pwhash] = at
        if len(tried) > DISTINCT:
            del tried[next(iter(tried))]
        if len(self._tried) > self._room:
            self._tried = dict(islice(self._tried.items(), self._room // 2, None))
        return before is None or at - before > DAY
