"""
At the limit: whom to ban, until when, and why. Pure.
"""

from collections.abc import Iterator
from typing import NamedTuple

from banwatch.config.model import JailSpec, Rule
from banwatch.jail.ignoreip import Guard
from banwatch.model import Ban, By, Target


class Reached(NamedTuple):
    """
    A window that reached its limit.

    Args:
        failures: attempts within findtime.
        hosts: the units that took part, each once, in the order in which they came.
        ip: the address of the attempt that reached the limit.
    """

    rule: Rule
    key: str
    failures: int
    hosts: tuple[str, ...]
    ip: str | None


class Decision(NamedTuple):
    """Whom to ban, and how many targets were spared because the guard holds its hand over them."""

    bans: tuple[Ban, ...]
    spared: int


def decide(reached: Reached, jail: JailSpec, guard: Guard, at: float, now: float) -> Decision:
    """
    The bans for `reached` by an attempt at `at`.

    A ban ends at `at` plus the rule's bantime. It is only recorded (`enforce` False) when that is past at `now`, or when the
    jail only looks on.
    """
    rule = reached.rule
    until = None if rule.bantime is None else at + rule.bantime
    enforce = jail.enforce and (until is None or until > now)
    why = f"{reached.failures} attempts in {rule.limit.findtime:.15g} s"
    counted = Target("login" if rule.by == "login" else "net", reached.key)
    bans: dict[Target, Ban] = {}
    spared: set[Target] = set()
    for target, by in _targets(reached, counted, guard):
        if guard.ignored(target) is not None:
            spared.add(target)
        elif target not in bans:
            bans[target] = Ban(
                jail=jail.name,
                target=target,
                by=by,
                at=at,
                until=until,
                rule=rule.name,
                failures=reached.failures,
                enforce=enforce,
                why=why if target == counted else f"{why} {_about(rule.by, reached.key)}",
            )
    return Decision(tuple(bans.values()), len(spared))


def _targets(reached: Reached, counted: Target, guard: Guard) -> Iterator[tuple[Target, By]]:
    rule = reached.rule
    if "key" in rule.ban:
        yield counted, rule.by
    if "hosts" in rule.ban:
        for host in reached.hosts:
            yield Target("net", host), "ip"
    if "net" in rule.ban and reached.ip is not None and (net := guard.net(reached.ip, rule.prefix)) is not None:
        yield Target("net", net), "net"


def _about(by: By, key: str) -> str:
    return f"on login {key!r}" if by == "login" else f"from {key}"
