"""
One attempt, one count, also where a service tells of it on several lines.

Some lines tell of every attempt (failregex), others hint at an attempt which such a line may tell of as well (hintregex). In a
session a hint counts only while nothing was counted, and what it counted is owed: the full line that follows brings only
the rest. A hint without a session (PAM's in a process of its own) can be about any session of that address: each such
regex is a voice of its own, and counts only as far as it tells of more attempts than all sessions together.
"""

from collections.abc import Hashable
from typing import Final, TypeVar

from banwatch.model import SUCCESS, Match

SESSIONS: Final = 65536
FORGET: Final = 600.0

_Key = TypeVar("_Key", bound=Hashable)
_Voice = tuple[str, int] | None


class _Account:
    """What was counted, what each voice told of, and when something was heard last."""

    __slots__ = ("at", "counted", "told")

    def __init__(self, at: float) -> None:
        self.at = at
        self.counted = 0
        self.told: dict[_Voice, int] = {}

    def hear(self, voice: _Voice, attempts: int) -> int:
        """The attempts that nobody told of before."""
        told = self.told[voice] = self.told.get(voice, 0) + attempts
        fresh = told - self.counted
        if fresh <= 0:
            return 0
        self.counted = told
        return fresh


class Once:
    """
    Args:
        sessions: how many are remembered; the one heard of first goes first. As many addresses are.
        forget: seconds of line time after which a silent one is forgotten.

    `evicted` counts what was dropped for want of room.
    """

    def __init__(self, sessions: int = SESSIONS, forget: float = FORGET) -> None:
        self.evicted = 0
        self._limit = sessions
        self._forget = forget
        self._time = 0.0
        self._sessions: dict[tuple[str, str | None, str], _Account] = {}
        self._hosts: dict[tuple[str, str | None], _Account] = {}

    def admit(self, match: Match) -> Match | None:
        """
        `match` with the attempts that were not counted yet; None if there are none.

        A success always passes and ends its session.
        """
        who = match.ip or match.login
        host, session = (match.filter, who), match.session
        if match.kind == SUCCESS:
            self._hosts.pop(host, None)
            if session is not None:
                self._sessions.pop((match.filter, who, session), None)
            return match
        at = match.at
        if at is None:
            at = self._time
        elif at > self._time:
            self._time = at
        fresh = match.attempts
        voice: _Voice = None
        if session is not None:
            account = self._account(self._sessions, (match.filter, who, session), at)
            if match.hint and account.counted:
                return None
            if match.hint:
                account.counted = fresh
            else:
                fresh = account.hear(None, fresh)
                if not fresh:
                    return None
        elif match.hint:
            voice = (match.kind, match.regex)
        fresh = self._account(self._hosts, host, at).hear(voice, fresh)
        if fresh == match.attempts:
            return match
        return match._replace(attempts=fresh) if fresh else None

    def _account(self, accounts: dict[_Key, _Account], key: _Key, at: float) -> _Account:
        account = accounts.get(key)
        if account is not None and at - account.at <= self._forget:
            if at > account.at:
                account.at = at
            return account
        if account is not None:
            del accounts[key]
        elif len(accounts) >= self._limit:
            del accounts[next(iter(accounts))]
            self.evicted += 1
        account = accounts[key] = _Account(at)
        return account
