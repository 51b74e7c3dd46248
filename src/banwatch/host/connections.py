"""
Who is connected to this host, as proc(5) tells.

Source: Linux Documentation/networking/proc_net_tcp.rst: addresses are hexadecimal, each 32 bits of them in the host's order.
"""

import struct
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from banwatch.address import parse_network, unpack

_TABLES: Final = ("tcp", "tcp6")
_LISTENS: Final = "0A"
_GONE: Final = frozenset({"06", "07"})  # TIME_WAIT, CLOSE: nothing is there any more


def local_ports_of(who: str, tables: Path = Path("/proc/net")) -> frozenset[int]:
    """
    The ports of ours to which an address, or somebody in a network, is connected by TCP at this moment.

    Args:
        who: canonical text.
    """
    network = parse_network(who)
    found: set[int] = set()
    for name in _TABLES:
        try:
            lines = (tables / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, remote, state, *_ = line.split()
            if state == _LISTENS or state in _GONE:
                continue
            other = ip_network(_address(remote.partition(":")[0]))
            if other.version == network.version and other.subnet_of(network):  # type: ignore[arg-type]
                found.add(int(local.rpartition(":")[2], 16))
    return frozenset(found)


def _address(text: str) -> str:
    order = "<" if sys.byteorder == "little" else ">"
    words = [int(text[place : place + 8], 16) for place in range(0, len(text), 8)]
    return unpack(struct.pack(f"{order}{len(words)}I", *words), 32 * len(words))
