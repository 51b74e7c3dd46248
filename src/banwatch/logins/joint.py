"""
One attempt, one count, where a service tells of it through a door and in its log. Pure.

A door tells of each attempt at once, a log when the connection ends, and perhaps of several, or never. So each of the two
counts only as far as it tells of more attempts of an address than the other one has: whichever of them is late, missing or
switched off, the other makes up for it. A refusal of ours is an attempt that is told and not counted; its line in the log
has nothing more to tell then.
"""

from itertools import islice
from typing import Final

ROOM: Final = 50_000
FORGET: Final = 600.0


class _Account:
    __slots__ = ("at", "counted", "door", "log")

    def __init__(self) -> None:
        self.at = 0.0
        self.counted = self.door = self.log = 0


class Joint:
    """
    Args:
        room: addresses at most, by filter; of more, the half that was heard of first goes.
        forget: seconds after which an address that nothing was heard of starts anew.
    """

    def __init__(self, room: int = ROOM, forget: float = FORGET) -> None:
        self._room = room
        self._forget = forget
        self._time = 0.0
        self._accounts: dict[tuple[str, str], _Account] = {}

    def told(self, filter: str, ip: str, at: float) -> int:
        """A door told of an attempt of `ip` at the service of `filter`: 1, or 0 if its log was the first."""
        account = self._account(filter, ip, at)
        account.door += 1
        return self._settle(account, account.door)

    def left(self, filter: str, kind: str, at: float | None, ip: str | None, attempts: int) -> int:
        """How many of the `attempts` that the log of the service of `filter` tells of no door has told of."""
        if kind != "auth" or ip is None:
            return attempts
        account = self._account(filter, ip, self._time if at is None else at)
        account.log += attempts
        return self._settle(account, account.log)

    def _account(self, filter: str, ip: str, at: float) -> _Account:
        self._time = max(self._time, at)
        key = (filter, ip)
        account = self._accounts.pop(key, None)
        if account is None or at - account.at > self._forget:
            account = _Account()
        self._accounts[key] = account
        account.at = max(account.at, at)
        if len(self._accounts) > self._room:
            self._accounts = dict(islice(self._accounts.items(), self._room // 2, None))
        return account

    @staticmethod
    def _settle(account: _Account, said: int) -> int:
        fresh = max(0, said - account.counted)
        account.counted += fresh
        return fresh
