"""
Addresses as canonical text, and the units in which attackers are counted.

Text and not objects: a str keeps its hash, so that it is the fastest dictionary key there is, and it is what the store, the
log and the client show. A single address is written without /32 or /128. Pure.
"""

import re
import socket
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from banwatch.model import By, Target

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED = ip_network("::ffff:0:0/96")
_MAPPED_BYTES = bytes(10) + b"\xff\xff"
_SIX_TO_FOUR = b"\x20\x02"
_REMEMBERED = 8192
_LONGEST = 64
_ZONE = re.compile(r"(?<=[0-9a-fA-F:])%[^/]*")
_SHARED = (bytes.fromhex("0064ff9b0000000000000000"), bytes.fromhex("20010000"))
"""The beginnings of NAT64 (64:ff9b::/96) and Teredo (2001::/32) addresses, behind each of which many hosts are."""

# RFC 5952 leaves a single zero group as it is; musl does not. Dotted quads (::192.0.2.7) are another matter of taste.
_NTOP_IS_CANONICAL = socket.inet_ntop(socket.AF_INET6, bytes([0, 1, 0, 0] + [0, 1] * 6)) == "1:0:1:1:1:1:1:1"


def canonical_ip(text: str) -> str | None:
    """
    The address in `text` in canonical form, or None if there is none.

    Surrounding brackets and an IPv6 zone (%eth0) are dropped, and ::ffff:a.b.c.d becomes a.b.c.d. Octets with leading
    zeros and other look-alikes (192.030.0.6, 999.1.1.1) are no addresses: two programs would read them as two hosts.
    """
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    text = text.partition("%")[0]
    try:
        if ":" not in text:
            socket.inet_pton(socket.AF_INET, text)
            return text  # it takes four numbers without leading zeros, and nothing else
        return unpack(socket.inet_pton(socket.AF_INET6, text), 128)
    except (OSError, ValueError):
        return None


class _Canonical(dict[str, str | None]):
    """canonical_ip, remembered for the last few thousand texts; when it is full all are forgotten, which costs a moment."""

    def __missing__(self, text: str) -> str | None:
        ip = canonical_ip(text)
        if len(text) <= _LONGEST:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[text] = ip
        return ip


CANONICAL: Mapping[str, str | None] = _Canonical()


def render_network(network: Network) -> str:
    """Canonical text of a network: without the prefix length when it is one address."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def parse_network(text: str) -> Network:
    """
    The network that `text` names; a bare address is a network of one.

    IPv4 inside ::ffff:0:0/96 is IPv4, and an IPv6 zone (fe80::1%eth0) is dropped, as in canonical_ip.

    Raises:
        ValueError: it is no address or network, or it has host bits set; the message says which.
    """
    bare = text.strip()
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    network = ip_network(_ZONE.sub("", bare))
    if network.version == 6 and network.prefixlen >= 96 and network.subnet_of(_MAPPED):  # type: ignore[arg-type]
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


def parse_who(text: str) -> Target:
    """
    The target that an operator named: an address, a network, or `login:NAME`.

    Raises:
        ValueError: none of these, with what was expected.
    """
    if text.startswith("login:"):
        name = text.removeprefix("login:")
        if not name:
            raise ValueError("expected a name after login:")
        return Target("login", name)
    try:
        return Target("net", render_network(parse_network(text)))
    except ValueError as error:
        raise ValueError(f"expected an address, a network or login:NAME, got {text!r} ({error})") from None


@lru_cache(maxsize=8192)
def network_of(ip: str, prefix4: int, prefix6: int) -> str:
    """Canonical text of the network of `ip` (canonical) with `prefix4` or `prefix6` bits."""
    network = ip_network((ip, prefix6 if ":" in ip else prefix4), strict=False)
    return render_network(network)


@lru_cache(maxsize=8192)
def unit_of(ip: str) -> str | None:
    """
    What an attacker at `ip` (canonical) is counted and banned by, as far as the address alone tells.

    An IPv4 address by itself; IPv6 by /64, because that is what one customer gets, but by /128 where many customers share
    a /64 (unique local, NAT64, Teredo), by /48 within 6to4, and not at all (None) for link-local: such a host is on this
    very wire. On-link prefixes, which need to know this host, are the business of jail/ignoreip.py.
    """
    if ":" not in ip:
        return ip
    address = socket.inet_pton(socket.AF_INET6, ip)
    if address[0] == 0xFE and address[1] & 0xC0 == 0x80:
        return None
    if address.startswith(_SIX_TO_FOUR):
        return unpack(address[:6] + bytes(10), 48)
    if address[0] & 0xFE == 0xFC or address.startswith(_SHARED):
        return ip
    return unpack(address[:8] + bytes(8), 64)


def by_of(target: Target) -> By:
    """What somebody who banned `target` by hand had in mind: a login, one attacker, or a network wider than that."""
    if target.realm == "login":
        return "login"
    prefixlen = pack(target.who)[1]
    return "ip" if prefixlen >= (64 if ":" in target.who else 32) else "net"


def family_of(who: str) -> int:
    """4 or 6, for canonical text of an address or network."""
    return 6 if ":" in who else 4


def pack(who: str) -> tuple[bytes, int]:
    """
    The 4 or 16 bytes of an address or network in canonical text, and its prefix length.

    Raises:
        OSError: not canonical text of an address.
    """
    address, _, prefix = who.partition("/")
    if ":" in address:
        return socket.inet_pton(socket.AF_INET6, address), int(prefix or 128)
    return socket.inet_pton(socket.AF_INET, address), int(prefix or 32)


def unpack(address: bytes, prefixlen: int) -> str:
    """The inverse of `pack`: canonical text of 4 or 16 bytes and a prefix length; IPv4-mapped addresses as IPv4."""
    if len(address) == 16 and prefixlen >= 96 and address.startswith(_MAPPED_BYTES):
        address, prefixlen = address[12:], prefixlen - 96
    if len(address) == 4:
        text, longest = socket.inet_ntop(socket.AF_INET, address), 32
    else:
        text, longest = socket.inet_ntop(socket.AF_INET6, address), 128
        if "." in text or not _NTOP_IS_CANONICAL:
            text = str(IPv6Address(address))  # three times as slow
    return text if prefixlen == longest else f"{text}/{prefixlen}"
