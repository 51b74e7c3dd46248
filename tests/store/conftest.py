"""Bans and batches for the store's tests."""

from banwatch.model import Ban, Target
from banwatch.store.values import Batch, Delta

NOW = 1_700_000_000.25


def ban(who="192.0.2.7", until=NOW + 600, jail="sshd", realm="net", **changes):
    """A ban as a rule makes it."""
    by = "login" if realm == "login" else "ip"
    fields = {"rule": "ip", "failures": 3, "why": "3 attempts in 600 s", **changes}
    return Ban(jail, Target(realm, who), by, NOW, until, **fields)


def delta(*records, jail="sshd", rule="ip", counts="auth by ip"):
    return Delta(jail, rule, counts, records)


def batch(**fields):
    return Batch(**{"at": NOW, **fields})


def unread(clues):
    raise AssertionError(clues)
