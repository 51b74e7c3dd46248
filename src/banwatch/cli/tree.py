"""
The status tree, byte for byte as fail2ban's users and their scripts know it: a TAB after every colon. Pure.

Nothing of ours stands inside it; what else there is to say is in `notes`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from banwatch.text import escape

LEAKS = 10
"""So many are named of one jail."""


def render_jails(jails: Iterable[Mapping[str, Any]]) -> str:
    """The tree of the daemon: how many jails there are that are not off, and which; given as `status` answers."""
    ordered = sorted(jail["jail"] for jail in jails if jail["state"] != "off")
    return f"Status\n|- Number of jail:\t{len(ordered)}\n`- Jail list:\t{', '.join(ordered)}"


def render_jail(jail: Mapping[str, Any]) -> str:
    """The tree of one jail, given as the object that `status` answers with."""
    return "\n".join(
        (
            f"Status for the jail: {jail['jail']}",
            "|- Filter",
            f"|  |- Currently failed:\t{jail['currently_failed']}",
            f"|  |- Total failed:\t{jail['total_failed']}",
            f"|  `- File list:\t{_join(jail['file_list'])}",
            "`- Actions",
            f"   |- Currently banned:\t{jail['currently_banned']}",
            f"   |- Total banned:\t{jail['total_banned']}",
            f"   `- Banned IP list:\t{_join(jail['banned'])}",
        )
    )


def notes(status: Mapping[str, Any]) -> list[str]:
    """What is not well, and which jails do not ban: a line each. Of the object that `status` answers with."""
    lines = [f"degraded: {problem}" for problem in status["problems"]]
    for jail in status["jails"]:
        lines += [f"{jail['jail']}: {jail['state']}: {problem}" for problem in jail["problems"]]
    for jail in status["jails"]:
        leaks = jail.get("leaks", ())
        lines += [_leak(jail["jail"], leak) for leak in leaks[:LEAKS]]
        if len(leaks) > LEAKS:
            lines.append(f"{jail['jail']}: {len(leaks) - LEAKS} more who are banned get through")
    lines += _name("waiting for their logs to appear", status, lambda jail: jail["state"] == "waiting" and not jail["problems"])
    lines += _name("off until their logs appear", status, lambda jail: jail["state"] == "off")
    lines += _name("ban nobody (enforce: false)", status, lambda jail: not jail["enforce"] and jail["state"] != "off")
    return lines


def _leak(jail: str, leak: Mapping[str, Any]) -> str:
    times = f"{leak['failures']} failure{'s' * (leak['failures'] != 1)}"
    return f"{jail}: leak: {escape(leak['who'])} is banned and gets through ({times}): {leak['reason'] or 'not looked into yet'}"


def _name(what: str, status: Mapping[str, Any], fits: Callable[[Mapping[str, Any]], bool]) -> list[str]:
    names = sorted(jail["jail"] for jail in status["jails"] if fits(jail))
    return [f"{what}: {', '.join(names)}"] if names else []


def _join(words: Sequence[str]) -> str:
    # A list of words, so that no word may hold a space: a login could look like an address behind one.
    return " ".join(escape(word).replace(" ", "\\x20") for word in words)
