"""
How far a text follows a regex that does not match it: the longest beginning of the regex that does.

The regex is taken apart as its author wrote it, tags and all, so that the place can be shown in it. Pure.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from banwatch.filter.bounded import Bounded
from banwatch.filter.failregex import PatternError, compile_regex, expand_tags

LONGEST: Final = 2000
"""Characters of a text that are looked at."""

_TOKEN: Final = re.compile(
    r"(?P<open>\((?!\?(?:P=|\(|#|[aiLmsux]+\)))(?:\?(?:P<\w+>|[:>=!]|<[=!]|[aimsLux-]+:))?|<F-[A-Z0-9_-]+>)"
    r"|(?P<close>\)|</F-[A-Z0-9_-]+>)"
    r"|(?P<bar>\|)"
    r"|(?P<atom>\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|<[A-Z][A-Z0-9-]*/?>|\(\?[^)]*\)|.)",
    re.DOTALL,
)
_QUANTIFIER: Final = re.compile(r"(?:[*+?]|\{[0-9]+,?[0-9]*\}|\{,[0-9]+\})[?+]?")
_OPAQUE: Final = re.compile(r"\(\?[a-zA-Z]*x|\(\?#|\(\?\(")
_LITERAL: Final = re.compile(r"\\?[^\w\\]|[^\W\\]", re.DOTALL)
_SPECIAL: Final = frozenset(".^$|()[]{}*+?")


class Piece(NamedTuple):
    """A part of a regex with its quantifier; of a group also what is in it, by alternatives."""

    start: int
    end: int
    opener: str = ""
    branches: tuple[tuple["Piece", ...], ...] = ()


class Reach(NamedTuple):
    """
    How far a text follows a regex.

    Args:
        text: up to this character it does.
        regex: up to this character of the regex.
        wanted: what the regex asks for there, in words; empty if it matches to its end.
    """

    text: int
    regex: int
    wanted: str


def find_furthest(written: str, text: str, expand: Callable[[str], str] = expand_tags, doubt: str | None = None) -> Reach | None:
    """
    None where the regex cannot be taken apart.

    Args:
        written: a regex, as it stands in the configuration.
        expand: what makes of a piece of it a regex without tags.
        doubt: why it may take very long, and so do its pieces; then they get little time.
    """
    try:
        branches = split_pieces(written)
    except ValueError:
        return None
    text = text[:LONGEST]
    flags = found[0] if (found := re.match(r"\(\?[aiLmsu]+\)", written)) else ""
    reaches = [_follow(_Regex(written, text, flags, expand, doubt), "", branch, "") for branch in branches]
    return max(reaches, key=lambda reach: (reach.text, not reach.wanted))


@lru_cache(maxsize=256)
def split_pieces(written: str) -> tuple[tuple[Piece, ...], ...]:
    """
    The alternatives of a regex, each as the pieces it is a sequence of.

    Raises:
        ValueError: it has parts whose text is not what it is made of: comments, or conditions.
    """
    if _OPAQUE.search(written):
        raise ValueError("expected a regex without comments and conditions")
    branches, end = _split(written, 0)
    if end != len(written):
        raise ValueError("expected a ( for each )")
    return branches


def _split(written: str, place: int) -> tuple[tuple[tuple[Piece, ...], ...], int]:
    branches: list[tuple[Piece, ...]] = []
    pieces: list[Piece] = []
    while place < len(written):
        token = _TOKEN.match(written, place)
        assert token is not None
        if token["close"]:
            break
        start, place = token.span()
        if token["bar"]:
            branches.append(tuple(pieces))
            pieces = []
            continue
        inner: tuple[tuple[Piece, ...], ...] = ()
        if token["open"]:
            inner, place = _split(written, place)
            close = _TOKEN.match(written, place)
            if close is None:
                raise ValueError("expected a ) for each (")
            place = close.end()
        if (quantifier := _QUANTIFIER.match(written, place)) is not None:
            place = quantifier.end()
        pieces.append(Piece(start, place, token["open"] or "", inner))
    return (*branches, tuple(pieces)), place


class _Regex(NamedTuple):
    """What is tried, and on what."""

    written: str
    text: str
    flags: str
    expand: Callable[[str], str]
    doubt: str | None

    def search(self, before: str, pieces: Sequence[Piece], after: str) -> "tuple[_Searched, re.Match[str]] | None":
        """The text as far as the pieces match it, and what has found it."""
        own = before + (self.written[pieces[0].start : pieces[-1].end] if pieces else "")
        regex = _compile(own + after if own.startswith(self.flags) else self.flags + own + after, self.expand, self.doubt)
        found = None if regex is None else regex.search(self.text)
        return None if regex is None or found is None else (regex, found)


_Searched = re.Pattern[str] | Bounded


@lru_cache(maxsize=4096)
def _compile(written: str, expand: Callable[[str], str], doubt: str | None) -> _Searched | None:
    try:
        regex = compile_regex(expand(written))
    except PatternError:
        return None
    return regex if doubt is None else Bounded(regex, doubt)


def _shortest(searched: tuple[_Searched, re.Match[str]] | None) -> int:
    """Where the shortest beginning of the text ends in which it is found; if the longest one only has the same word on, there."""
    if searched is None:
        return 0
    regex, found = searched
    low, high = 0, found.end()
    while low < high:
        middle = (low + high) // 2
        if regex.search(found.string[:middle]) is not None:
            high = middle
        else:
            low = middle + 1
    return high if re.search(r"\s", found.string[high : found.end()]) else found.end()


def _follow(regex: _Regex, before: str, pieces: Sequence[Piece], after: str) -> Reach:
    """
    Args:
        before, after: the regex around these pieces, as far as it is known to match: `after` closes groups.
    """
    low, high = 0, len(pieces)
    while low < high:
        middle = (low + high + 1) // 2
        if regex.search(before, pieces[:middle], after) is not None:
            low = middle
        else:
            high = middle - 1
    place = _shortest(regex.search(before, pieces[:low], after))
    if low == len(pieces):
        return Reach(place, pieces[-1].end if pieces else 0, "")
    failed = pieces[low]
    best = Reach(place, failed.start, _wanted(regex.written, pieces, low))
    if failed.branches and failed.opener not in ("(?=", "(?!", "(?<=", "(?<!"):
        known = before + (regex.written[pieces[0].start : failed.start] if low else "")
        close = f"</{failed.opener[1:]}" if failed.opener.startswith("<") else ")"
        for branch in failed.branches:
            inner = _follow(regex, known + failed.opener, branch, close + after)
            if inner.text > best.text and inner.wanted:
                best = inner
    return best


def _wanted(written: str, pieces: Sequence[Piece], index: int) -> str:
    """What a piece asks for; a literal with those around it, since these make a word."""
    text = _literal(written, pieces[index])
    if text is None:
        own = written[pieces[index].start : pieces[index].end]
        return {"$": "the end", "^": "the beginning", "<HOST>": "an address (<HOST>)", "<ADDR>": "an address (<ADDR>)"}.get(
            own, own
        )
    before = _run(written, reversed(pieces[:index]))
    after = _run(written, pieces[index + 1 :])
    return repr("".join((*reversed(before), text, *after)))


def _run(written: str, pieces: Iterable[Piece]) -> list[str]:
    found = []
    for piece in pieces:
        text = _literal(written, piece)
        if text is None:
            break
        found.append(text)
    return found


def _literal(written: str, piece: Piece) -> str | None:
    """The character that a piece is; None if it is anything else."""
    own = written[piece.start : piece.end]
    if own in _SPECIAL or _LITERAL.fullmatch(own) is None:
        return None
    return own[-1]
