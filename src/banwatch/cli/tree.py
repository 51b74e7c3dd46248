"""
The status tree, byte for byte as fail2ban's users and their scripts know it: a TAB after every colon. Pure.

Nothing of ours stands inside it; what else there is to say is in `notes`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from banwatch.text import escape


def render_jails(names: Iterable[str]) -> str:
    """The tree of the daemon: how many jails there are, and which."""
    ordered = sorted(names)
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
    waiting = [jail["jail"] for jail in status["jails"] if jail["state"] == "waiting" and not jail["problems"]]
    if waiting:
        lines.append(f"waiting for their logs to appear: {', '.join(sorted(waiting))}")
    idle = [jail["jail"] for jail in status["jails"] if not jail["enforce"]]
    if idle:
        lines.append(f"ban nobody (enforce: false): {', '.join(sorted(idle))}")
    return lines


def _join(words: Sequence[str]) -> str:
    # A list of words, so that no word may hold a space: a login could look like an address behind one.
    return " ".join(escape(word).replace(" ", "\\x20") for word in words)
