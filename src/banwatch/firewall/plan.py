"""
Which sets a configuration needs, given those that the kernel has. Pure.

A jail that enforces has one set per family, and the allowed have one. `set: X` in a jail means sets that somebody else has
made: X itself where it is of the family, else X-4 or X-6; a family for which there is neither gets a set of our own.
"""

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2s
from typing import NamedTuple

from banwatch.config.model import JailSpec
from banwatch.errors import FirewallError
from banwatch.firewall.wire import TYPE, Header
from banwatch.model import ALLOW

LONGEST_NAME = 31
"""Bytes in the name of a set; the kernel keeps 32 with a NUL."""

_PLAIN = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")
_OURS = re.compile(r"banwatch-.+-[46]")


class Plan(NamedTuple):
    """
    `sets`: (jail, family) → name. `create`: those that are missing, (name, family) each. `stale`: those of ours that nobody
    uses any more.
    """

    sets: Mapping[tuple[str, int], str]
    create: tuple[tuple[str, int], ...]
    stale: tuple[str, ...]


def set_name(jail: str, family: int) -> str:
    """The name of our set: banwatch-<jail>-4; what is too long, or no plain word, is shortened and gets a hash instead."""
    name = f"banwatch-{jail}-{family}"
    if len(name) <= LONGEST_NAME and _PLAIN.fullmatch(jail):
        return name
    head = re.sub(r"[^A-Za-z0-9_.-]", "_", jail)[: LONGEST_NAME - len("banwatch--12345678-4")]
    return f"banwatch-{head}-{blake2s(jail.encode(errors='surrogatepass'), digest_size=4).hexdigest()}-{family}"


def ours(headers: Mapping[str, Header]) -> list[str]:
    """Those of the kernel's sets that bear a name of ours, and are what we make."""
    return [name for name, header in headers.items() if _OURS.fullmatch(name) and header.type == TYPE]


def plan_sets(jails: Sequence[JailSpec], families: Sequence[int], existing: Mapping[str, Header]) -> Plan:
    """
    The sets for `jails` and for the allowed, in `families`.

    Raises:
        FirewallError: a set that has to be used is not as it would have to be, or is not there; all such at once.
    """
    sets: dict[tuple[str, int], str] = {}
    problems: list[str] = []
    for family in families:
        sets[ALLOW, family] = set_name(ALLOW, family)
        for jail in jails:
            if jail.enforce:
                sets[jail.name, family] = _foreign(jail.set, family, existing) or set_name(jail.name, family)
    for jail in jails:
        if jail.name == ALLOW:
            problems.append(f"no jail can be called {ALLOW}: it is the name of the allowed addresses")
        if jail.enforce and jail.set and not any(_foreign(jail.set, family, existing) for family in families):
            problems.append(f"jail {jail.name}: there is no set {jail.set!r} (ipset create {jail.set} {TYPE} timeout 0 counters)")
    wanted = {name: family for (_, family), name in sets.items()}
    problems += [mismatch(existing[name], family) for name, family in wanted.items() if name in existing]
    if problems := [problem for problem in problems if problem]:
        raise FirewallError("; ".join(problems), "destroy such a set (ipset destroy NAME), or name another by `set:`")
    return Plan(
        sets=sets,
        create=tuple((name, family) for name, family in wanted.items() if name not in existing),
        stale=tuple(name for name in ours(existing) if name not in wanted),
    )


def _foreign(stem: str | None, family: int, existing: Mapping[str, Header]) -> str | None:
    """The existing set that `set:` means for a family; a set of no family is reported as the mismatch that it is."""
    if stem is None:
        return None
    header = existing.get(stem)
    if header is not None and header.family in (family, 0):
        return stem
    return f"{stem}-{family}" if f"{stem}-{family}" in existing else None


def mismatch(header: Header, family: int) -> str:
    """What is wrong with an existing set; empty if it can be used."""
    if header.type != TYPE:
        return f"set {header.name!r} is of type {header.type}, not {TYPE}"
    if header.family != family:
        return f"set {header.name!r} is for IPv{header.family}, not IPv{family}"
    if not header.timeout:
        return f"set {header.name!r} was made without `timeout`, so that no ban in it would end"
    return ""
