"""
What a replay amounts to: bans, who tried most, how long it took to ban them, and whom the bans would have locked out.

Matches come a chunk at a time and are counted by what Python does in C: an attack has millions of them.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from banwatch.address import network_of, unit_of
from banwatch.config.model import Config
from banwatch.engine import Change
from banwatch.model import SUCCESS, Ban, Match, Target, Unban

TOP: Final = 10

_FIELDS: Final = Match._fields.index
_FILTER: Final = itemgetter(_FIELDS("filter"))
_AT: Final = itemgetter(_FIELDS("at"))
_IP: Final = itemgetter(_FIELDS("ip"))
_LOGIN: Final = itemgetter(_FIELDS("login"))
_ATTEMPTS: Final = itemgetter(_FIELDS("attempts"))
_KIND: Final = itemgetter(_FIELDS("kind"))

Key = tuple[str, Target]


class Collateral(NamedTuple):
    """A banned key that had a success at `success`, `during` the ban or after it. The ban began at `at`."""

    ban: Ban
    success: float
    login: str | None
    during: bool


class _Seen:
    """
    The failures of one filter: when each address (and login, if some rule goes by login) was seen first, and how often.
    """

    def __init__(self, by_login: bool) -> None:
        self._by_login = by_login
        self.ips: dict[str | None, float] = {}
        self.logins: dict[str | None, float] = {}
        self.by_ip = Counter[str | None]()
        self.by_login = Counter[str | None]()

    def add(self, failures: Sequence[Match], read_at: float) -> None:
        ips, logins = list(map(_IP, failures)), list(map(_LOGIN, failures))
        times: list[float] = list(map(_AT, failures))
        if None in times:
            times = [read_at if match.at is None else match.at for match in failures]
        deque(map(self.ips.setdefault, ips, times), 0)  # the first one stays
        if self._by_login:
            deque(map(self.logins.setdefault, logins, times), 0)
        self.by_ip.update(ips)
        self.by_login.update(logins)
        if sum(map(_ATTEMPTS, failures)) > len(failures):
            for ip, login, attempts in zip(ips, logins, map(_ATTEMPTS, failures), strict=True):
                self.by_ip[ip] += attempts - 1
                self.by_login[login] += attempts - 1


class Outcome:
    """Takes in what an engine with this configuration makes of one chunk after the other."""

    def __init__(self, config: Config) -> None:
        self._filters = {name: frozenset(watch.filter for watch in spec.watch) for name, spec in config.jails.items()}
        self._counted: dict[str, set[str]] = {}
        for spec in config.jails.values():
            for watch in spec.watch:
                self._counted.setdefault(watch.filter, set()).update(kind for rule in spec.rules for kind in rule.count)
        self._by_login = any(rule.by == "login" for spec in config.jails.values() for rule in spec.rules)
        self._prefixes = {
            name: sorted({rule.prefix for rule in spec.rules if rule.by == "net" or "net" in rule.ban})
            for name, spec in config.jails.items()
        }
        self._seen: dict[str, _Seen] = {}
        self._last: dict[Key, Ban] = {}
        self._harmed: dict[Key, Collateral] = {}
        self._banned: set[str | None] = set()  # most of those who succeed were never banned, as one look here tells,
        self._wide = False  # unless networks are among them
        self.firsts: dict[Key, Ban] = {}
        self.bans = Counter[str]()
        self.unbans = 0

    def add(self, matches: Sequence[Match], changes: Iterable[Change], read_at: float) -> None:
        """
        What a chunk gave.

        Args:
            read_at: when it was read, for lines without a date.
        """
        successes: list[Match] = []
        names = set(map(_FILTER, matches))
        for name in names:
            own = matches if len(names) == 1 else [match for match in matches if match.filter == name]
            kinds, counted = set(map(_KIND, own)), self._counted[name]
            if SUCCESS in kinds:
                successes += [match for match in own if match.kind == SUCCESS]
            failures = own if kinds <= counted else [match for match in own if match.kind in counted]
            if failures:
                self._seen.setdefault(name, _Seen(self._by_login)).add(failures, read_at)
        begun: dict[Key, list[Ban]] = {}
        for change in changes:
            if isinstance(change, Unban):
                self.unbans += 1
                continue
            key = change.jail, change.target
            self.bans[change.jail] += 1
            if key not in self.firsts:
                self.firsts[key] = change
                self._banned.add(change.target.who)
                self._wide = self._wide or ("/" in change.target.who and bool(self._prefixes[change.jail]))
            begun.setdefault(key, []).append(change)
        if self._banned:
            banned, wide = self._banned, self._wide
            for match in successes:
                if wide or _unit(match.ip) in banned or match.login in banned:
                    self._succeed(match, read_at if match.at is None else match.at, begun)
        for key, bans in begun.items():
            self._last[key] = bans[-1]

    def waits(self) -> dict[str, list[float]]:
        """By jail the seconds that each key had from its first failure to its first ban, sorted."""
        begins = self._begins()
        waits: dict[str, list[float]] = {}
        for key, ban in self.firsts.items():
            if key in begins:
                waits.setdefault(ban.jail, []).append(max(ban.at - begins[key], 0.0))
        return {jail: sorted(seconds) for jail, seconds in waits.items()}

    def addresses(self, most: int = TOP) -> list[tuple[str, int]]:
        """Those with the most failures."""
        return _top((seen.by_ip for seen in self._seen.values()), most)

    def logins(self, most: int = TOP) -> list[tuple[str, int]]:
        """Those that were tried most."""
        return _top((seen.by_login for seen in self._seen.values()), most)

    def collateral(self) -> list[Collateral]:
        """Whoever was banned and had a success later, each key once, in the order of the bans."""
        return sorted(self._harmed.values(), key=lambda harm: (harm.ban.at, harm.ban.jail, harm.ban.target))

    def _succeed(self, match: Match, at: float, begun: Mapping[Key, Sequence[Ban]]) -> None:
        for jail, filters in self._filters.items():
            if match.filter not in filters:
                continue
            for target in self._targets(jail, match):
                key = jail, target
                if key not in self.firsts or key in self._harmed:
                    continue
                known = (self._last[key],) if key in self._last else ()
                before = [ban for ban in (*known, *begun.get(key, ())) if ban.at <= at]
                if before:
                    ban = before[-1]
                    self._harmed[key] = Collateral(ban, at, match.login, ban.until is None or at < ban.until)

    def _targets(self, jail: str, match: Match) -> Iterator[Target]:
        """What a ban could be on that keeps this one out."""
        ip, login = match.ip, match.login
        if ip is not None:
            units = (_unit(ip), ip, *(network_of(ip, *prefix) for prefix in self._prefixes[jail]))
            yield from (Target("net", who) for who in dict.fromkeys(units) if who is not None)
        if login is not None:
            yield Target("login", login)

    def _begins(self) -> dict[Key, float]:
        """When each banned key was first heard of."""
        begins: dict[Key, float] = {}

        def note(key: Key, at: float) -> None:
            if key in self.firsts and at < begins.get(key, at + 1.0):
                begins[key] = at

        for jail in self.bans:
            nets = self._prefixes.get(jail, ())
            for seen in (self._seen[name] for name in self._filters.get(jail, ()) if name in self._seen):
                for ip, at in seen.ips.items():
                    if ip is not None:
                        for who in (unit_of(ip) or ip, *(network_of(ip, *prefix) for prefix in nets)):
                            note((jail, Target("net", who)), at)
                for login, at in seen.logins.items():
                    if login is not None:
                        note((jail, Target("login", login)), at)
        return begins


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest of `ordered` that at least `share` of them do not exceed; None if there are none."""
    return ordered[max(-int(-len(ordered) * share // 1), 1) - 1] if ordered else None


def _unit(ip: str | None) -> str | None:
    return ip if ip is None or ":" not in ip else unit_of(ip)


def _top(counts: Iterable[Counter[str | None]], most: int) -> list[tuple[str, int]]:
    total = Counter[str | None]()
    for count in counts:
        total.update(count)
    ordered = sorted(((who, number) for who, number in total.items() if who), key=lambda item: (-item[1], item[0]))
    return ordered[:most]
