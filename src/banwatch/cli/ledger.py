"""
Bans as text that other programs read: JSON, one a line, and what `ipset save` writes. Pure.

`ipset restore` lets the timeouts of a file begin anew, whenever it was written; so does this.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from banwatch.address import family_of
from banwatch.errors import EXIT_REFUSED, ControlError
from banwatch.firewall.base import seconds_left
from banwatch.firewall.plan import set_name
from banwatch.firewall.wire import LONGEST
from banwatch.model import ALLOW

_CREATE = "create {} hash:net family {} hashsize 1024 maxelem 4194304 timeout 0 counters"
_ADD = re.compile(r"(?:-A|add)\s+(\S+)\s+(\S+)(.*)")
_TIMEOUT = re.compile(r"\stimeout\s+(\d+)")
_IGNORED = re.compile(r"\s*(?:#.*|(?:-N|create|-X|destroy|-F|flush|COMMIT|quit)\b.*)?$")
_FAMILY = {4: "inet", 6: "inet6"}
_TOLD = 10


def render_ipset(bans: Iterable[Mapping[str, Any]], now: float) -> Iterator[str]:
    """Lines for `ipset restore`; logins, which no set can hold, and what is only watched are left out."""
    made: set[str] = set()
    for ban in bans:
        if ban["by"] == "login" or not ban["enforce"] or (ban["until"] is not None and ban["until"] <= now):
            continue
        family = family_of(ban["who"])
        name = set_name(ban["jail"], family)
        if name not in made:
            made.add(name)
            yield _CREATE.format(name, _FAMILY[family])
        yield f"add {name} {ban['who']} timeout {seconds_left(ban['until'], now)}"


def read_bans(lines: Iterable[str], jails: Iterable[str], maps: Mapping[str, str], now: float) -> list[dict[str, Any]]:
    """
    What is in a file of either form, for the jails of this host.

    Args:
        jails: those that there are, by whose names their sets are known.
        maps: set, or jail of elsewhere → jail of this host.
    Raises:
        ControlError: lines that are neither, and sets that nobody knows; all of them, as far as that can be read.
    """
    sets = {set_name(jail, family): jail for jail in (*jails, ALLOW) for family in (4, 6)} | dict(maps)
    bans: list[dict[str, Any]] = []
    wrong: list[str] = []
    unknown: dict[str, None] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text.startswith("{"):
            try:
                ban = json.loads(text)
                bans.append({**ban, "jail": maps.get(ban["jail"], ban["jail"])})
            except (ValueError, TypeError, KeyError):
                wrong.append(f"line {number}: expected an object with jail, who and until")
        elif added := _ADD.fullmatch(text):
            if (jail := sets.get(added[1])) is None:
                unknown[added[1]] = None
            else:
                bans.append({"jail": jail, "who": added[2], "at": now, "until": _end(added[3], now), "why": f"set {added[1]}"})
        elif not _IGNORED.fullmatch(text):
            wrong.append(f"line {number}: expected JSON or what `ipset save` writes")
    if wrong:
        more = f"; and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
        raise ControlError("; ".join(wrong[:_TOLD]) + more, "nothing was imported", EXIT_REFUSED)
    if unknown:
        names = ", ".join(map(repr, list(unknown)[:_TOLD]))
        hint = "--map SET=JAIL says which jail takes them over, --map SET= leaves them out"
        raise ControlError(f"sets of no jail: {names}", hint, EXIT_REFUSED)
    return [ban for ban in bans if ban["jail"]]


def _end(options: str, now: float) -> float | None:
    found = _TIMEOUT.search(options)
    seconds = int(found[1]) if found else 0
    return None if seconds == 0 else now + min(seconds, LONGEST)
