"""
A rule and its window: by which key it counts an attempt, and which side of the attempt it remembers.

    by      key                    other side
    ip      unit of the address    login
    net     network                (unit, login)
    login   login                  unit

An address and a login never meet in one window, whatever their text is. Pure.
"""

# ruff: noqa: ARG002 (the same arguments for every kind of key; each uses its own)

from collections.abc import Iterable

from banwatch.config.model import Rule
from banwatch.jail.decide import Reached
from banwatch.jail.grace import Grace
from banwatch.jail.ignoreip import Guard
from banwatch.jail.known import Known
from banwatch.jail.success import forgive_address, forgive_login, forgive_network
from banwatch.jail.window import GRAIN, Window
from banwatch.model import Target

LONGEST_LOGIN = 254
"""
Characters of a login that are remembered (RFC 5321 allows a mail address no more). No account has a longer name, so a
longer one is no key for rules by login; a stranger may send 64 KiB.
"""


NO_KEY = -1


class Tally:
    """
    What all rules have in common.

    Args:
        guard: may be replaced at any time.
        nets, logins: the addresses and networks, and the logins, that the jail banned a moment ago.
        known: who got in.
    """

    __slots__ = ("add", "earliest", "findtime", "guard", "known", "logins", "maxretry", "nets", "rule", "window")

    def __init__(self, rule: Rule, window: Window, guard: Guard, nets: Grace, logins: Grace, known: Known) -> None:
        self.rule = rule
        self.window = window
        self.guard = guard
        self.nets = nets
        self.logins = logins
        self.known = known
        self.add = window.add
        self.maxretry, self.findtime = rule.limit
        self.earliest = self.findtime + GRAIN

    def goes_on_as(self, rule: Rule) -> bool:
        """True if the window can go on under `rule`: what is counted is the same, though the limit may be another."""
        own = self.rule
        return (own.count, own.by, own.limit.findtime, own.prefix) == (rule.count, rule.by, rule.limit.findtime, rule.prefix)

    def key(self, unit: str | None, ip: str | None, login: str | None) -> str | None:
        """What the attempt counts for, None if this rule cannot count it."""
        raise NotImplementedError

    def count(self, unit: str | None, ip: str | None, login: str | None, at: float, attempts: int) -> int:
        """Count the attempt: how many its key has within findtime now; 0 if it comes too late, NO_KEY if it has no key."""
        raise NotImplementedError

    def reached(self, failures: int, unit: str | None, ip: str | None, login: str | None) -> Reached:
        """What the attempt that was counted last has to decide."""
        key = self.key(unit, ip, login)
        assert key is not None
        return Reached(self.rule, key, failures, self.hosts(key) if "hosts" in self.rule.ban else (), ip)

    def hosts(self, key: str) -> tuple[str, ...]:
        """The units that took part in the attempts that reached the limit, each once, in the order of their first attempt."""
        raise NotImplementedError

    def forgive(self, unit: str, ip: str, login: str, at: float) -> None:
        """`login` got in from `ip`."""
        raise NotImplementedError

    def _is_late(self, grace: Grace, key: str, unit: str | None, at: float) -> bool:
        if key in grace and grace.covers(key, at, self.findtime):
            return True
        # Where a rule bans the hosts, the last words of a banned one are no part of the next attack either.
        return unit is not None and "hosts" in self.rule.ban and self.nets.covers(unit, at, self.findtime)


class ByIp(Tally):
    __slots__ = ()

    def key(self, unit: str | None, ip: str | None, login: str | None) -> str | None:
        return unit

    def count(self, unit: str | None, ip: str | None, login: str | None, at: float, attempts: int) -> int:
        if unit is None:
            return NO_KEY
        if self.nets.covers(unit, at, self.findtime):
            return 0
        return self.add(unit, at, login, attempts)

    def hosts(self, key: str) -> tuple[str, ...]:
        return (key,)

    def forgive(self, unit: str, ip: str, login: str, at: float) -> None:
        forgive_address(self.window, unit, login, at, "auth" not in self.rule.count)


class ByNet(Tally):
    __slots__ = ()

    def key(self, unit: str | None, ip: str | None, login: str | None) -> str | None:
        return None if ip is None else self.guard.net(ip, self.rule.prefix)

    def count(self, unit: str | None, ip: str | None, login: str | None, at: float, attempts: int) -> int:
        key = self.key(unit, ip, login)
        if key is None:
            return NO_KEY
        if self.nets and self._is_late(self.nets, key, unit, at):
            return 0
        return self.add(key, at, (unit, login), attempts)

    def hosts(self, key: str) -> tuple[str, ...]:
        return _distinct(unit for unit, _ in self.window.spent[1::2])

    def forgive(self, unit: str, ip: str, login: str, at: float) -> None:
        net = self.guard.net(ip, self.rule.prefix)
        if net is not None:
            forgive_network(self.window, net, unit, login, at, "auth" not in self.rule.count)


class ByLogin(Tally):
    __slots__ = ()

    def key(self, unit: str | None, ip: str | None, login: str | None) -> str | None:
        if not login or len(login) > LONGEST_LOGIN or self.guard.ignored(Target("login", login)) is not None:
            return None
        rule = self.rule
        if rule.exempt and login.partition("@")[0] in rule.exempt:
            return None
        return login if rule.logins == "any" or self.known.ever(login) else None

    def count(self, unit: str | None, ip: str | None, login: str | None, at: float, attempts: int) -> int:
        key = self.key(unit, ip, login)
        if key is None:
            return NO_KEY
        if (self.logins or self.nets) and self._is_late(self.logins, key, unit, at):
            return 0
        return self.add(key, at, unit, attempts)

    def hosts(self, key: str) -> tuple[str, ...]:
        return _distinct(self.window.spent[1::2])

    def forgive(self, unit: str, ip: str, login: str, at: float) -> None:
        forgive_login(self.window, login, unit, at)


BY = {"ip": ByIp, "net": ByNet, "login": ByLogin}


def _distinct(units: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(unit for unit in units if unit is not None))
