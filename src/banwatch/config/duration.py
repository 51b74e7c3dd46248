"""Durations and limits as people write them: `10m`, `1h30m`, `forever`, `3/10m`."""

import math
import re

from banwatch.config.model import Limit
from banwatch.config.problem import UnfitError

FOREVER = "forever"
LONGEST = 10 * 365 * 86400
MOST_ATTEMPTS = 10_000

DURATION = 'a duration like "90", "10m" or "1h30m"'
BANTIME = f'a duration like "10m" or "{FOREVER}"'
LIMIT = 'maxretry/findtime like "3/10m"'

_UNITS = (("w", 604800), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_SPELLED = re.compile("".join(rf"(?:(\d{{1,12}}){unit})?" for unit, _ in _UNITS), re.ASCII)
_SECONDS = re.compile(r"\d{1,12}", re.ASCII)
_ATTEMPTS = re.compile(r"(\d{1,9}) ?/ ?(\S+)", re.ASCII)


def parse_duration(text: str) -> float | None:
    """
    Seconds; None is `forever`.

    Raises:
        UnfitError: it is no duration, it is zero, or it is longer than ten years.
    """
    return None if text == FOREVER else parse_seconds(text, BANTIME)


def parse_seconds(text: str, expected: str = DURATION) -> float:
    """
    Seconds, of a duration that has an end: a bare number, or numbers with w, d, h, m, s, the largest first.

    Raises:
        UnfitError: it is no duration, it is zero, or it is longer than ten years.
    """
    if _SECONDS.fullmatch(text):
        seconds = int(text)
    elif text and (spelled := _SPELLED.fullmatch(text)):
        seconds = sum(int(number) * unit for number, (_, unit) in zip(spelled.groups("0"), _UNITS, strict=True))
    else:
        raise UnfitError(expected, text)
    if seconds == 0:
        raise UnfitError(f"{expected} of at least 1 second", text)
    if seconds > LONGEST:
        raise UnfitError(f"{expected} of at most ten years", text)
    return float(seconds)


def render_duration(seconds: float | None) -> str:
    """As people write it: 600 → `10m`, 5400 → `1h30m`, None → `forever`; a part of a second counts as a whole one."""
    if seconds is None:
        return FOREVER
    left = math.ceil(seconds)
    parts = []
    for unit, length in _UNITS:
        number, left = divmod(left, length)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


def parse_limit(text: str) -> Limit:
    """
    maxretry and findtime of `3/10m`.

    Raises:
        UnfitError: it is not in that form, one of them is zero, or too much to keep count of.
    """
    spelled = _ATTEMPTS.fullmatch(text)
    if spelled is None:
        raise UnfitError(LIMIT, text)
    maxretry = int(spelled[1])
    if not 1 <= maxretry <= MOST_ATTEMPTS:
        raise UnfitError(f"{LIMIT}, maxretry from 1 to {MOST_ATTEMPTS}", text)
    try:
        return Limit(maxretry, parse_seconds(spelled[2]))
    except UnfitError as error:
        raise UnfitError(f"{LIMIT}, findtime {error.expected}", text) from None


def render_limit(limit: Limit) -> str:
    """As people write it: `3/10m`."""
    return f"{limit.maxretry}/{render_duration(limit.findtime)}"
