"""
One attempt, one count, also where a service tells of it on several lines.

A line that says all (failregex) and lines that only hint at the same attempt (hintregex) are counted by voice: what a session is
charged with is the larger of what either said. In one session all hints together tell of one attempt at most, before the full
line comes. Where lines carry no session each hintregex is a voice of its own, and says one attempt per line.
"""

from typing import Final

from banwatch.model import SUCCESS, Match

SESSIONS: Final = 65536
FORGET: Final = 600.0

_Key = tuple[str, str | None, str | None]


class _Heard:
    """What was said of one session: attempts counted, attempts by full lines, lines by each hintregex, the last line's time."""

    __slots__ = ("at", "counted", "full", "hints")

    def __init__(self) -> None:
        self.counted = self.full = 0
        self.hints: dict[tuple[str, int], int] = {}
        self.at = 0.0


class Once:
    """
    Args:
        sessions: how many are remembered; the one heard of first goes first.
        forget: seconds of line time after which a silent session is forgotten.

    `evicted` counts the sessions that were dropped for want of room.
    """

    def __init__(self, sessions: int = SESSIONS, forget: float = FORGET) -> None:
        self.evicted = 0
        self._limit = sessions
        self._forget = forget
        self._heard: dict[_Key, _Heard] = {}
        self._time = 0.0

    def admit(self, match: Match) -> Match | None:
        """
        `match` with the attempts that were not counted yet; None if there are none.

        A success always passes and ends its session.
        """
        key = (match.filter, match.session, match.ip or match.login)
        if match.kind == SUCCESS:
            self._heard.pop(key, None)
            return match
        if match.at is not None and match.at > self._time:
            self._time = match.at
        at = match.at if match.at is not None else self._time
        heard = self._heard.get(key)
        if heard is None or at - heard.at > self._forget:
            heard = self._enter(key)
        heard.at = max(heard.at, at)
        if match.hint:
            voice = (match.kind, match.regex)
            said = heard.hints[voice] = heard.hints.get(voice, 0) + match.attempts if match.session is None else 1
        else:
            said = heard.full = heard.full + match.attempts
        fresh = said - heard.counted
        if fresh <= 0:
            return None
        heard.counted = said
        return match if fresh == match.attempts else match._replace(attempts=fresh)

    def _enter(self, key: _Key) -> _Heard:
        self._heard.pop(key, None)
        while self._heard and len(self._heard) >= self._limit:
            del self._heard[next(iter(self._heard))]
            self.evicted += 1
        heard = self._heard[key] = _Heard()
        return heard
