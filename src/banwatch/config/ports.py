"""Ports as people write them, `ssh`, `587`, `1000-2000`, `all`, as ranges of numbers."""

import re
import socket
from collections.abc import Iterable

from banwatch.config.model import PortRange
from banwatch.config.problem import UnfitError

ALL = "all"
HIGHEST = 65535
PORT = 'a port like "22", "1000-2000" or "ssh"'

_NUMBERS = re.compile(r"(\d{1,9})(?:[-:](\d{1,9}))?", re.ASCII)
_NAME = re.compile(r"(?!-)(?=.*[A-Za-z])[A-Za-z0-9+._-]+")


def parse_port(text: str) -> PortRange:
    """
    The inclusive range that a number, a range or a service's name stands for.

    Raises:
        UnfitError: it is none of these, it is out of 1…65535, or /etc/services does not know the name.
    """
    if numbers := _NUMBERS.fullmatch(text):
        first = int(numbers[1])
        last = int(numbers[2] or first)
        if not 1 <= first <= last <= HIGHEST:
            raise UnfitError(f"{PORT} within 1-{HIGHEST}, the lower end first", text)
        return first, last
    if not _NAME.fullmatch(text):
        raise UnfitError(PORT, text)
    try:
        port = socket.getservbyname(text)
    except OSError:
        raise UnfitError("a name that /etc/services has, or the port's number", text) from None
    return port, port


def join_ranges(ranges: Iterable[PortRange]) -> tuple[PortRange, ...]:
    """The same ports as few ascending ranges; neighbours become one, since a firewall rule takes 15 at most."""
    joined: list[PortRange] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(last, joined[-1][1])
        else:
            joined.append((first, last))
    return tuple(joined)


def render_ports(ranges: Iterable[PortRange] | None) -> str:
    """For messages: `22, 1000-2000`; None is `all`."""
    if ranges is None:
        return ALL
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
