"""
Who is refused, as the files that services read say it. Pure.

A file knows no password and no time: it says who is refused now, and whoever writes it has to do so again when that changes.
Names of strangers stand in it, so only names that mean nothing else in any of the three forms do: a login "alice:x" would
refuse alice.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Any, Final, NamedTuple

from banwatch.login import spellings
from banwatch.logins.gate import Decider, begins, is_strict
from banwatch.model import Ban

HEAD: Final = "# Written by banwatch; whatever else is put in here is lost.\n"
PER_LINE: Final = 16
"""Networks in one line of pam_access, which reads lines of at most 8 KiB."""

_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9._@=+-]{0,253}")
_ACCOUNT: Final = re.compile(r"[a-z0-9_][a-z0-9._-]{0,253}")
_WORDS: Final = frozenset({"all", "none", "local", "except"})
"""What pam_access reads as more than a name, in whatever letters."""


class Refused(NamedTuple):
    """
    A banned login.

    Args:
        names: as services may know it.
        begins, until: when it is refused; None is for ever.
        homes: networks from where it is not.
    """

    names: tuple[str, ...]
    begins: float
    until: float | None
    homes: tuple[str, ...] = ()

    def holds(self, now: float) -> bool:
        """Whether it is refused at `now`."""
        return self.begins <= now and (self.until is None or self.until > now)


def list_refused(decider: Decider, now: float) -> list[Refused]:
    """Every login with a ban that is or will be enforced."""
    refused = []
    for name, jail in decider.jails.items():
        for ban in decider.book.of_jail(name).values():
            if ban.target.realm == "login" and ban.enforce:
                homes = () if is_strict(jail, ban) else _homes(decider, ban, now)
                refused.append(Refused(spellings(ban.target.who, jail.spec.naming), begins(jail, ban), ban.until, homes))
    return refused


def next_change(refused: Iterable[Refused], now: float) -> float | None:
    """When another login begins to be refused, or ends to be; None if none does."""
    times = [time for each in refused for time in (each.begins, each.until or inf) if now < time < inf]
    return min(times, default=None)


def render_pam(refused: Iterable[Refused], now: float) -> str:
    """An access file of pam_access: own networks first, then nobody else; who comes without an address (cron, a console) may."""
    lines = []
    for name, homes in _names(refused, now, _ACCOUNT):
        pieces = [homes[start : start + PER_LINE] for start in range(0, len(homes), PER_LINE)]
        lines += [f"+:{name}:{' '.join(piece)}\n" for piece in pieces]
        lines.append(f"-:{name}:ALL EXCEPT LOCAL\n")
    return HEAD + "".join(lines)


def render_names(refused: Iterable[Refused], now: float) -> str:
    """A name a line, for Dovecot's passwd-file and Exim's lsearch; networks have no place there, so who has some is left out."""
    return HEAD + "".join(f"{name}\n" for name in names_without_home(refused, now))


def accounts_refused(refused: Iterable[Refused], now: float) -> dict[str, tuple[str, ...]]:
    """The accounts of this host that are refused at `now`, each with the networks from where it is not."""
    return dict(_names(refused, now, _ACCOUNT))


def names_without_home(refused: Iterable[Refused], now: float) -> list[str]:
    """Who is refused at `now` from everywhere."""
    return [name for name, homes in _names(refused, now, _NAME) if not homes]


def dump_refused(refused: Iterable[Refused]) -> list[dict[str, Any]]:
    """As plain values, for a file."""
    return [each._asdict() for each in refused]


def load_refused(dumped: Iterable[Mapping[str, Any]]) -> list[Refused]:
    """
    What dump_refused() gave.

    Raises:
        KeyError, TypeError: it is nothing of the kind.
    """
    return [Refused(tuple(each["names"]), each["begins"], each["until"], tuple(each["homes"])) for each in dumped]


def _homes(decider: Decider, ban: Ban, now: float) -> tuple[str, ...]:
    """The login's own networks; none while it may be a thief who is at home there."""
    login = ban.target.who
    if any(jail.alarms.stands(login, now) for jail in decider.jails.values()):
        return ()
    networks = {network: None for jail in decider.jails.values() for network in jail.known.homes(login, now)}
    return tuple(network if ":" in network else f"{network}.0/24" for network in networks)


def _names(refused: Iterable[Refused], now: float, form: re.Pattern[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each name that is refused at `now` once, sorted, with the networks from where every ban on it lets it in."""
    homes: dict[str, tuple[str, ...]] = {}
    for each in refused:
        for name in each.names if each.holds(now) else ():
            if form.fullmatch(name) and name not in _WORDS:
                before = homes.get(name)
                homes[name] = each.homes if before is None else tuple(home for home in before if home in each.homes)
    return iter(sorted(homes.items()))
