"""
Pattern → needle: something that stands in every line the pattern matches, to be looked for in the bytes of a whole chunk.

It is the program with the beginning of the message where the header is syslog's, else the longest text that the pattern
cannot do without. That holds for lines of ASCII; where a case folds into ASCII from outside, or bytes are no text, bytes and
characters part ways.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from banwatch.filter import tree
from banwatch.filter.failregex import Pattern
from banwatch.filter.header import Header

LEAST: Final = 4
"""A text shorter than this is no needle of its own: it stands in too many lines."""

# The kernel's uptime and "message repeated" stand between program and message: then the message is not looked for.
_BEHIND_PROGRAM: Final = rb": ?"
_BETWEEN: Final = (rb"\[ *[0-9]", rb"message repeated ")
ENOUGH: Final = 24
"""Of the beginning of a message so many characters are looked at: more tells no more."""

_MOST: Final = 32
"""So many texts are looked for in the place of one; of more, some would stand in most lines."""

_PLAIN: Final = 12
"""Behind so many characters a repeat without end is looked at once: more of it tells little, and makes the search large."""


class Needle(NamedTuple):
    """
    Something that stands in every ASCII line which a pattern matches.

    `regex` is in a subset that any engine knows: literals, classes, groups, alternatives, bounded repeats. `literal` is the same
    where it is plain text. `folded`: the text is lower case and to be searched for in any case. An empty regex is in every line.
    """

    regex: bytes
    literal: bytes | None = None
    folded: bool = False


EVERY_LINE: Final = Needle(b"", b"")


def find_needles(headers: Sequence[Header], patterns: Sequence[Pattern]) -> tuple[Needle, ...]:
    """One of these stands in every ASCII line that some pattern matches behind some header."""
    trees = [(tree.parse(pattern.source, 0), pattern) for pattern in patterns]
    programs = [_program(header) for header in headers]
    if all(program is not None for program in programs):
        leads: list[bytes] = []
        needles: list[Needle] = []
        for nodes, _ in trees:
            lead = _lead(nodes, bool(nodes.state.flags & re.IGNORECASE))
            if _anchored(nodes) and lead.least >= LEAST:
                leads.append(lead.regex)
            elif texts := needed_texts(nodes):
                needles.extend(texts)
            else:
                leads.append(b"")
        if leads:
            behind = b"(?:" + b"|".join(dict.fromkeys((*leads, *_BETWEEN))) + b")"
            for program in dict.fromkeys(filter(None, programs)):
                needles.extend(Needle(name + _BEHIND_PROGRAM + behind) for name in program)
        return _fewest(needles)
    return _fewest([needle for nodes, _ in trees for needle in needed_texts(nodes) or (EVERY_LINE,)])


def _fewest(needles: Sequence[Needle]) -> tuple[Needle, ...]:
    """Without those that are found wherever another one is found."""
    kept: list[Needle] = []
    for needle in sorted(dict.fromkeys(needles), key=lambda needle: len(needle.regex)):
        if needle.literal is None or not any(
            other.literal is not None and other.folded == needle.folded and other.literal in needle.literal for other in kept
        ):
            kept.append(needle)
    return (EVERY_LINE,) if EVERY_LINE in kept else tuple(kept)


def _program(header: Header) -> tuple[bytes, ...] | None:
    """
    The names that the header's program may have, with the pid, as regexes; None if they are not known, or more stands behind.

    Of a name only its beginning is asked for. The blank before it keeps the search linear: what may follow has none.
    """
    if header.wanted is None or header.checked is not None or header.rest:
        return None
    nodes = tree.parse(header.wanted, 0)
    branches = nodes[0][1][1] if len(nodes) == 1 and nodes[0][0] is tree.BRANCH else [nodes]
    names = []
    for branch in branches:
        fixed = next((index for index, (op, _) in enumerate(branch) if op in tree.REPEATS), len(branch))
        name = _lead(branch[:fixed], False)
        if not name.least:
            return None
        names.append(b" " + name.regex + rb"[^\n ]*")
    return tuple(names)


def _anchored(nodes: Any) -> bool:
    return len(nodes) > 0 and nodes[0][0] is tree.AT and nodes[0][1] in tree.AT_BEGINNINGS


def needed_texts(nodes: Any) -> tuple[Needle, ...]:
    """One of these stands in every ASCII line with a match: the longest text, else one for each alternative; perhaps none."""
    found = _needed(nodes, bool(nodes.state.flags & re.IGNORECASE))
    return tuple(_needle(*text) for text in found) if found is not None and len(found) <= _MOST else ()


def _needed(nodes: Any, folded: bool) -> list[tuple[str, bool]] | None:
    best = max(_texts(nodes, folded), key=lambda found: len(found[0]), default=("", False))
    if len(best[0]) >= LEAST:
        return [best]
    for op, argument in nodes:
        if op is tree.BRANCH:
            branches = [_needed(branch, folded) for branch in argument[1]]
            found = None if None in branches else [text for branch in branches for text in branch or ()]
        elif op in (tree.SUBPATTERN, tree.ATOMIC_GROUP):
            found = _needed(argument[3], _folds(argument, folded)) if op is tree.SUBPATTERN else _needed(argument, folded)
        elif op in tree.REPEATS and argument[0] >= 1:
            found = _needed(argument[2], folded)
        else:
            continue
        if found is not None:
            return found
    return None


def _needle(text: str, folded: bool) -> Needle:
    folded = folded and text.lower() != text.upper()
    literal = (text.lower() if folded else text).encode("ascii")
    return Needle(re.escape(literal), literal, folded)


def longest_text(nodes: Any) -> Needle | None:
    """The longest text that stands in every ASCII line with a match; None if there is none worth searching for."""
    text, folded = max(_texts(nodes, bool(nodes.state.flags & re.IGNORECASE)), key=lambda found: len(found[0]))
    return _needle(text, folded) if len(text) >= LEAST else None


def _texts(nodes: Any, folded: bool) -> list[tuple[str, bool]]:
    """Runs of literals that a match cannot do without: (text, case does not matter)."""
    runs: list[tuple[str, bool]] = [("", folded)]
    for op, argument in nodes:
        if op is tree.LITERAL and argument < 128 and argument != 10:
            text, same = runs[-1]
            if same != folded:
                runs.append((chr(argument), folded))
            else:
                runs[-1] = (text + chr(argument), folded)
        elif op in (tree.SUBPATTERN, tree.ATOMIC_GROUP):
            inner = _texts(argument[3], _folds(argument, folded)) if op is tree.SUBPATTERN else _texts(argument, folded)
            if inner[0][1] == runs[-1][1]:
                runs[-1] = (runs[-1][0] + inner[0][0], inner[0][1])
                runs.extend(inner[1:])
            else:
                runs.extend(inner)
        elif op in tree.REPEATS and argument[0] >= 1:
            inner = _texts(argument[2], folded)
            runs.extend((*inner, ("", folded)))
        elif op is not tree.AT and op not in tree.ASSERTS:
            runs.append(("", folded))
    return runs


def _folds(argument: Any, folded: bool) -> bool:
    _group, add, remove, _inner = argument
    return bool(add & re.IGNORECASE) or (folded and not remove & re.IGNORECASE)


class Lead(NamedTuple):
    """
    A bytes regex for the beginning of what a tree matches in ASCII lines.

    `whole`: for all of it. `least`: how many characters it prescribes at least.
    """

    regex: bytes
    whole: bool
    least: int


_NOTHING: Final = Lead(b"", False, 0)


def _lead(nodes: Any, folded: bool, seen: int = 0) -> Lead:
    """
    The beginning of `nodes`.

    Args:
        seen: how many characters are prescribed before it.
    """
    out, least = b"", 0
    for index, (op, argument) in enumerate(nodes):
        piece = _piece(op, argument, folded, seen + least)
        if not piece.whole and op in tree.REPEATS and argument[0] == 0:
            if seen + least >= _PLAIN:
                return Lead(out, False, least)
            # Either it begins here, or what is behind it does.
            inner, rest = _lead(argument[2], folded, seen + least), _lead(nodes[index + 1 :], folded, seen + least)
            return Lead(out + b"(?:" + inner.regex + b"|" + rest.regex + b")", False, least + min(inner.least, rest.least))
        out += piece.regex
        least += piece.least
        if not piece.whole or seen + least > ENOUGH:
            return Lead(out, False, least)
    return Lead(out, True, least)


def _piece(op: Any, argument: Any, folded: bool, seen: int) -> Lead:
    if op is tree.LITERAL:
        if argument >= 128 or argument == 10:
            return _NOTHING
        return Lead(
            b"[" + _both(argument) + b"]" if folded and chr(argument).isalpha() else re.escape(bytes([argument])), True, 1
        )
    if op is tree.IN:
        return _class(argument, folded)
    if op is tree.SUBPATTERN:
        return _group(_lead(argument[3], _folds(argument, folded), seen))
    if op is tree.ATOMIC_GROUP:
        return _group(_lead(argument, folded, seen))
    if op is tree.BRANCH:
        branches = [_lead(branch, folded, seen) for branch in argument[1]]
        regex = b"(?:" + b"|".join(dict.fromkeys(branch.regex for branch in branches)) + b")"
        return Lead(regex, all(branch.whole for branch in branches), min(branch.least for branch in branches))
    if op in tree.REPEATS:
        fewest, most, repeated = argument
        inner = _group(_lead(repeated, folded, seen))
        if inner.whole and most <= 4:
            return Lead(inner.regex + b"{%d,%d}" % (fewest, most), True, inner.least * fewest)
        if inner.whole and fewest <= 4 and seen < _PLAIN and len(repeated) == 1 and repeated[0][0] is tree.IN:
            return Lead(inner.regex + b"{%d,}" % fewest, True, 0)
        return inner._replace(whole=False) if fewest else _NOTHING
    # What looks around is left out: then more matches, never less.
    return Lead(b"", op in tree.ASSERTS or (op is tree.AT and argument not in tree.AT_ENDS), 0)


def _group(lead: Lead) -> Lead:
    return lead._replace(regex=b"(?:" + lead.regex + b")") if lead.regex else lead


def _both(code: int) -> bytes:
    return re.escape(chr(code).lower().encode()) + re.escape(chr(code).upper().encode())


def _class(items: Any, folded: bool) -> Lead:
    """A class as bytes regex; given up where letters outside of ASCII could be the same but for their case."""
    out = b""
    negated = items[0][0] is tree.NEGATE
    for op, argument in items[1:] if negated else items:
        if op is tree.LITERAL and argument < 128:
            out += _both(argument) if folded and chr(argument).isalpha() else re.escape(bytes([argument]))
        elif op is tree.RANGE and argument[1] < 128 and not folded:
            out += re.escape(bytes([argument[0]])) + b"-" + re.escape(bytes([argument[1]]))
        elif op is tree.CATEGORY and argument in tree.ASCII_CATEGORIES:
            out += tree.ASCII_CATEGORIES[argument]
        else:
            return _NOTHING
    return Lead((b"[^\\n" if negated else b"[") + out + b"]", True, 0)
