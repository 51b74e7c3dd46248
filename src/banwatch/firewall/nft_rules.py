"""
The table `inet banwatch`: what has to stand in it, and the text for `nft -f` that makes it so. Pure.

    input ─→ from lo → return · allowed → return · one rule per jail: interface, protocols, ports → the jail's chain
    the jail's chain: one rule per set, an address or what a mask leaves of it → drop, or refuse

A set holds networks of one length, because sets of intervals refuse a host inside a network that is in them already. A
`return` ends this table's say and no more: the chains of others still decide. Each rule bears a digest of its text as a
comment, by which it is recognized, however nft prints the rule itself.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2s
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from banwatch.config.model import JailSpec
from banwatch.config.ports import join_ranges, render_ports
from banwatch.errors import FirewallError
from banwatch.firewall.nft_wire import TABLE, Chain, SetHeader
from banwatch.firewall.plan import set_name
from banwatch.firewall.rules import checked_interface, protocols_of
from banwatch.model import ALLOW

REFUSE = "refuse"
HOOKS = {"input": ("filter", 1, -10, 1)}
"""Base chains by name: type, number of the hook, priority, and the policy, which is to accept."""

BITS = {4: 32, 6: 128}
_SADDR = {4: "ip saddr", 6: "ip6 saddr"}
_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}
_OUR_SET = re.compile(r"(banwatch-.+-([46]))-([0-9]{1,3})")
_OUR_CHAIN = re.compile(rf"banwatch-.+|{REFUSE}")

Lengths = Mapping[tuple[str, int], frozenset[int]]
"""(jail, family) → the prefix lengths for which there are sets."""


class Standing(NamedTuple):
    """What the kernel has of our table; `rules` are the comments of each chain's rules. Nothing at all if there is no table."""

    sets: Mapping[str, SetHeader] = {}
    chains: Mapping[str, Chain] = {}
    rules: Mapping[str, Sequence[str]] = {}
    dormant: bool = False


class Layout(NamedTuple):
    """What has to stand: the family of each set, and each chain's rules, chains before those that lead to them."""

    sets: Mapping[str, int]
    chains: Mapping[str, tuple[str, ...]]


def member_set(jail: str, family: int, bits: int) -> str:
    """The name of the set for networks of `bits`."""
    return f"{set_name(jail, family)}-{bits}"


def has_set(jail: str, sets: Iterable[str]) -> bool:
    """Whether one of `sets` is the jail's."""
    stems = {set_name(jail, family) for family in BITS}
    return any((match := _OUR_SET.fullmatch(name)) and match[1] in stems for name in sets)


def lengths_for(jails: Sequence[JailSpec], sets: Mapping[str, SetHeader]) -> Lengths:
    """The lengths that `jails` and the allowed are sure to need, and those for which there are sets."""
    found: dict[str, set[int]] = {}
    for name in sets:
        if (match := _OUR_SET.fullmatch(name)) and 1 <= int(match[3]) <= BITS[int(match[2])]:
            found.setdefault(match[1], set()).add(int(match[3]))
    usual = {(ALLOW, 4): {32}, (ALLOW, 6): {64, 128}}
    for jail in jails:
        if jail.enforce:
            of_nets = [rule.prefix for rule in jail.rules if rule.by == "net" or "net" in rule.ban]
            usual[jail.name, 4] = {32, *(prefix for prefix, _ in of_nets)}
            usual[jail.name, 6] = {64, *(prefix for _, prefix in of_nets)}
    return {(jail, family): frozenset(bits | found.get(set_name(jail, family), set())) for (jail, family), bits in usual.items()}


def plan_layout(jails: Sequence[JailSpec], lengths: Lengths, existing: Mapping[str, SetHeader]) -> Layout:
    """
    What has to stand for `jails` and the allowed.

    Raises:
        FirewallError: a jail asks for what cannot be, or a set is there that is not as it would have to be; all at once.
    """
    sets = {member_set(*key, bits): key[1] for key, all_bits in lengths.items() for bits in all_bits}
    problems = [problem for jail in jails for problem in _problems(jail)]
    problems += [mismatch(existing[name], family) for name, family in sets.items() if name in existing]
    if problems := [problem for problem in problems if problem]:
        raise FirewallError("; ".join(problems), f"a set that is wrong goes with its table: nft delete table inet {TABLE}")
    enforcing = [jail for jail in jails if jail.enforce]
    chains: dict[str, tuple[str, ...]] = {REFUSE: _REFUSING} if any(jail.action == "reject" for jail in enforcing) else {}
    for jail in enforcing:
        verdict = "drop" if jail.action == "drop" else f"goto {REFUSE}"
        chains[_chain(jail)] = tuple(_looks(jail.name, lengths, verdict))
    entries = tuple(_entry(jail) for jail in enforcing)
    for hook in HOOKS:
        chains[hook] = ('iifname "lo" return', *_looks(ALLOW, lengths, "return"), *entries)
    return Layout(sets, chains)


def render_setup(standing: Standing, layout: Layout) -> str | None:
    """
    The text for `nft -f` that makes `layout` of what stands, in one transaction; None when all is so already. What is in the
    sets stays there, and what is in no layout of ours is not named in it.
    """
    if find_astray(standing, layout) is None and layout.sets.keys() <= standing.sets.keys():
        return None
    table = f"inet {TABLE}"
    lines = [f"add table {table}"]  # one that somebody has put to sleep wakes up by it
    lines += [
        f"add set {table} {name} {{ type {_TYPE[family]}; flags timeout; counter; }}"
        for name, family in layout.sets.items()
        if name not in standing.sets
    ]
    there = [name for name in layout.chains if name in standing.chains]
    lines += [f"flush chain {table} {name}" for name in there]
    lines += [f"delete chain {table} {name}" for name in there if standing.chains[name].hook != HOOKS.get(name)]
    lines += [f"add chain {table} {name}{_base(name)}" for name in layout.chains]
    for name, rules in layout.chains.items():
        lines += [f'add rule {table} {name} {rule} comment "{digest(rule)}"' for rule in rules]
    return "\n".join((*lines, ""))


def mismatch(header: SetHeader, family: int) -> str:
    """What is wrong with an existing set; empty if it can be used."""
    if header.family != family:
        return f"set {header.name!r} of the table inet {TABLE} is not one of IPv{family} addresses"
    if not header.timeout:
        return f"set {header.name!r} of the table inet {TABLE} was made without timeouts, so that no ban in it would end"
    return ""


def find_astray(standing: Standing, layout: Layout) -> str | None:
    """What is wrong with the rules, as Firewall.astray says it."""
    if any(_digests(layout, name) != list(standing.rules.get(name, ())) for name in layout.chains):
        return "rules"
    entered = all(_is_entered(standing, name) for name in layout.chains)
    return "order" if layout.chains and (standing.dormant or not entered) else None


def stale(standing: Standing, layout: Layout) -> tuple[list[str], list[str]]:
    """The chains, and the sets, that we have made and that are no longer in the layout."""
    chains = [name for name in standing.chains if _OUR_CHAIN.fullmatch(name) and name not in layout.chains]
    sets = [name for name in standing.sets if _OUR_SET.fullmatch(name) and name not in layout.sets]
    return chains, sets


def digest(rule: str) -> str:
    """What a rule is recognized by."""
    return blake2s(rule.encode(), digest_size=6).hexdigest()


_REFUSING = ("meta l4proto tcp reject with tcp reset", "reject with icmpx type port-unreachable")


def _chain(jail: JailSpec) -> str:
    return set_name(jail.name, 4).removesuffix("-4")


def _looks(jail: str, lengths: Lengths, verdict: str) -> Iterator[str]:
    """A rule for each set of a jail, the longest prefix first."""
    for family, longest in BITS.items():
        for bits in sorted(lengths[jail, family], reverse=True):
            mask = "" if bits == longest else f"& {_mask(family, bits)} "
            yield f"{_SADDR[family]} {mask}@{member_set(jail, family, bits)} {verdict}"


def _mask(family: int, bits: int) -> str:
    return str((IPv4Network if family == 4 else IPv6Network)((0, bits)).netmask)


def _entry(jail: JailSpec) -> str:
    interface = checked_interface(jail)
    where = "" if interface is None else f'iifname "{re.sub("[+]$", "*", interface)}" '
    ports = "" if jail.ports is None else f" th dport {{ {render_ports(join_ranges(jail.ports))} }}"
    return f"{where}meta l4proto {{ {', '.join(protocols_of(jail))} }}{ports} jump {_chain(jail)}"


def _base(name: str) -> str:
    if name not in HOOKS:
        return ""
    kind, _, priority, _ = HOOKS[name]
    return f" {{ type {kind} hook {name} priority {priority}; policy accept; }}"


def _is_entered(standing: Standing, name: str) -> bool:
    """Whether a chain is there, and packets come to it as they should."""
    return name in standing.chains and standing.chains[name].hook == HOOKS.get(name)


def _digests(layout: Layout, name: str) -> list[str]:
    return [digest(rule) for rule in layout.chains[name]]


def _problems(jail: JailSpec) -> Iterator[str]:
    if jail.name == ALLOW:
        yield f"no jail can be called {ALLOW}: it is the name of the allowed addresses"
    if jail.enforce and jail.set:
        yield f"jail {jail.name}: `set: {jail.set}` names a set of ipset, and a table of nftables looks into its own sets only"
