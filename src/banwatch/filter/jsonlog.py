"""
A line of JSON → the text of its fields, for filters that name fields instead of describing a line.

What a program writes as JSON cannot be forged from within a value. What is left of that are keys that stand twice, as a log
format may write whose author forgot to escape: nobody can tell which of them is the program's, so both say nothing.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from banwatch.filter.failregex import PatternError

_TWICE: Final = object()
# Line ends, and whatever else no log line can hold; half a surrogate pair could not even be printed.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# A backslash before an x that no other backslash stands for.
_BYTE: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\x")


class FieldPath(NamedTuple):
    """Where a field is: `request.remote_ip`, `headers.Host.0` (the first of a list), or a key with the dots in itself."""

    written: str
    parts: tuple[str, ...]


def parse_path(text: str) -> FieldPath:
    """
    Raises:
        PatternError: it is no path.
    """
    parts = tuple(text.split("."))
    if not all(parts) or not text.isprintable():
        raise PatternError("a field like status or request.remote_ip")
    return FieldPath(text, parts)


def read_object(text: str) -> Mapping[str, Any] | None:
    """
    The object that `text` is, numbers as they are written; None if it is anything else, or nested without end.

    A byte that is none of the log's encoding stands there as \\xff, which JSON does not know: else whoever sends one is not seen.
    """
    try:
        value = _DECODER.decode(_BYTE.sub(r"\1\\\\x", text) if "\\x" in text else text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def field_text(record: Mapping[str, Any], path: FieldPath) -> str | None:
    """
    What stands in a field, on one line; empty where the field is absent or null. Of a list the items with `, ` between them,
    as HTTP joins headers, and `[]` if there are none.

    None if it is no text: an object, or a key that stands twice.
    """
    if path.written in record:
        return _text(record[path.written])
    value: Any = record
    for part in path.parts:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and part.isascii() and len(part) < 6:
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None if value is _TWICE else ""
    return _text(value)


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value if value.isprintable() else _CONTROL.sub(_escape, value)
    if value is None:
        return ""
    if isinstance(value, list):
        texts = [None if isinstance(item, list) else _text(item) for item in value]
        return None if None in texts else ", ".join(text or "" for text in texts) if texts else "[]"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else None


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen = set()
        for key, _ in pairs:
            if key in seen:
                found[key] = _TWICE
            seen.add(key)
    return found


# A tab that somebody forgot to escape makes no line unreadable (strict).
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_int=str, parse_float=str, parse_constant=str, strict=False)
