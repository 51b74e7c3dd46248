"""
Who was allowed by command: one table that the guards of all jails share, and that changes while they live. Pure.

What is allowed stands in the kernel before every ban, so that an allowed address gets through a ban on its network. What is
ignored by configuration does not: for its sake no network around it may be banned.
"""

from collections import Counter

from banwatch.address import pack
from banwatch.jail.prefixes import Prefixes, first_bytes
from banwatch.model import Target

REASON = "allowed"


class Allowed:
    """
    Allowed addresses, networks and logins.

    Attributes:
        heads: the first bytes, as text, of all IPv4 addresses that are allowed: others need no closer look.
    """

    def __init__(self) -> None:
        self.heads: Counter[str] = Counter()
        self._prefixes = {bits: Prefixes((), bits) for bits in (32, 128)}
        self._logins: set[str] = set()

    def add(self, target: Target) -> None:
        """Allow `target`; once more is fine."""
        if target.realm == "login":
            self._logins.add(target.who)
        elif self._of(target.who).add(target.who, f"{REASON} {target.who}"):
            self.heads.update(_heads(target.who))

    def discard(self, target: Target) -> None:
        """Allow `target` no more; one that was not allowed is fine."""
        if target.realm == "login":
            self._logins.discard(target.who)
        elif self._of(target.who).remove(target.who):
            self.heads -= Counter(_heads(target.who))

    def covers(self, target: Target) -> bool:
        """Whether all of `target` is allowed."""
        if target.realm == "login":
            return target.who in self._logins
        address, length = pack(target.who)
        return self._prefixes[len(address) * 8].covering(int.from_bytes(address), length) is not None

    def within(self, who: str) -> str | None:
        """Something allowed inside the network `who`, "allowed 192.0.2.7"; None if nothing is."""
        address, length = pack(who)
        return self._prefixes[len(address) * 8].within(int.from_bytes(address), length)

    def _of(self, who: str) -> Prefixes:
        return self._prefixes[128 if ":" in who else 32]


def _heads(who: str) -> list[str]:
    address, length = pack(who)
    return [str(byte) for byte in first_bytes(int.from_bytes(address) >> (32 - length), length)] if len(address) == 4 else []
