"""
The configuration as frozen values, after every file was read and every key was found right.

Durations are seconds; None as a bantime is `forever`. `Mark` remembers where a value was written, for messages about it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from banwatch.login import PLAIN, Naming
from banwatch.model import JOURNAL, By

if TYPE_CHECKING:
    from banwatch.filter.match import Filter

Enabled = Literal["auto", "true", "false"]
Wanted = Literal["auto", "journal", "logs"]
PortRange = tuple[int, int]
Conditions = Mapping[str, str | None]


class Mark(NamedTuple):
    """Where something is written; lines count from 1, 0 means the file as a whole."""

    file: str
    line: int


class Problem(NamedTuple):
    """
    One thing that is wrong with the configuration.

    `key` is the dotted path within the file ("sshd.rules.ip.bantime"). `expected` is what would be right. `got` is what
    stands there, as written; empty when something is missing. `jail` is the jail that cannot run because of it, `filter`
    the filter; None when it is nobody's alone. A warning does not stop anything. `note` says it better than "expected …,
    got …" would, where that is so.
    """

    file: str
    line: int
    key: str
    expected: str
    got: str
    jail: str | None = None
    filter: str | None = None
    warning: bool = False
    note: str = ""


class Limit(NamedTuple):
    """maxretry attempts whose age is at most findtime seconds."""

    maxretry: int
    findtime: float


@dataclass(frozen=True, slots=True)
class Rule:
    """
    What a jail counts, and what it does at the limit.

    Args:
        count: the kinds that count.
        prefix: for `by: net` the bits of an IPv4 and of an IPv6 network.
        ban: of `key` (what was counted), `hosts` (the addresses that took part) and `net` (the network of the last address).
        logins: for `by: login` which ones: `known` are those that got in once.
        exempt: for `by: login` those that are never counted, by their name without a realm.
        strict: a banned login is kept out from its own networks, too.
        delay: seconds for which a banned login is only slowed down.
    """

    name: str
    count: frozenset[str]
    by: By
    limit: Limit
    bantime: float | None
    prefix: tuple[int, int] = (24, 48)
    ban: tuple[str, ...] = ("key",)
    logins: Literal["any", "known"] = "any"
    exempt: frozenset[str] = frozenset()
    strict: bool = False
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Watch:
    """
    One service that a jail watches: the filter and where its lines are.

    Args:
        logs, journal: alternatives; choice.py takes away the one that is not read.
        own_logs: the operator says where the logs are and nothing about the journal, so that logs go first.
    """

    filter: str
    logs: tuple[str, ...] = ()
    journal: tuple[str, ...] = ()
    source: Wanted = "auto"
    timezone: str | None = None
    encoding: str = "utf-8"
    own_logs: bool = False

    @property
    def patterns(self) -> tuple[str, ...]:
        """What chunks for this watch are marked with: paths and globs, and journal matches as "journal:A=b+C=d"."""
        return *self.logs, *(f"{JOURNAL}:{'+'.join(item.split())}" for item in self.journal)


@dataclass(frozen=True, slots=True)
class AlarmSpec:
    """
    When an account looks compromised: good logins from `maxretry` networks within `findtime`.

    Args:
        ban: the login is banned, too, for `bantime`.
    """

    networks: Limit
    ban: bool = False
    bantime: float | None = 3600.0


@dataclass(frozen=True, slots=True)
class JailSpec:
    """
    Args:
        replaces: jails that are not there while this one is: they watch the same.
        naming: how logins are written.
        alarm: None is no alarm.
        ports: inclusive ranges; None is every tcp and udp port.
        ignoreip: addresses and networks in canonical text.
        set: stem of existing sets to use instead of banwatch-<jail>; None is our own.
        marks: where each key was written, by its path within the jail ("rules.ip.limit"); "" is the jail's own name.
    """

    name: str
    enabled: Enabled = "auto"
    enforce: bool = True
    watch: tuple[Watch, ...] = ()
    rules: tuple[Rule, ...] = ()
    bantime: float | None = 600.0
    ports: tuple[PortRange, ...] | None = None
    protocol: tuple[str, ...] = ("tcp",)
    interface: str | None = None
    action: Literal["drop", "reject"] = "drop"
    ignoreip: tuple[str, ...] = ()
    set: str | None = None
    replaces: tuple[str, ...] = ()
    naming: Naming = PLAIN
    alarm: AlarmSpec | None = None
    marks: Mapping[str, Mark] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Example:
    """
    A log line and what it has to give: the kind, or None when it must not match, and what to compare.

    `expect` goes by the names ip, login, count, hint, session or a capture's; None means that there must be none.
    """

    log: str
    kind: str | None
    expect: Mapping[str, str | None]
    mark: Mark


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """
    A filter as written. `header` is a list of names (syslog, none, json) or regexes, tried in order; `failregex` and `hintregex`
    go by kind. `fields` are the places of ip, login, date and session in an object; `failfields` and its like hold mappings of
    a field to the regex of its value, None where it has to be absent. `marks` knows the line of each entry by its path
    ("failregex.auth[0]").
    """

    name: str
    description: str = ""
    program: str | None = None
    header: tuple[str, ...] = ("syslog",)
    date: str | None = None
    failregex: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hintregex: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    successregex: tuple[str, ...] = ()
    ignoreregex: tuple[str, ...] = ()
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    failfields: Mapping[str, tuple[Conditions, ...]] = field(default_factory=dict)
    hintfields: Mapping[str, tuple[Conditions, ...]] = field(default_factory=dict)
    successfields: tuple[Conditions, ...] = ()
    examples: tuple[Example, ...] = ()
    marks: Mapping[str, Mark] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class LogSpec:
    to: str = "stderr"
    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True, slots=True)
class MetricsSpec:
    """Where /metrics is served; host is a loopback address, port 0 switches it off."""

    host: str = "127.0.0.1"
    port: int = 9191


@dataclass(frozen=True, slots=True)
class ControlSpec:
    """`ask` says whether others than root and the group may read."""

    socket: str = "/run/banwatch/banwatch.sock"
    group: str = "banwatch"
    ask: bool = False


@dataclass(frozen=True, slots=True)
class FirewallSpec:
    backend: Literal["auto", "ipset", "nftables", "null"] = "auto"


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """Dovecot's door: where it is asked for its policy, port 0 is nowhere; the filter that reads the log of its SMTP service."""

    host: str = "127.0.0.1"
    port: int = 0
    key: str = "/var/lib/banwatch/policy.key"
    smtp: Literal["exim4", "postfix", "dovecot"] = "exim4"


@dataclass(frozen=True, slots=True)
class EximSpec:
    """Exim's door: its socket, None is none, and the group that may connect."""

    socket: str | None = None
    group: str = "Debian-exim"


@dataclass(frozen=True, slots=True)
class FilesSpec:
    """Which files for services are written, and where; `directory` is this project's own."""

    directory: str = "/var/lib/banwatch/logins"
    pam: bool = False
    dovecot: bool = False
    exim: bool = False

    def any(self) -> bool:
        """Whether there is anything to write."""
        return self.pam or self.dovecot or self.exim


@dataclass(frozen=True, slots=True)
class DoorsSpec:
    """How services are told of banned logins. `kick` is the command that ends the sessions of one, whose name goes behind it."""

    dovecot: PolicySpec = PolicySpec()
    exim: EximSpec = EximSpec()
    files: FilesSpec = FilesSpec()
    kick: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreSpec:
    """`file` is None where nothing is to be remembered; `history` is seconds, None for ever."""

    file: str | None = "/var/lib/banwatch/banwatch.db"
    history: float | None = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class DaemonSpec:
    """banwatch.yaml: the daemon itself."""

    log: LogSpec = LogSpec()
    metrics: MetricsSpec = MetricsSpec()
    control: ControlSpec = ControlSpec()
    firewall: FirewallSpec = FirewallSpec()
    ignoreip: tuple[str, ...] = ()
    store: StoreSpec = StoreSpec()
    naming: Naming = PLAIN
    doors: DoorsSpec = DoorsSpec()


@dataclass(frozen=True, slots=True)
class Config:
    """
    Everything that was read. `jails` holds what can run, by name: those that are broken are not in it, nor are those that are
    `enabled: false`, unless load_config was told that they are wanted.
    `problems` holds every problem and warning of all files, sorted. `broken` has the jails that were left out because of a
    problem, `broken_by` which problems these are, a filter's included. `filters` are those that compile, `compiled` is what
    they became: compiling takes longer than all the reading. `unusable` says why there is nothing to run with: banwatch.yaml
    has problems, or no jail remains; None is the good case.
    """

    daemon: DaemonSpec
    jails: Mapping[str, JailSpec]
    filters: Mapping[str, FilterSpec]
    problems: tuple[Problem, ...] = ()
    broken: tuple[str, ...] = ()
    directory: Path | None = None
    broken_by: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    unusable: str | None = None
    compiled: Mapping[str, "Filter"] = field(default_factory=dict, compare=False)

    def patterns(self) -> frozenset[str]:
        """Every path, glob and journal match that some jail watches."""
        return frozenset(pattern for spec in self.jails.values() for watch in spec.watch for pattern in watch.patterns)

    def lookback(self) -> float:
        """The longest findtime."""
        return max((rule.limit.findtime for spec in self.jails.values() for rule in spec.rules), default=0.0)

    def problems_of(self, jail: str) -> tuple[Problem, ...]:
        """What is wrong with one jail, its filters included, and what it is warned about."""
        own = tuple(problem for problem in self.problems if problem.jail == jail)
        return tuple(dict.fromkeys((*self.broken_by.get(jail, ()), *own)))
