"""
The chain `banwatch`: what has to stand in it, what stands there, and the text for iptables-restore between the two. Pure.

    INPUT ─→ banwatch:  from lo → RETURN · allowed → RETURN · one rule per jail, protocol and 15 ports → DROP or REJECT

The allowed RETURN and are not accepted: a policy that denies stays what it is. Rules are written as `iptables -S` prints
them, so that what is right already is recognized and left alone.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from banwatch.config.model import JailSpec, PortRange
from banwatch.errors import FirewallError
from banwatch.model import ALLOW

CHAIN = "banwatch"
JUMP = f"-A INPUT -j {CHAIN}"

SLOTS = 15
"""Ports that one multiport match holds; a range counts as two."""

_EVERY_PORT = ("tcp", "udp")  # never ICMPv6: without it IPv6 itself does not work
_PROTOCOLS = frozenset({"tcp", "udp", "sctp", "dccp", "udplite"})
_PASSING = frozenset({"ACCEPT", "QUEUE", "NFQUEUE"})
_WORD = re.compile(r"[A-Za-z0-9_.:@][A-Za-z0-9_.:@-]*")
_INTERFACE = re.compile(r"[A-Za-z0-9_.:@][A-Za-z0-9_.:@-]{0,14}\+?")
_UNREACHABLE = {4: "icmp-port-unreachable", 6: "icmp6-port-unreachable"}


class Listing(NamedTuple):
    """
    What `iptables -S` says of us. `rules` is our chain, None if there is none. `jumps` are all rules of other chains that
    lead into it. `entered` is whether every packet for this host does: by one jump from INPUT, with nothing before it that
    would let some pass.
    """

    rules: tuple[str, ...] | None
    jumps: tuple[str, ...]
    entered: bool


def chain_rules(jails: Sequence[JailSpec], sets: Mapping[tuple[str, int], str], family: int) -> tuple[str, ...]:
    """
    What the chain has to be.

    Args:
        sets: (jail, family) → the set's name.
    Raises:
        FirewallError: an interface, a protocol or a set has a name that iptables would take for something else.
    """
    rules = [f"-A {CHAIN} -i lo -j RETURN", f"-A {CHAIN} {_matching(sets[ALLOW, family])} -j RETURN"]
    for jail in jails:
        if jail.enforce:
            rules += _jail_rules(jail, sets[jail.name, family], family)
    return tuple(rules)


def split_ports(ports: Sequence[PortRange]) -> Iterator[str]:
    """`ports` as multiport wants them, no more than SLOTS in each text."""
    texts: list[str] = []
    used = 0
    for low, high in ports:
        slots = 1 if low == high else 2
        if used + slots > SLOTS:
            yield ",".join(texts)
            texts, used = [], 0
        texts.append(str(low) if low == high else f"{low}:{high}")
        used += slots
    if texts:
        yield ",".join(texts)


def read_listing(text: str) -> Listing:
    """What the output of `iptables -S` says of us."""
    chains: dict[str, list[str]] = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind in ("-P", "-N", "-A"):
            rules = chains.setdefault(rest.partition(" ")[0], [])
            if kind == "-A":
                rules.append(line)
    jumps = tuple(rule for chain, rules in chains.items() if chain != CHAIN for rule in rules if _leads_to_us(rule))
    own = chains.get(CHAIN)
    entered = jumps.count(JUMP) == 1 and not _lets_past(_before(JUMP, chains["INPUT"]), chains)
    return Listing(None if own is None else tuple(own), jumps, entered)


def render_setup(listing: Listing, rules: tuple[str, ...]) -> str | None:
    """
    The text for `iptables-restore --noflush` that makes `rules` the chain and has it entered first, in one transaction;
    None when all is so already. Other chains, policies and rules are not named in it.
    """
    lines: list[str] = []
    if listing.rules != rules:
        lines.append(f":{CHAIN} - [0:0]")  # to --noflush a chain that is declared is a chain to be emptied
    if not listing.entered:
        lines += [_deletion(jump) for jump in listing.jumps if jump == JUMP]
        lines.append(f"-I INPUT 1 -j {CHAIN}")
    if listing.rules != rules:
        lines += rules
    return _table(lines)


def render_teardown(listing: Listing) -> str | None:
    """The text that leaves neither the chain nor a jump to it; None when there is nothing."""
    lines = [_deletion(jump) for jump in listing.jumps]
    if listing.rules is not None:
        lines += [f"-F {CHAIN}", f"-X {CHAIN}"]
    return _table(lines)


def _table(lines: Sequence[str]) -> str | None:
    return "\n".join(("*filter", *lines, "COMMIT", "")) if lines else None


def _deletion(rule: str) -> str:
    return "-D" + rule.removeprefix("-A")


def checked_interface(jail: JailSpec) -> str | None:
    """
    The interface of a jail, `eth+` being all whose names begin with eth; None is all of them.

    Raises:
        FirewallError: it is no name of an interface.
    """
    return None if jail.interface is None else _checked(_INTERFACE, jail.interface, f"jail {jail.name}: interface")


def protocols_of(jail: JailSpec) -> Sequence[str]:
    """
    The protocols whose ports a jail closes.

    Raises:
        FirewallError: one has no ports.
    """
    protocols = _EVERY_PORT if jail.ports is None else jail.protocol
    for protocol in protocols:
        if protocol not in _PROTOCOLS:
            raise FirewallError(f"jail {jail.name}: protocol {protocol!r} has no ports")
    return protocols


def _jail_rules(jail: JailSpec, name: str, family: int) -> Iterator[str]:
    interface = checked_interface(jail)
    where = "" if interface is None else f"-i {interface} "
    for protocol in protocols_of(jail):
        for ports in [None] if jail.ports is None else split_ports(jail.ports):
            which = "" if ports is None else f"-m multiport --dports {ports} "
            yield f"-A {CHAIN} {where}-p {protocol} {which}{_matching(name)} -j {_verdict(jail, protocol, family)}"


def _verdict(jail: JailSpec, protocol: str, family: int) -> str:
    if jail.action == "drop":
        return "DROP"
    return f"REJECT --reject-with {'tcp-reset' if protocol == 'tcp' else _UNREACHABLE[family]}"


def _matching(name: str) -> str:
    return f"-m set --match-set {_checked(_WORD, name, 'set')} src"


def _checked(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise FirewallError(f"{what} {text!r} is no name that iptables could take", "letters, digits and _ . : @ - are fine")
    return text


def _unquoted(rule: str) -> str:
    return re.sub(r'"(?:[^"\\]|\\.)*"', '""', rule)


def _target(rule: str) -> str:
    """Where a rule leads to; empty if nowhere. A comment in quotes may say anything."""
    for option, value in pairwise(_unquoted(rule).split()):
        if option in ("-j", "-g"):
            return value
    return ""


def _leads_to_us(rule: str) -> bool:
    return CHAIN in rule and _target(rule) == CHAIN  # of ten thousand rules hardly one names us


def _before(rule: str, rules: Sequence[str]) -> Sequence[str]:
    return rules[: rules.index(rule)]


def _lets_past(rules: Sequence[str], chains: Mapping[str, Sequence[str]]) -> bool:
    """Whether some packet from elsewhere could leave INPUT within `rules` without being dropped there for sure."""
    leaving = (rule for rule in rules if " -i lo " not in rule and (_target(rule) == "RETURN" or " -g " in _unquoted(rule)))
    return any(leaving) or _lets_pass(rules, chains, {CHAIN})


def _lets_pass(rules: Sequence[str], chains: Mapping[str, Sequence[str]], seen: set[str]) -> bool:
    """Whether some packet from elsewhere could end its way in `rules` by being let in."""
    for rule in rules:
        target = _target(rule)
        if " -i lo " in rule or target in seen:
            continue
        if target in _PASSING:
            return True
        if target in chains:
            seen.add(target)
            if _lets_pass(chains[target], chains, seen):
                return True
    return False
