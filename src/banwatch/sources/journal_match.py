"""
Which of the watched patterns an entry of the journal belongs to. Pure.

One handle reads for all watches: it sees what any pattern matches, and whom an entry is for is found out by its fields.
"""

import re
from collections.abc import Iterable
from typing import Final

from banwatch.model import JOURNAL

REMEMBERED: Final = 4096
"""So many answers are kept; services are few, but a pattern may leave a field open that a stranger fills."""

_WORD: Final = re.compile(r"\+(?=_?[A-Z][A-Z0-9_]*=)")
_ESCAPED: Final = re.compile(r"\\x([0-9A-Fa-f]{2})")


def split_pattern(pattern: str) -> tuple[tuple[str, bytes], ...]:
    """ "journal:A=b+C=d" as fields with their values; \\xHH in a value is that byte."""
    words = (word.partition("=") for word in _WORD.split(pattern.removeprefix(f"{JOURNAL}:")))
    return tuple((field, _unescape(value)) for field, _, value in words)


def _unescape(value: str) -> bytes:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value).encode("latin-1", "replace")


class Matches:
    """
    Args:
        patterns: of the form that split_pattern reads.

    Attributes:
        fields: those that have to be known of an entry.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._items = [(pattern, dict(split_pattern(pattern))) for pattern in sorted(patterns)]
        self.fields = tuple(field.encode() for field in sorted({field for _, words in self._items for field in words}))
        self._known: dict[tuple[bytes | None, ...], frozenset[str]] = {}

    def of(self, values: tuple[bytes | None, ...]) -> frozenset[str]:
        """The patterns that match an entry whose `fields` have these values."""
        found = self._known.get(values)
        if found is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            entry = dict(zip((field.decode() for field in self.fields), values, strict=True))
            found = self._known[values] = frozenset(
                pattern for pattern, words in self._items if all(entry[field] == value for field, value in words.items())
            )
        return found
