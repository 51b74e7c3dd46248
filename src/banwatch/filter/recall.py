"""
What a Once knows, as plain text, and back: after a restart the second line about an attempt still is about that attempt. Pure.
"""

import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

from banwatch.filter.once import Once, blank_host

OVERLAP = 0.5
"""Seconds by which lines may be out of order."""

MOST = 1000
"""Hosts that are dumped at once; it takes three milliseconds. A flood of more is not worth holding up a ban."""

Record = tuple[Any, ...]


def dump_once(once: Once, since: float) -> list[tuple[str, Record]]:
    """Who something was heard of since `since`, in the time of the lines, each with all about him; MOST at most."""
    hosts = ((who, host) for hosts in once.known() for who, host in hosts.items() if host.at >= since - OVERLAP)
    return [(who or "", (_render(host),)) for who, host in islice(hosts, MOST)]


def load_once(once: Once, name: str, records: Iterable[tuple[str, Record]]) -> None:
    """
    Go on with what was dumped.

    Args:
        name: of the filter.
    """
    for who, (text,) in records:
        host = blank_host()
        for slot, value in json.loads(text).items():
            if isinstance(value, list):
                value = {tuple(key) if isinstance(key, list) else key: number for key, number in value}
            setattr(host, slot, value)
        once.put(name, who or None, host)


def _render(host: Any) -> str:
    values = {slot: getattr(host, slot) for slot in host.__slots__}
    return json.dumps({slot: list(value.items()) if isinstance(value, dict) else value for slot, value in values.items()})
