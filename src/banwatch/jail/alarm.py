"""
Accounts that look compromised: good logins from many networks within a short time. Pure.

Whoever has the password gets in, so no window sees it; but its owner is not in ten networks within an hour.
"""

from itertools import islice
from typing import Final

from banwatch.config.model import AlarmSpec
from banwatch.jail.known import DAY, ROOM
from banwatch.jail.success import own_network

STANDS: Final = DAY
"""So long after the last time that it looked so an account is taken for compromised."""


class Alarms:
    """
    Of one jail.

    Args:
        spec: when; None is never.
        room: accounts at most; of more, the half that was heard of first goes.
    """

    def __init__(self, spec: AlarmSpec | None, room: int = ROOM) -> None:
        self.spec = spec
        self._room = room
        self._seen: dict[str, dict[str, float]] = {}
        """Login → network → last success; at most as many as raise the alarm, the latest."""
        self._raised: dict[str, float] = {}

    def note(self, login: str, unit: str, at: float) -> tuple[str, ...]:
        """`login` got in from `unit`: the networks that raise its alarm now; empty if they do not, or if it stands already."""
        if self.spec is None:
            return ()
        most, findtime = self.spec.networks
        networks = self._seen.pop(login, {})
        self._seen[login] = networks
        network = own_network(unit)
        networks[network] = max(at, networks.pop(network, at))
        if len(networks) > most:
            del networks[min(networks, key=lambda known: networks[known])]
        if len(self._seen) > self._room:
            self._seen = dict(islice(self._seen.items(), self._room // 2, None))
            self._raised = {known: raised for known, raised in self._raised.items() if known in self._seen}
        if len(networks) < most or min(networks.values()) < max(networks.values()) - findtime:
            return ()
        news = not self.stands(login, at)
        self._raised[login] = at
        return tuple(networks) if news else ()

    def stands(self, login: str, at: float) -> bool:
        """Whether `login` is taken for compromised at `at`."""
        return login in self._raised and at - self._raised[login] <= STANDS

    def standing(self, at: float) -> tuple[str, ...]:
        """The accounts that are taken for compromised at `at`."""
        return tuple(login for login in self._raised if self.stands(login, at))

    def clear(self, login: str) -> None:
        """Its owner has it back, the operator says: start anew."""
        self._raised.pop(login, None)
        self._seen.pop(login, None)
