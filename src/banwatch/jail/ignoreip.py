"""
Who is never banned, and by which unit everybody else is counted.

A Guard never changes but for who is allowed by command, which all guards share: when the configuration or this host's
addresses change, the engine makes a new one and hands it to the jails. Pure.
"""

from collections.abc import Iterable, MutableMapping
from itertools import chain

from banwatch.address import network_of, pack, unit_of
from banwatch.jail.allowed import REASON, Allowed
from banwatch.jail.prefixes import Prefixes
from banwatch.model import Target

CACHED = 8192
"""Addresses whose unit is remembered; when it is full, all are forgotten, which costs a moment and bounds the memory."""

# Banning these would cut this host off from itself or from its router, whatever the configuration says.
# The last two nobody has: they are the mark in each set, which bans must not touch.
_ALWAYS = (
    ("127.0.0.0/8", "own address"),
    ("::1", "own address"),
    ("fe80::/10", "link-local address"),
    ("255.255.255.255", "nobody's address"),
    ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "nobody's address"),
)


class Guard:
    """
    What keeps people from being locked out by surprise.

    Args:
        ignore: addresses and networks in canonical text, and logins as "login:NAME".
        own: the addresses of this host.
        onlink: IPv6 prefixes of the links this host is on: every host there is somebody of its own.
        allowed: who was allowed by command. When it changes, `counted` has to be cleared.
    Raises:
        OSError: some text is no address.
    """

    def __init__(
        self, ignore: Iterable[str], own: Iterable[str] = (), onlink: Iterable[str] = (), allowed: Allowed | None = None
    ) -> None:
        ignored = tuple(ignore)
        self._logins = frozenset(text.removeprefix("login:") for text in ignored if text.startswith("login:"))
        entries = tuple(
            chain(
                _ALWAYS,
                ((text, "own address") for text in own),
                ((text, f"in ignoreip {text}") for text in ignored if not text.startswith("login:")),
            )
        )
        self._spared = {bits: Prefixes(entries, bits) for bits in (32, 128)}
        self._onlink = Prefixes(((text, "on-link") for text in onlink), 128)
        self._allowed = allowed or Allowed()
        # Most IPv4 addresses share their first byte with no entry at all; then nothing has to be parsed.
        self._heads = frozenset(str(byte) for byte in self._spared[32].first_bytes())
        self.counted: MutableMapping[str, str | None] = _Counted(self)
        """Address → its unit, None if it is never counted. An address is looked up at every attempt, hence no method."""

    def ignored(self, target: Target) -> str | None:
        """
        Why `target` must not be banned ("in ignoreip 192.0.2.0/24", "own address", "allowed"), None if it may.

        A network that holds somebody who must not be banned must not be banned either ("holds own address …").
        """
        if (reason := self.exempt(target)) is not None:
            return reason
        held = self._allowed.within(target.who) if target.realm == "net" and "/" in target.who else None
        return None if held is None else f"holds {held}"

    def exempt(self, target: Target) -> str | None:
        """
        Why a ban on `target` that is there must go, None if it may stay.

        One on a network around an allowed address may: in the kernel the allowance comes first.
        """
        if target.realm == "net" and self._is_free4(target.who):
            return None
        if self._allowed.covers(target):
            return REASON
        if target.realm == "login":
            return f"in ignoreip {target}" if target.who in self._logins else None
        address, length = pack(target.who)
        bits = len(address) * 8
        value = int.from_bytes(address)
        spared = self._spared[bits]
        if (reason := spared.covering(value, length)) is not None:
            return reason
        held = spared.within(value, length)
        return None if held is None else f"holds {held.removeprefix('in ')}"

    def unit(self, ip: str) -> str | None:
        """
        What an attacker at `ip` (canonical) is counted and banned by; None if never.

        IPv4 by address. IPv6 as in address.unit_of, but by /128 on on-link prefixes, and where the wider unit holds an
        ignored or own address: the neighbours of such an address can be banned one by one, not all at once.
        """
        if ":" not in ip:
            return ip
        unit = unit_of(ip)
        if unit is None or unit == ip:
            return unit
        value = int.from_bytes(pack(ip)[0])
        if self._onlink.covering(value, 128) is not None or self._allowed.within(unit) is not None:
            return ip
        address, length = pack(unit)
        return ip if self._spared[128].within(int.from_bytes(address), length) is not None else unit

    def net(self, ip: str, prefix: tuple[int, int]) -> str | None:
        """
        The network of `ip` (canonical) as a rule `by: net` with `prefix` counts it; None if never.

        Where the neighbours of an address are strangers to it (on-link, unique local, NAT64, Teredo, 6to4, beside an
        ignored address) it is no wider than the unit.
        """
        if ":" not in ip:
            return f"{ip[: ip.rindex('.')]}.0/24" if prefix[0] == 24 else network_of(ip, *prefix)
        unit = self.unit(ip)
        return network_of(ip, *prefix) if unit is not None and unit.endswith("/64") else unit

    def count_as(self, ip: str) -> str | None:
        """What `counted` holds for `ip`: its unit, or None if the address is ignored or never counted."""
        if self._is_free4(ip):
            return ip
        address, length = pack(ip)
        if self._spared[len(address) * 8].covering(int.from_bytes(address), length) or self._allowed.covers(Target("net", ip)):
            return None
        return self.unit(ip)

    def _is_free4(self, who: str) -> bool:
        """True for an IPv4 address (no network) that no entry can hold, as its first byte shows."""
        if ":" in who or "/" in who:
            return False
        head = who.partition(".")[0]
        return head not in self._heads and head not in self._allowed.heads


class _Counted(dict[str, str | None]):
    """Guard.count_as, remembered for the last few thousand addresses."""

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    def __missing__(self, ip: str) -> str | None:
        if len(self) >= CACHED:
            self.clear()
        unit = self[ip] = self._guard.count_as(ip)
        return unit
