"""
The one decision behind every door: may this login get in from there? Pure, and answered from memory.

    no ban on the login                               allow
    from one of its own networks, or allowed          allow, unless the rule is strict
    in the first time of the ban, if the rule says so delay
    otherwise                                         deny, even with the right password

Nothing of it depends on the password, and nobody but the owner's own networks is exempt.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple, Protocol

from banwatch.address import canonical_ip
from banwatch.book.book import Book
from banwatch.jail.jail import Jail
from banwatch.login import Naming, canonical_login
from banwatch.model import Ban, Target

Action = Literal["allow", "delay", "deny"]

SECONDS: Final = 5
"""How long an attempt is held up."""


class Verdict(NamedTuple):
    """
    Args:
        seconds: how long to hold the attempt up, for `delay`.
        why: for people, empty if there is no ban.
    """

    action: Action
    seconds: int = 0
    why: str = ""


FREE: Final = Verdict("allow")


class Decider(Protocol):
    """What decides about bans, as far as a gate has to know."""

    @property
    def book(self) -> Book: ...
    @property
    def jails(self) -> Mapping[str, Jail]: ...
    def is_allowed(self, target: Target) -> str | None: ...


def decide(decider: Decider, login: str, ip: str | None, now: float) -> Verdict:
    """
    What becomes of an attempt on `login`, as the service writes it, from `ip`; None is an address that nobody knows.

    Of several bans the one that refuses counts.
    """
    found = FREE
    for jail, ban in _bans(decider, login, now):
        verdict = _judge(decider, jail, ban, ip, now)
        if verdict.action == "deny":
            return verdict
        if found is FREE or verdict.action == "delay":
            found = verdict
    return found


def is_home(decider: Decider, login: str, ip: str | None, now: float) -> bool:
    """Whether `login` is known to get in from the network of `ip`, and nobody has to fear that this is somebody else."""
    if ip is None:
        return False
    names: dict[Naming, str] = {}
    known = False
    for jail in decider.jails.values():
        name = _name(names, login, jail.spec.naming)
        if jail.alarms.stands(name, now):
            return False
        if not known and jail.known.ever(name) and (unit := jail.guard.unit(ip)) is not None:
            known = jail.known.is_home(name, unit, now)
    return known


def is_strict(jail: Jail, ban: Ban) -> bool:
    """Whether `ban` keeps a login out from its own networks, too: the rule says so, or somebody who forced it."""
    rule = next((rule for rule in jail.spec.rules if rule.name == ban.rule), None)
    return ban.forced if rule is None else rule.strict


def begins(jail: Jail, ban: Ban) -> float:
    """When `ban` begins to refuse, and no longer only delays."""
    return ban.at + next((rule.delay for rule in jail.spec.rules if rule.name == ban.rule), 0.0)


def _bans(decider: Decider, login: str, now: float) -> Iterator[tuple[Jail, Ban]]:
    names: dict[Naming, str] = {}
    for name, jail in decider.jails.items():
        bans = decider.book.of_jail(name)
        ban = bans.get(Target("login", _name(names, login, jail.spec.naming))) if bans else None
        if ban is not None and ban.enforce and (ban.until is None or ban.until > now):
            yield jail, ban


def _judge(decider: Decider, jail: Jail, ban: Ban, ip: str | None, now: float) -> Verdict:
    why = f"{ban.target} is banned in {ban.jail}"
    address = None if ip is None else canonical_ip(ip)
    if address is not None and decider.is_allowed(Target("net", address)):
        return Verdict("allow", why=f"{why}, but {address} is allowed")
    if not is_strict(jail, ban) and is_home(decider, ban.target.who, address, now):
        return Verdict("allow", why=f"{why}, but known from there")
    if now < begins(jail, ban):
        return Verdict("delay", SECONDS, why)
    return Verdict("deny", why=why)


def _name(names: dict[Naming, str], login: str, naming: Naming) -> str:
    name = names.get(naming)
    if name is None:
        name = names[naming] = canonical_login(login, naming)
    return name
