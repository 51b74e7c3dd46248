"""
What a good login takes out of the windows.

Login L from address A shows that A's failures on L were somebody's slips. It shows nothing about A's failures on other
logins, and nothing about what strangers tried on L: neither an attacker with one valid account nor a phone that polls its
mailbox can wipe an attack. Nor does it show anything about what comes after it: a line that is read late forgives what was
before it. Pure.
"""

from typing import Final

from banwatch.jail.window import GRAIN, Window

SLACK: Final = 1.0
"""Seconds: some logs count in whole ones, so that a good login may seem to come before the failure that it follows."""


def forgive_address(window: Window, unit: str, login: str, at: float, logins_only: bool) -> None:
    """
    Take from the window of `unit` its failures on `login`; all of them if it failed on no other login within findtime of `at`.

    Failures without a login belong to no other login. With `logins_only` (a rule that counts no failed logins: rejected
    recipients, scans) only the failures on `login` go: whoever can log in may still do all that.
    """
    if unit not in window:  # most who log in did not fail before
        return
    since, until = at - window.findtime - GRAIN, at + SLACK
    others = {other for seen, other in window.attempts(unit) if since <= seen <= until}
    whole = not logins_only and others <= {login, None}
    window.take(unit, lambda seen, other: seen <= until and (whole or other == login))


def forgive_network(window: Window, net: str, unit: str, login: str, at: float, logins_only: bool) -> None:
    """The same for the window of `net`, which holds the failures of many: only those of `unit` are looked at."""
    if net not in window:
        return
    since, until = at - window.findtime - GRAIN, at + SLACK
    others = {other[1] for seen, other in window.attempts(net) if since <= seen <= until and other[0] == unit}
    whole = not logins_only and others <= {login, None}
    window.take(net, lambda seen, other: seen <= until and other[0] == unit and (whole or other[1] == login))


def forgive_login(window: Window, login: str, unit: str, at: float) -> None:
    """Take from the window of `login` the failures from the own network of `unit`."""
    if login not in window:
        return
    own, until = own_network(unit), at + SLACK
    window.take(login, lambda seen, other: seen <= until and other is not None and own_network(other) == own)


def own_network(unit: str) -> str:
    """What people at `unit` share with their neighbours at home: an IPv4 /24; in IPv6 the unit, a /64 as a rule."""
    return unit if ":" in unit else unit[: unit.rindex(".")]
