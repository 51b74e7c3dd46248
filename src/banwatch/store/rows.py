"""
Values ↔ rows. Pure.

Windows and evidence are JSON: floats come back as they were, and nothing that stands in a damaged file can do more than not
be readable.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from banwatch.model import Ban, Target
from banwatch.store.values import Event, Line, Record

BAN_COLUMNS = "jail, realm, who, by, at, until, rule, origin, failures, enforce, why, forced"
"""The columns that both tables of bans have, in the order of `ban_row`."""

KEYS = 1000
"""Keys of a window in one row at most: encoding them holds up the interpreter for a millisecond."""

Row = tuple[Any, ...]

_encode = json.JSONEncoder(separators=(",", ":")).encode


def ban_row(ban: Ban) -> Row:
    """The columns of BAN_COLUMNS."""
    target = ban.target
    return (
        ban.jail,
        target.realm,
        text_of(target.who),
        ban.by,
        ban.at,
        ban.until,
        ban.rule,
        ban.origin,
        ban.failures,
        ban.enforce,
        ban.why,
        ban.forced,
    )


def text_of(text: str) -> str:
    """`text` as it can be written: half characters, as JSON may put into a login and a path may hold, are spelled out."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def bans_of(rows: Iterable[Row]) -> Iterator[Ban]:
    """The inverse of `ban_row`. Texts that many bans have in common are there once."""
    once: dict[Any, Any] = {}
    share: Callable[[Any, Any], Any] = once.setdefault
    for jail, realm, who, by, at, until, rule, origin, failures, enforce, why, forced in rows:
        yield Ban(
            share(jail, jail),
            Target(share(realm, realm), who),
            share(by, by),
            at,
            until,
            share(rule, rule),
            share(origin, origin),
            failures,
            enforce == 1,
            share(why, why),
            None,
            forced == 1,
        )


def event_row(event: Event) -> Row:
    """happened, action, reason, the columns of BAN_COLUMNS, evidence."""
    return (event.at, event.action, event.why, *ban_row(event.ban), evidence_text(event.evidence))


def evidence_text(lines: Sequence[Line]) -> str | None:
    """The column `evidence`; None for no lines."""
    return _encode(lines) if lines else None


def event_of(row: Row) -> Event:
    """The inverse of `event_row`."""
    happened, action, reason, *columns, evidence = row
    [ban] = bans_of([tuple(columns)])
    return Event(happened, action, ban, reason, tuple(Line(*line) for line in json.loads(evidence)) if evidence else ())


def records_texts(records: Sequence[tuple[str, Record]]) -> Iterator[str]:
    """Records of a window as rows of KEYS each."""
    for start in range(0, len(records), KEYS):
        yield _encode(records[start : start + KEYS])


def records_of(text: str) -> Iterator[tuple[str, Record]]:
    """
    The inverse of `records_texts`, one row.

    Raises:
        ValueError: it is nothing that was written here.
    """
    loaded = json.loads(text)
    if not isinstance(loaded, list):
        raise ValueError("no list of records")
    once: dict[Any, Any] = {}
    share: Callable[[Any, Any], Any] = once.setdefault  # most attempts are on the same few logins
    for entry in loaded:
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and isinstance(entry[1], list)):
            raise ValueError("no record")
        values = [tuple(value) if isinstance(value, list) else value for value in entry[1]]
        yield entry[0], tuple([value if type(value) is float else share(value, value) for value in values])
