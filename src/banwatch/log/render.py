"""
Events as lines. Pure.

Text: `2025-11-04 10:15:32 WARNING [dovecot] Ban 192.0.2.100`. Bans and unbans are always exactly that; other events carry
`key=value`, and whatever came from outside is shown by repr, so that it can forge neither a line nor a field.
JSON: one object a line with `at` (UTC seconds), `level`, `jail` (null for the daemon itself), `event` and the fields.
"""

import json
import time
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

from banwatch.config.duration import render_duration
from banwatch.model import Ban
from banwatch.text import escape

Render = Callable[[Mapping[str, Any]], str]


def render_message(event: Mapping[str, Any]) -> str:
    """`[jail] event key=value …` of one event; only the event for bans and unbans."""
    head = f"[{event.get('jail') or 'banwatch'}] {escape(str(event['event']))}"
    if event.get("bare"):
        return head
    ban = event.get("ban")
    fields = chain(() if ban is None else _brief(ban).items(), event.items())
    return " ".join((head, *(f"{key}={_value(value)}" for key, value in fields if key not in _HEAD and value is not None)))


def render_text(event: Mapping[str, Any]) -> str:
    """The line of one event as text, in local time."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event["at"]))
    return f"{stamp} {event['level'].upper()} {render_message(event)}"


def render_json(event: Mapping[str, Any]) -> str:
    """The line of one event as a JSON object."""
    fields: dict[str, Any] = {"at": event["at"], "level": event["level"], "jail": event.get("jail"), "event": event["event"]}
    if (ban := event.get("ban")) is not None:
        fields |= describe_ban(ban)
    return json.dumps(fields | {key: value for key, value in event.items() if key not in _HEAD}, default=str)


def describe_ban(ban: Ban) -> dict[str, Any]:
    """What the log knows of a ban; events carry the ban itself, because in a burst there are very many."""
    return {
        "who": str(ban.target),
        "why": ban.why or None,
        "rule": ban.rule,
        "by": ban.by,
        "origin": ban.origin,
        "failures": ban.failures,
        "until": ban.until,
    }


def _brief(ban: Ban) -> dict[str, Any]:
    length = None if ban.until is None else float(round(ban.until - ban.at))
    return {"who": str(ban.target), "why": ban.why or None, "rule": ban.rule, "bantime": render_duration(length)}


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, str) and (not value or not value.isprintable() or any(c in value for c in " '\"=\\")):
        return repr(value)
    return str(value)


_HEAD = frozenset(("at", "level", "jail", "event", "bare", "ban"))
RENDER: dict[str, Render] = {"text": render_text, "json": render_json}
