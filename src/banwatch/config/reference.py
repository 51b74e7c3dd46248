"""
The tables of docs/configuration.md, from those of schema.py: `python -m banwatch.config.reference docs/configuration.md`.

The page holds them between marks; a test sees to it that they are up to date.
"""

import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from banwatch.config import schema
from banwatch.config.schema import Fields, Key, Many, Value

_TABLES = {
    "jail": schema.JAIL,
    "watch": schema.WATCH,
    "rule": schema.RULE,
    "filter": schema.FILTER,
    "example": schema.EXAMPLE,
    "daemon": schema.DAEMON,
}
_PLACE = re.compile(r"(<!-- keys: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEAD = "| key | takes | without it | what it is for |\n| --- | --- | --- | --- |\n"

Row = tuple[str, str, str, str]


def fill_tables(page: str) -> str:
    """The page with a table of keys at each of its places."""
    return _PLACE.sub(lambda place: place[1] + render_table(_TABLES[place[2]]) + place[3], page)


def render_table(fields: Fields) -> str:
    """All keys of a mapping as a Markdown table; neighbours that are alike share a row."""
    lines = []
    for (takes, without, about), rows in groupby(_rows("", fields), key=lambda row: row[1:]):
        names = ", ".join(f"`{name}`" for name, *_ in rows)
        lines.append(f"| {names} | {takes} | {without} | {about} |\n")
    return _HEAD + "".join(lines)


def _rows(prefix: str, fields: Fields) -> Iterator[Row]:
    for name, key in fields.keys.items():
        if isinstance(key.value, Fields):
            yield from _rows(f"{prefix}{name}.", key.value)
        else:
            yield f"{prefix}{name}", _takes(key.value), _without(key), key.about


def _takes(value: Value) -> str:
    if not isinstance(value, Many):
        return value.expected
    alone = f", or `{value.alone}`" if value.alone else ""
    return f"{value.expected}: {value.item.expected}{alone}"


def _without(key: Key) -> str:
    if key.required:
        return "required"
    if key.without:
        return key.without
    if isinstance(key.default, str) and key.default:
        return f"`{key.default}`"
    return f"`[{', '.join(key.default)}]`" if key.default else "nothing"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(fill_tables(path.read_text()))
