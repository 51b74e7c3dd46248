"""
Which characters a piece of a regex can match, as sets that can be compared.

A set is an int with a bit for each of the first 256 characters and one for all others together. So it can hold more than is
meant, never less: two sets that do not meet stand for characters that do not meet.
"""

import re
from typing import Any, Final

from banwatch.filter import tree

_PLAIN: Final = 256
OTHERS: Final = 1 << _PLAIN
ALL: Final = (1 << (_PLAIN + 1)) - 1
EVERY: Final = ALL & ~(1 << ord("\n"))
"""Whatever can stand in a line."""


def _bits(regex: str) -> int:
    return sum(1 << code for code in range(_PLAIN) if re.match(regex, chr(code)))


_CATEGORIES: Final = {
    category: _bits(f"[{text}]") | OTHERS
    for category, text in zip(tree.ASCII_CATEGORIES, (r"\d", r"\s", r"\w", r"\D", r"\S", r"\W"), strict=True)
}


def symbols(op: Any, argument: Any, flags: int) -> int:
    """What a node of one character can match; all there is for a node that is no such thing."""
    if op is tree.LITERAL:
        return _fold(_bit(argument), flags)
    if op is tree.NOT_LITERAL:
        return ALL & ~_bit(argument) | OTHERS
    if op is tree.ANY:
        return ALL if flags & re.DOTALL else EVERY
    if op is not tree.IN:
        return ALL
    found = 0
    for kind, value in argument:
        if kind is tree.LITERAL:
            found |= _bit(value)
        elif kind is tree.RANGE:
            low, high = value
            found |= sum(1 << code for code in range(low, min(high, _PLAIN - 1) + 1)) | (OTHERS if high >= _PLAIN else 0)
        elif kind is tree.CATEGORY:
            found |= _CATEGORIES.get(value, ALL)
    if argument[0][0] is tree.NEGATE:
        # Folding makes a set larger, and what it leaves over smaller; so the case is left alone.
        return ALL & ~found | OTHERS
    return _fold(found, flags)


def symbol(character: str) -> int:
    """The set of one character."""
    return _bit(ord(character))


def _bit(code: int) -> int:
    return 1 << code if code < _PLAIN else OTHERS


def _fold(found: int, flags: int) -> int:
    """With the other case of each letter, if case does not matter."""
    if not flags & re.IGNORECASE:
        return found
    letters = [chr(code) for code in range(_PLAIN) if found >> code & 1]
    for letter in letters:
        for other in (letter.lower(), letter.upper()):
            found |= _bit(ord(other)) if len(other) == 1 else OTHERS
        if letter.isalpha():
            found |= OTHERS
    return found
