"""
Who got in, from where: what keeps people from being locked out by the failures of others. Pure.

    an address from which many logins succeed     is a NAT, a webmail, a proxy: no ban for wrong passwords
    a login's own networks                        no ban along with those who attack the login
    an address with a success a short while ago   the same
"""

from collections.abc import Iterable
from itertools import chain, islice
from typing import Any, Final

from banwatch.address import pack
from banwatch.jail.success import own_network

MANY: Final = 5
"""So many logins that succeed from one address within a day make it one that many share."""

DAY: Final = 86400.0
MONTH: Final = 30 * DAY
ROOM: Final = 50_000

KEPT: Final = 16
"""Logins that are kept of an address; of more the latest half."""

FRESH: Final = 300.0
"""A success so soon after the last one of the same login tells nothing new: phones poll."""

Records = list[tuple[str, tuple[Any, ...]]]
"""Keys, each with plain values."""


class Known:
    """
    The good logins of one jail.

    Args:
        journaled: `changes` can tell who got in since it was asked last.
        room: addresses, and pairs of login and network, at most; of more, the half that was heard of first goes.
    """

    def __init__(self, room: int = ROOM, journaled: bool = False) -> None:
        self._room = room
        self._hosts: dict[str, dict[str, float]] = {}
        """Address → login → last success, give or take FRESH."""
        self._homes: dict[tuple[str, str], tuple[float | None, float]] = {}
        """Login and network → the last success on a day before that of the last one, if there is any, and the last one."""
        self._shared: set[str] = set()
        self._logins: dict[str, float] = {}
        """Login → last success."""
        self._changed: dict[tuple[str, str], None] = {}
        self._journaled = journaled

    def __len__(self) -> int:
        return len(self._hosts)

    def note(self, unit: str, login: str, at: float) -> None:
        """`login` got in from `unit` at `at`."""
        logins = self._hosts.get(unit)
        if logins is not None:
            last = logins.get(login)
            if last is not None and last <= at < last + FRESH and at // DAY == last // DAY:
                return
            del self._hosts[unit]
        else:
            logins = {}
        if self._journaled:
            self._changed[unit, login] = None
        self._hosts[unit] = logins
        logins[login] = max(at, logins.get(login, at))
        if len(logins) > KEPT:
            for old in sorted(logins, key=logins.__getitem__)[: -KEPT // 2]:
                del logins[old]
        if len(logins) >= MANY:
            self._shared.add(unit)
        if len(self._hosts) > self._room:
            self._hosts = dict(islice(self._hosts.items(), self._room // 2, None))
            self._shared &= self._hosts.keys()
        self._note_home((login, own_network(unit)), at)
        self._logins[login] = max(at, self._logins.pop(login, at))
        if len(self._logins) > self._room:
            self._logins = dict(islice(self._logins.items(), self._room // 2, None))

    def ever(self, login: str) -> bool:
        """Whether `login` succeeded, from anywhere, as far as is known."""
        return login in self._logins

    def homes(self, login: str, at: float) -> tuple[str, ...]:
        """The networks of `login`'s own within a month of `at`, each as `own_network` writes it."""
        return tuple(
            net
            for (name, net), (earlier, _) in self._homes.items()
            if name == login and earlier is not None and earlier >= at - MONTH
        )

    def changes(self, everything: bool = False) -> "tuple[Records, Records]":
        """
        Who got in since the last call, or whoever is known: of addresses login and time in turn, of pairs of login and network
        the two times; the keys of the latter are login, a line end, network.
        """
        pairs, self._changed = self._changed, {}
        if everything:
            return [(unit, _flat(logins)) for unit, logins in self._hosts.items()], [
                ("\n".join(home), times) for home, times in self._homes.items()
            ]
        units = dict.fromkeys(unit for unit, _ in pairs)
        homes = dict.fromkeys((login, own_network(unit)) for unit, login in pairs)
        return [(unit, _flat(self._hosts.get(unit, {}))) for unit in units], [
            ("\n".join(home), self._homes.get(home, ())) for home in homes
        ]

    def load(self, hosts: "Iterable[tuple[str, tuple[Any, ...]]]", homes: "Iterable[tuple[str, tuple[Any, ...]]]") -> None:
        """Go on with what changes() gave in another life."""
        for unit, record in hosts:
            self._hosts[unit] = dict(zip(record[::2], record[1::2], strict=True))
            if len(self._hosts[unit]) >= MANY:
                self._shared.add(unit)
        for key, (earlier, last) in homes:
            login, _, network = key.rpartition("\n")
            self._homes[login, network] = earlier, last
            self._logins[login] = max(last, self._logins.get(login, last))

    def is_shared(self, unit: str, at: float) -> bool:
        """Whether many logins succeeded from `unit` within a day of `at`."""
        return unit in self._shared and sum(last >= at - DAY for last in self._hosts[unit].values()) >= MANY

    def shared_within(self, who: str, at: float) -> str | None:
        """An address that many share within the network `who`; None if there is none."""
        return next((unit for unit in self._shared if _holds(who, unit) and self.is_shared(unit, at)), None)

    def was_in(self, unit: str, at: float) -> bool:
        """Whether any login succeeded from `unit` within a day of `at`."""
        return max(self._hosts.get(unit, {}).values(), default=at - DAY - 1) >= at - DAY

    def is_home(self, login: str, unit: str, at: float) -> bool:
        """Whether `login` succeeded from the network of `unit` on two different days within a month of `at`."""
        earlier, _ = self._homes.get((login, own_network(unit)), (None, 0.0))
        return earlier is not None and earlier >= at - MONTH

    def _note_home(self, key: tuple[str, str], at: float) -> None:
        earlier, last = self._homes.pop(key, (None, at))
        if at // DAY > last // DAY:
            earlier, last = last, at
        elif at // DAY == last // DAY:
            last = max(last, at)
        elif earlier is None or at > earlier:  # a line that comes late
            earlier = at
        self._homes[key] = earlier, last
        if len(self._homes) > self._room:
            self._homes = dict(islice(self._homes.items(), self._room // 2, None))


def _holds(who: str, unit: str) -> bool:
    (address, length), (inner, inner_length) = pack(who), pack(unit)
    bits = len(address) * 8
    if len(inner) != len(address) or inner_length < length:
        return False
    return int.from_bytes(address) >> (bits - length) == int.from_bytes(inner) >> (bits - length)


def _flat(logins: dict[str, float]) -> tuple[Any, ...]:
    return tuple(chain.from_iterable(logins.items()))
