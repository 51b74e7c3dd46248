"""Matches, rules and jails from few words."""

import pytest

from banwatch.config.model import JailSpec, Limit, Rule
from banwatch.jail.ignoreip import Guard
from banwatch.jail.jail import Jail
from banwatch.model import Match


@pytest.fixture(scope="session")
def match():
    """match(ip, login, kind, attempts): a line that tells of them."""

    def make(ip="203.0.113.7", login="root", kind="auth", attempts=1):
        return Match(0, "sshd", kind, None, ip, login, attempts, 0, False, None, "", 0, {})

    return make


@pytest.fixture(scope="session")
def rule():
    """rule(by, maxretry, findtime, …): a rule of the name of its `by` unless it says otherwise."""

    def make(
        by="ip",
        maxretry=3,
        findtime=600.0,
        *,
        name=None,
        count=("auth",),
        bantime=1800.0,
        prefix=(24, 48),
        ban=("key",),
        exempt=(),
        **about_logins,
    ):
        limit = Limit(maxretry, findtime)
        return Rule(name or by, frozenset(count), by, limit, bantime, prefix, ban, exempt=frozenset(exempt), **about_logins)

    return make


@pytest.fixture(scope="session")
def jail():
    """jail(rule…, guard, budget, older, …): a jail called sshd with these rules; the rest goes to its JailSpec."""

    def make(*rules, guard=None, budget=100_000, older=None, **spec):
        return Jail(JailSpec("sshd", rules=rules, **spec), guard or Guard(()), budget, older)

    return make
