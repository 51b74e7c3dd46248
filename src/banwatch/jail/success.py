"""
What a good login takes out of the windows.

Login L from address A shows that A's failures on L were somebody's slips. It shows nothing about A's failures on other
logins, and nothing about what strangers tried on L: neither an attacker with one valid account nor a phone that polls its
mailbox can wipe an attack. Pure.
"""

from banwatch.jail.window import GRAIN, Window


def forgive_address(window: Window, unit: str, login: str, at: float, logins_only: bool) -> None:
    """
    Take from the window of `unit` its failures on `login`; all of them if it failed on no other login within findtime of `at`.

    Failures without a login belong to no other login. With `logins_only` (a rule that counts no failed logins: rejected
    recipients, scans) only the failures on `login` go: whoever can log in may still do all that.
    """
    if unit not in window:  # most who log in did not fail before
        return
    others = {other for seen, other in window.attempts(unit) if seen >= at - window.findtime - GRAIN}
    if not logins_only and others <= {login, None}:
        window.discard(unit)
    else:
        window.take(unit, lambda _at, other: other == login)


def forgive_network(window: Window, net: str, unit: str, login: str, at: float, logins_only: bool) -> None:
    """The same for the window of `net`, which holds the failures of many: only those of `unit` are looked at."""
    if net not in window:
        return
    since = at - window.findtime - GRAIN
    others = {other[1] for seen, other in window.attempts(net) if seen >= since and other[0] == unit}
    whole = not logins_only and others <= {login, None}
    window.take(net, lambda _at, other: other[0] == unit and (whole or other[1] == login))


def forgive_login(window: Window, login: str, unit: str) -> None:
    """Take from the window of `login` the failures from the own network of `unit`."""
    if login not in window:
        return
    own = own_network(unit)
    window.take(login, lambda _at, other: other is not None and own_network(other) == own)


def own_network(unit: str) -> str:
    """What people at `unit` share with their neighbours at home: an IPv4 /24; in IPv6 the unit, a /64 as a rule."""
    return unit if ":" in unit else unit[: unit.rindex(".")]
