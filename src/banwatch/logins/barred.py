"""
Failures that our own files have caused. Pure.

Where a service reads a file, nobody asks us, and its log says of a refusal what it says of a wrong password. So a failed login
of somebody whom a file refused from there, at that time, is no failure; also when the line is read after the ban has ended.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from banwatch.config.model import FilesSpec
from banwatch.logins.listing import Refused, accounts_refused, names_without_home

PAM_FILTERS: Final = frozenset({"sshd", "dropbear", "pam-generic", "proftpd", "pure-ftpd", "vsftpd"})
EXIM_FILTERS: Final = frozenset({"exim4"})
"""Dovecot says of somebody whom its file refuses that the user is disabled, which is no failure to begin with."""

FORGET: Final = 600.0
"""Seconds after its end that a refusal is remembered, for lines that are read late."""

SLACK: Final = 1.0
"""Seconds: some logs count in whole ones, and a service may have read a file a moment before it changed."""


class _Term(NamedTuple):
    """A time within which a name was refused, but not from `homes`; None as the end is now."""

    begins: float
    ends: float | None
    homes: tuple[str, ...]

    def covers(self, ip: str | None, at: float) -> bool:
        if not self.begins - SLACK <= at <= (at if self.ends is None else self.ends + SLACK):
            return False
        return ip is None or not any(_is_in(ip, home) for home in self.homes)


class _Terms:
    """When which names were refused."""

    def __init__(self) -> None:
        self._terms: dict[str, list[_Term]] = {}

    def follow(self, refused: Mapping[str, tuple[str, ...]], now: float) -> None:
        """At `now` these names are refused, each but from its networks."""
        for name in {*self._terms, *refused}:
            terms = [term for term in self._terms.pop(name, ()) if term.ends is None or term.ends >= now - FORGET]
            if terms and terms[-1].ends is None and terms[-1].homes != refused.get(name):
                terms[-1] = terms[-1]._replace(ends=now)
            if name in refused and not (terms and terms[-1].ends is None):
                terms.append(_Term(now, None, refused[name]))
            if terms:
                self._terms[name] = terms

    def covers(self, name: str, ip: str | None, at: float) -> bool:
        """Whether `name` was refused from `ip` at `at`."""
        terms = self._terms.get(name)
        return terms is not None and any(term.covers(ip, at) for term in terms)


class Barred:
    """
    Args:
        clock: for lines without a date.
    """

    def __init__(self, spec: FilesSpec, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._accounts, self._names = _Terms(), _Terms()
        self._terms: dict[str, _Terms] = {}
        for filters, asked, terms in ((PAM_FILTERS, spec.pam, self._accounts), (EXIM_FILTERS, spec.exim, self._names)):
            self._terms |= dict.fromkeys(filters, terms) if asked else {}

    @property
    def filters(self) -> Iterable[str]:
        """Those that read the logs of services with a file."""
        return self._terms.keys()

    def written(self, refused: Sequence[Refused], now: float) -> None:
        """The files say at `now` who of `refused` is refused."""
        self._accounts.follow(accounts_refused(refused, now), now)
        self._names.follow(dict.fromkeys(names_without_home(refused, now), ()), now)

    def left(self, filter_name: str, kind: str, at: float | None, ip: str | None, login: str | None, attempts: int) -> int:
        """`attempts`, or 0 if a file is what has failed them."""
        if kind != "auth" or login is None:
            return attempts
        return 0 if self._terms[filter_name].covers(login.lower(), ip, self._clock() if at is None else at) else attempts


def _is_in(ip: str, network: str) -> bool:
    return ip_address(ip) in ip_network(network)
