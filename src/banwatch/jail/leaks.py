"""
Failures of those who are banned: somebody gets through, and a good reason for it can be named. Pure.

Up to 5 s after a ban lines may still come of what was under way.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from banwatch.config.model import JailSpec
from banwatch.model import Ban

MOST: Final = 1000
"""Leaks that are remembered; of more, the oldest go."""


@dataclass(slots=True)
class Leak:
    """
    What came of one ban that does not keep out whom it should.

    Args:
        failures: attempts that were counted more than 5 s after the ban.
        at: the last of them.
        reason: what is likely; empty until somebody has looked.
    """

    ban: Ban
    failures: int
    at: float
    reason: str = ""


class Leaks:
    """
    The leaks of one jail, by what is banned.

    Attributes:
        total: attempts since the start, also of bans that are over.
        fresh: those that nobody has taken yet; whoever tells of them empties it.
    """

    def __init__(self) -> None:
        self.total = 0
        self.fresh: list[Leak] = []
        self._leaks: dict[str, Leak] = {}

    def note(self, ban: Ban, at: float, attempts: int) -> None:
        """Somebody whom `ban` keeps out has failed `attempts` times at `at`."""
        self.total += attempts
        leak = self._leaks.get(ban.target.who)
        if leak is not None:
            leak.failures += attempts
            leak.at = at
            return
        if len(self._leaks) >= MOST:
            del self._leaks[next(iter(self._leaks))]
        leak = self._leaks[ban.target.who] = Leak(ban, attempts, at)
        self.fresh.append(leak)

    def get(self, who: str) -> Leak | None:
        """The leak of a ban, if it has any."""
        return self._leaks.get(who)

    def all(self) -> list[Leak]:
        """Those of the bans that last, oldest first."""
        return list(self._leaks.values())

    def forget(self, who: str) -> None:
        """The ban is over."""
        self._leaks.pop(who, None)


def likely_reason(spec: JailSpec, in_force: bool, dropped: int, ports: Collection[int]) -> str:
    """
    Why somebody who is banned may get through.

    Args:
        dropped: packets that the kernel has kept out because of the ban.
        ports: our ends of the TCP connections that he has at this moment.
    """
    if not in_force:
        return "the kernel does not have the ban"
    outside = sorted(port for port in ports if not _is_covered(spec, port))
    if outside:
        return f"he is connected to port {outside[0]}, which is none of the jail's"
    if ports:
        return f"a connection of his to port {min(ports)} is still there"
    packets = f"{dropped or 'no'} packets of his were dropped" if dropped != 1 else "1 packet of his was dropped"
    return f"{packets}; he may come by another port than the jail's, by FORWARD (a container), or through a proxy"


def _is_covered(spec: JailSpec, port: int) -> bool:
    return spec.ports is None or ("tcp" in spec.protocol and any(first <= port <= last for first, last in spec.ports))
