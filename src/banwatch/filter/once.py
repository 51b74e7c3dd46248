"""
One attempt, one count, also where a service tells of it on several lines.

Some lines tell of every attempt (failregex), others hint at an attempt which such a line may tell of as well (hintregex). In a
session a hint counts only while nothing was counted, and what it counted is owed: the full line that follows brings only
the rest. A hint without a session (PAM's, from a process of its own) can be about any session of that address: each such
regex is a voice of its own, and counts only as far as it tells of more attempts than all sessions together.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, TypeVar

from banwatch.model import SUCCESS, Match

ROOM: Final = 16384
FORGET: Final = 600.0

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class _Host:
    """
    What is known of an address or login.

    `counted` attempts; `told` are those that its sessions told of; `voices` what each hint outside of them told of. `sessions`:
    when each was heard of last; `owed` the attempts that only a hint told of in a session.
    """

    __slots__ = ("at", "counted", "owed", "sessions", "told", "voices")

    def __init__(self) -> None:
        self.at = 0.0
        self.sessions: dict[str, float] = {}
        self.owed: dict[str, int] = {}
        self.clear()

    def clear(self) -> None:
        self.counted = self.told = 0
        self.voices: dict[tuple[str, int], int] = {}


class Once:
    """
    Args:
        room: for so many sessions and hosts together; if there are more, those heard of first go until half of it is free.
        forget: seconds of line time after which one that nothing was heard of is forgotten.

    `evicted` counts what had to go for want of room; `time` is that of the newest line, `held` are the sessions and hosts.
    """

    def __init__(self, room: int = ROOM, forget: float = FORGET) -> None:
        self.evicted = 0
        self.room = room
        self.forget = forget
        self.time = 0.0
        self.held = 0
        self._filters: dict[str, dict[str | None, _Host]] = {}

    def admit(self, match: Match) -> Match | None:
        """
        `match` with the attempts that were not counted yet; None if there are none.

        A success always passes and ends its session.
        """
        _, name, kind, at, ip, login, attempts, number, hint, session, _, _, _ = match
        fresh = self.count(name, kind, at, ip or login, attempts, number, hint, session)
        if not fresh:
            return None
        return match if fresh == attempts else match._replace(attempts=fresh)

    def count(
        self,
        name: str,
        kind: str,
        at: float | None,
        who: str | None,
        attempts: int,
        number: int,
        hint: bool,
        session: str | None,
    ) -> int:
        """How many of the attempts of a match were not counted yet; all of a success. An attack asks this for each line."""
        if at is None:
            at = self.time
        elif at > self.time:
            self.time = at
        hosts = self._filters.get(name)
        if hosts is None:
            hosts = self._filters[name] = {}
        host = hosts.get(who)
        if host is None or at - host.at > self.forget:
            if kind == SUCCESS:
                return attempts
            host = self.enter(hosts, who)
        host.at = at
        fresh = attempts
        if session is not None:
            before = host.sessions.get(session)
            if kind == SUCCESS:
                self.held -= before is not None
                host.sessions.pop(session, None)
                host.owed.pop(session, None)
                host.clear()
                return attempts
            host.sessions[session] = at
            if before is None:
                self.held += 1
                if self.held > self.room:
                    self.make_room()
            elif at - before > self.forget:
                host.owed.pop(session, None)
                before = None
            if hint:
                if before is not None:
                    return 0
                host.owed[session] = fresh
            elif host.owed and (owed := host.owed.pop(session, 0)):
                if owed > fresh:
                    host.owed[session] = owed - fresh
                fresh -= min(owed, fresh)
                if not fresh:
                    return 0
        elif kind == SUCCESS:
            host.clear()
            return attempts
        if hint and session is None:
            voice = (kind, number)
            said = host.voices[voice] = host.voices.get(voice, 0) + fresh
        else:
            host.told = said = host.told + fresh
        fresh = said - host.counted
        if fresh <= 0:
            return 0
        host.counted = said
        return fresh

    def hosts(self, name: str) -> dict[str | None, _Host]:
        """What is known of the hosts and logins of a filter, until some have to go."""
        return self._filters.setdefault(name, {})

    def enter(self, hosts: dict[str | None, _Host], who: str | None) -> _Host:
        """A host of which nothing is known, in the place of what may have been known long ago."""
        if (old := hosts.pop(who, None)) is not None:
            self.held -= 1 + len(old.sessions)
        host = hosts[who] = _Host()
        self.held += 1
        if self.held > self.room:
            self.make_room()
        return host

    def known(self) -> "Iterable[Mapping[str | None, _Host]]":
        """What is known, by host, for each filter."""
        return self._filters.values()

    def put(self, name: str, who: str | None, host: "_Host") -> None:
        """Know this of `who`; for the beginning."""
        self._filters.setdefault(name, {})[who] = host
        self.time = max(self.time, host.at)
        self.held += 1 + len(host.sessions)

    def make_room(self) -> None:
        """
        Drop those that were heard of first, half of each filter's hosts, then half of each one's sessions if these fill the room.

        One by one would cost more each time: the first key of a dict is found by walking over all that were deleted before it.
        """
        before = self.held
        self._filters = {name: _newer_half(hosts) for name, hosts in self._filters.items()}
        self.held = 0
        for hosts in self._filters.values():
            for host in hosts.values():
                if len(host.sessions) > self.room // 2:
                    host.sessions = _newer_half(host.sessions)
                    host.owed = {session: owed for session, owed in host.owed.items() if session in host.sessions}
                self.held += 1 + len(host.sessions)
        self.evicted += before - self.held


def blank_host() -> _Host:
    """One of which nothing is known."""
    return _Host()


def _newer_half(full: dict[_Key, _Value]) -> dict[_Key, _Value]:
    return dict(islice(full.items(), len(full) // 2, None))
