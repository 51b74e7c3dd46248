"""
What a regex is made of, for the two questions asked about it: may it stand behind a header, and what has to be in a line?

This is the one place that reads the standard library's parse tree, which is private; its tests tell when it changes.
"""

from collections.abc import Iterable
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any, Final

Node = tuple[Any, Any]

LITERAL: Final = _constants.LITERAL
NOT_LITERAL: Final = _constants.NOT_LITERAL
ANY: Final = _constants.ANY
IN: Final = _constants.IN
NEGATE: Final = _constants.NEGATE
RANGE: Final = _constants.RANGE
CATEGORY: Final = _constants.CATEGORY
AT: Final = _constants.AT
AT_BEGINNINGS: Final = (_constants.AT_BEGINNING, _constants.AT_BEGINNING_STRING)
AT_ENDS: Final = (_constants.AT_END, _constants.AT_END_STRING)
AT_BOUNDARIES: Final = (_constants.AT_BOUNDARY, _constants.AT_NON_BOUNDARY)
SINGLES: Final = (LITERAL, NOT_LITERAL, ANY, IN)
SUBPATTERN: Final = _constants.SUBPATTERN
ATOMIC_GROUP: Final = _constants.ATOMIC_GROUP
BRANCH: Final = _constants.BRANCH
REPEATS: Final = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)
MAXREPEAT: Final = _constants.MAXREPEAT
MIN_REPEAT: Final = _constants.MIN_REPEAT
POSSESSIVE_REPEAT: Final = _constants.POSSESSIVE_REPEAT
ASSERT_NOT: Final = _constants.ASSERT_NOT
ASSERTS: Final = (_constants.ASSERT, _constants.ASSERT_NOT)
# The same for bytes of one line of ASCII, so without \n. In text \s takes \x1c to \x1f as well, in bytes it does not.
ASCII_CATEGORIES: Final = {
    _constants.CATEGORY_DIGIT: rb"0-9",
    _constants.CATEGORY_SPACE: rb" \t\r\f\v\x1c-\x1f",
    _constants.CATEGORY_WORD: rb"a-zA-Z0-9_",
    _constants.CATEGORY_NOT_DIGIT: rb"\x00-\x09\x0b-/:-\x7f",
    _constants.CATEGORY_NOT_SPACE: rb"\x00-\x08\x0e-\x1b!-\x7f",
    _constants.CATEGORY_NOT_WORD: rb"\x00-\x09\x0b-/:-@\[-^`{-\x7f",
}


def parse(source: str, flags: int) -> Any:
    """
    The parse tree of `source`: a sequence of (opcode, argument).

    Raises:
        re.error: it is no regex.
    """
    return _parser.parse(source, flags)


def looks_back(nodes: Any, consumed: int = 0) -> bool:
    """
    Whether a match could depend on what stands before the place where it begins.

    Args:
        nodes: a (sub)tree.
        consumed: the least number of characters that were matched before it.
    """
    for op, argument in nodes:
        if op is AT:
            if argument in AT_ENDS or (argument in AT_BOUNDARIES and consumed):
                continue
            return True
        if op in ASSERTS:
            direction, inner = argument
            if direction < 0 and (inner.getwidth()[1] > consumed or looks_back(inner)):
                return True
            if direction > 0 and looks_back(inner, consumed):
                return True
        elif any(looks_back(child, consumed) for child in children((op, argument))):
            return True
        consumed += _least_width(nodes, (op, argument))
    return False


def refers(nodes: Any) -> bool:
    """Whether some part of the tree depends on what a group captured."""
    return any(
        op in (_constants.GROUPREF, _constants.GROUPREF_EXISTS)
        or (op in ASSERTS and refers(argument[1]))
        or any(refers(child) for child in children((op, argument)))
        for op, argument in nodes
    )


def words(nodes: Any, most: int = 256) -> list[str] | None:
    """All that the tree can match, if these are at most so many texts that do not depend on case; else None."""
    found = [""]
    for op, argument in nodes:
        if op is LITERAL:
            pieces: list[str] | None = [chr(argument)]
        elif op is BRANCH:
            branches = [words(branch) for branch in argument[1]]
            pieces = None if None in branches else [word for branch in branches for word in branch or ()]
        elif op is SUBPATTERN and not argument[1] and not argument[2]:
            pieces = words(argument[3])
        elif op in REPEATS and argument[:2] == (0, 1):
            inner = words(argument[2])
            pieces = None if inner is None else ["", *inner]
        else:
            return None
        if pieces is None or len(found) * len(pieces) > most:
            return None
        found = [word + piece for word in found for piece in pieces]
    return found


def children(node: Node) -> Iterable[Any]:
    """The subtrees of a node, lookarounds not counted."""
    op, argument = node
    if op is SUBPATTERN:
        return (argument[3],)
    if op is ATOMIC_GROUP:
        return (argument,)
    if op is BRANCH:
        return tuple(argument[1])
    if op in REPEATS:
        return (argument[2],)
    if op is _constants.GROUPREF_EXISTS:
        return tuple(branch for branch in argument[1:] if branch is not None)
    return ()


def _least_width(nodes: Any, node: Node) -> int:
    return int(_parser.SubPattern(nodes.state, [node]).getwidth()[0])


def stays_within(nodes: Any, forbidden: frozenset[str]) -> bool:
    """Whether all that a match can consist of is plain characters, none of them forbidden or blank; False when in doubt."""
    for op, argument in nodes:
        if op is LITERAL:
            if chr(argument) in forbidden or chr(argument).isspace():
                return False
        elif op is IN:
            if not all(_plain(item, forbidden) for item in argument):
                return False
        elif op in (SUBPATTERN, ATOMIC_GROUP, BRANCH) or op in REPEATS:
            if op is SUBPATTERN and (argument[1] or argument[2]):
                return False
            if not all(stays_within(child, forbidden) for child in children((op, argument))):
                return False
        else:
            return False
    return True


def _plain(item: Node, forbidden: frozenset[str]) -> bool:
    op, argument = item
    if op is LITERAL:
        return chr(argument) not in forbidden and not chr(argument).isspace()
    if op is RANGE:
        return not any(chr(code) in forbidden or chr(code).isspace() for code in range(argument[0], min(argument[1], 0x3000) + 1))
    return op is CATEGORY and argument in (_constants.CATEGORY_DIGIT, _constants.CATEGORY_WORD)
