"""
A regex as RE2 understands it, with the meaning it has in `re`.

RE2 takes linear time for whatever it takes. It has no references, no look-around, no atomic groups, and its classes are
those of ASCII; so a regex is written anew from its tree, with the classes that `re` has for text. A look-around that asks for
one character (those of <HOST>) is left out where the regex itself says which characters stand there. What is left of
differences: \\b knows the letters of ASCII only, and of the letters whose case does not matter a dotless i is no i.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from banwatch.filter import tree
from banwatch.filter.symbols import ALL, symbols

_MOST: Final = 1000
_NO_SPACE: Final = (
    r"\x00-\x08\x0e-\x1b!-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}"
    r"\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff}"
)
_SPACE: Final = r"\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
_CATEGORIES: Final = dict(
    zip(tree.ASCII_CATEGORIES, (r"\p{Nd}", _SPACE, r"\p{L}\p{N}_", r"\P{Nd}", _NO_SPACE, None), strict=True)
)
_FLAGS: Final = ((re.IGNORECASE, "i"), (re.DOTALL, "s"))


class UnknownToRe2Error(ValueError):
    """Something in a regex that RE2 has not."""


def translate(source: str) -> str:
    """
    Raises:
        UnknownToRe2Error: RE2 cannot do it; with what.
        re.error: it is no regex.
    """
    nodes = tree.parse(source, 0)
    flags = nodes.state.flags
    if flags & re.ASCII:
        raise UnknownToRe2Error("a class of its own")
    names = {number: name for name, number in nodes.state.groupdict.items()}
    return _prefix(flags) + _Writer(names).sequence(nodes, flags, ALL, ALL)


def _prefix(flags: int) -> str:
    letters = "".join(letter for flag, letter in _FLAGS if flags & flag)
    return f"(?{letters})" if letters else ""


class _Writer:
    def __init__(self, names: dict[int, str]) -> None:
        self._names = names

    def sequence(self, nodes: Any, flags: int, before: int, after: int) -> str:
        """`before` and `after` are the characters that can stand there; none of them at the ends of the text."""
        out = ""
        for index, (op, argument) in enumerate(nodes):
            left = _edge(list(nodes)[:index][::-1], flags, before, -1)
            right = _edge(list(nodes)[index + 1 :], flags, after, 1)
            out += self._node(op, argument, flags, left, right)
        return out

    def _node(self, op: Any, argument: Any, flags: int, before: int, after: int) -> str:
        if op is tree.LITERAL:
            return _character(argument)
        if op is tree.NOT_LITERAL:
            return f"[^{_character(argument)}]"
        if op is tree.ANY:
            return "."
        if op is tree.IN:
            return _class(argument)
        if op is tree.AT:
            return _place(argument)
        if op is tree.SUBPATTERN:
            return self._group(argument, flags, before, after)
        if op is tree.BRANCH:
            return f"(?:{'|'.join(self.sequence(branch, flags, before, after) for branch in argument[1])})"
        if op in tree.REPEATS and op is not tree.POSSESSIVE_REPEAT:
            return self._repeat(op, argument, flags, before, after)
        if op in tree.ASSERTS:
            _check_assert(op, argument, flags, before, after)
            return ""
        raise UnknownToRe2Error("an atomic group, a possessive repeat or a reference")

    def _group(self, argument: Any, flags: int, before: int, after: int) -> str:
        number, more, less, inner = argument
        flags = (flags | more) & ~less
        body = self.sequence(inner, flags, before, after)
        if number is not None:
            return f"(?P<{self._names[number]}>{body})" if number in self._names else f"({body})"
        letters = "".join(letter for flag, letter in _FLAGS if more & flag)
        without = "".join(letter for flag, letter in _FLAGS if less & flag)
        return f"(?{letters}{'-' if without else ''}{without}:{body})"

    def _repeat(self, op: Any, argument: Any, flags: int, before: int, after: int) -> str:
        fewest, most, repeated = argument
        if fewest > _MOST or (most != tree.MAXREPEAT and most > _MOST):
            raise UnknownToRe2Error("so many repeats")
        left = before | _edge(list(repeated)[::-1], flags, before, -1)
        body = self.sequence(repeated, flags, left, after | _edge(repeated, flags, after, 1))
        upper = "" if most == tree.MAXREPEAT else str(most)
        return f"(?:{body}){{{fewest},{upper}}}{'?' if op is tree.MIN_REPEAT else ''}"


def _character(code: int) -> str:
    return rf"\x{{{code:x}}}" if not chr(code).isalnum() or code > 127 else chr(code)


def _class(items: Sequence[Any]) -> str:
    out = ""
    negated = items[0][0] is tree.NEGATE
    for op, argument in items[1:] if negated else items:
        if op is tree.LITERAL:
            out += _character(argument)
        elif op is tree.RANGE:
            out += f"{_character(argument[0])}-{_character(argument[1])}"
        elif (category := _CATEGORIES.get(argument)) is not None:
            out += category
        elif len(items) == 1:
            return r"[^\p{L}\p{N}_]"
        elif negated and len(items) == 2:
            return r"[\p{L}\p{N}_]"
        else:
            raise UnknownToRe2Error(r"\W among others")
    return f"[{'^' if negated else ''}{out}]"


def _place(argument: Any) -> str:
    if argument in tree.AT_BEGINNINGS:
        return r"\A"
    if argument in tree.AT_ENDS:
        return r"\z"  # there is no line end in a line
    return r"\b" if argument is tree.AT_BOUNDARIES[0] else r"\B"


def _check_assert(op: Any, argument: Any, flags: int, before: int, after: int) -> None:
    """
    Raises:
        UnknownToRe2Error: it says something about the text that the regex itself does not.
    """
    direction, inner = argument
    if op is tree.ASSERT_NOT and len(inner) == 1 and inner[0][0] in tree.SINGLES:
        there = before if direction < 0 else after
        single, what = inner[0]
        if not there & symbols(single, what, flags):
            return
    raise UnknownToRe2Error("a look-around")


def _edge(nodes: Any, flags: int, beyond: int, direction: int) -> int:
    """The characters that can come next, seen in `direction`, at the beginning of `nodes`, or `beyond` them."""
    found = 0
    for op, argument in nodes:
        edge, empty = _node_edge(op, argument, flags, direction)
        found |= edge
        if op is tree.AT and argument in (tree.AT_BEGINNINGS if direction < 0 else tree.AT_ENDS):
            return found
        if not empty:
            return found
    return found | beyond


def _node_edge(op: Any, argument: Any, flags: int, direction: int) -> tuple[int, bool]:
    """The same for one node, and whether it may match nothing."""
    if op in tree.SINGLES:
        return symbols(op, argument, flags), False
    if op is tree.AT or op in tree.ASSERTS:
        return 0, True
    if op is tree.SUBPATTERN:
        flags = (flags | argument[1]) & ~argument[2]
    found, empty = 0, op in tree.REPEATS and argument[0] == 0
    for child in tree.children((op, argument)):
        nodes = list(child)[::direction]
        found |= _edge(nodes, flags, 0, direction)
        empty |= child.getwidth()[0] == 0
    return found, empty
