"""
At the limit: whom to ban, until when, and why. Pure.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from banwatch.config.model import JailSpec, Rule
from banwatch.jail.ignoreip import Guard
from banwatch.jail.known import Known
from banwatch.model import Ban, By, Target

KEY: Final = ("key",)


class Reached(NamedTuple):
    """
    A window that reached its limit.

    Args:
        failures: attempts within findtime.
        hosts: the units that took part, each once, in the order in which they came; empty when the rule does not ban hosts.
        ip: the address of the attempt that reached the limit.
    """

    rule: Rule
    key: str
    failures: int
    hosts: tuple[str, ...]
    ip: str | None


def decide(
    reached: Reached, jail: JailSpec, guard: Guard, known: Known, at: float, now: float, read_at: float | None = None
) -> tuple[list[Ban], int]:
    """
    The bans for `reached` by an attempt at `at`, each target once, the key first, and how many were spared: by the guard, or
    because of who is known to have got in.

    A ban ends at `at` plus the rule's bantime. It is only recorded (`enforce` False) when that is past at `now`, or when the
    jail only looks on.
    """
    rule = reached.rule
    until = None if rule.bantime is None else at + rule.bantime
    enforce = jail.enforce and (until is None or until > now)
    counted = Target("login" if rule.by == "login" else "net", reached.key)
    why = _why(reached.failures, rule.limit.findtime)
    if rule.ban == KEY:
        if guard.ignored(counted) is not None or spare(counted, rule.by, reached, known, at) is not None:
            return [], 1
        return [Ban(jail.name, counted, rule.by, at, until, rule.name, "rule", reached.failures, enforce, why, read_at)], 0
    bans: list[Ban] = []
    spared = 0
    for target, by in _targets(reached, counted, guard).items():
        if guard.ignored(target) is not None or spare(target, by, reached, known, at) is not None:
            spared += 1
            continue
        about = "" if target == counted else _about(rule.by, reached.key)
        bans.append(
            Ban(jail.name, target, by, at, until, rule.name, "rule", reached.failures, enforce, why + about, read_at),
        )
    return bans, spared


def spare(target: Target, by: By, reached: Reached, known: Known, at: float) -> str | None:
    """Why `target` is not banned although `reached` would have it, None if it is."""
    rule = reached.rule
    if target.realm == "login" or not len(known):
        return None
    if "auth" in rule.count:
        if by == "ip" and known.is_shared(target.who, at):
            return "many logins succeed from there"
        if by == "net" and (host := known.shared_within(target.who, at)) is not None:
            return f"holds {host}, from where many logins succeed"
    if rule.by != "ip" and by == "ip":  # one of those who took part
        if known.was_in(target.who, at):
            return "got in within a day"
        if rule.by == "login" and known.is_home(reached.key, target.who, at):
            return f"known to login {reached.key!r}"
    return None


@lru_cache(maxsize=256)
def _why(failures: int, findtime: float) -> str:
    """One text for all bans alike: there may be a hundred thousand."""
    return f"{failures} attempt{'s' * (failures != 1)} in {findtime:.15g} s"


def _targets(reached: Reached, counted: Target, guard: Guard) -> dict[Target, By]:
    rule = reached.rule
    targets: dict[Target, By] = {}
    if "key" in rule.ban:
        targets[counted] = rule.by
    if "hosts" in rule.ban:
        for host in reached.hosts:
            targets.setdefault(Target("net", host), "ip")
    if "net" in rule.ban and reached.ip is not None and (net := guard.net(reached.ip, rule.prefix)) is not None:
        targets.setdefault(Target("net", net), "net")
    return targets


def _about(by: By, key: str) -> str:
    return f" on login {key!r}" if by == "login" else f" from {key}"
