"""Bans and leaks as the objects that the control socket shows. Pure; docs/control-protocol.md has the keys."""

from typing import Any

from banwatch.jail.leaks import Leak
from banwatch.model import Ban


def describe_ban(ban: Ban, now: float, enforced: bool) -> dict[str, Any]:
    """What every answer says of a ban."""
    return {
        "jail": ban.jail,
        "by": ban.by,
        "who": ban.target.who,
        "at": ban.at,
        "until": ban.until,
        "left": None if ban.until is None else max(0.0, ban.until - now),
        "origin": ban.origin,
        "rule": ban.rule,
        "enforced": enforced,
    }


def describe_leak(leak: Leak) -> dict[str, Any]:
    """What came of a ban that does not keep out whom it should."""
    return {"failures": leak.failures, "at": leak.at, "reason": leak.reason}
