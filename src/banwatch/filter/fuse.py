"""
Many regexes → one regex with a branch for each, which finds what trying them in their order would find.

Filters tend to have many regexes that begin alike. Where the common beginning can match in one way only it is written once,
before branches for the rest; so a message is read once, and not once for each regex. Pure text work: the order of branches
stays, and a branch ends in an empty group that tells which one it was.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from banwatch.filter.tree import parse, words

# A group's name, and what merely looks like it.
_NAMED: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(?P<open>\(\?P<)(?P<name>\w+)", re.DOTALL)
_ATOM: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_QUANTIFIER: Final = re.compile(r"(?:[*+?]|\{[0-9]*,?[0-9]*\})[?+]?")


class Fused(NamedTuple):
    """
    `source`: alternatives, to be put in a group. `branches`: the name of the empty group at the end of each → the number of
    the source it stands for; several may stand for one. Its other groups have that name, and an underscore, before their own.
    """

    source: str
    branches: dict[str, int]


def fuse(sources: Sequence[str]) -> Fused:
    """One regex for all."""
    fused = Fused("", {})
    joined = _join([(number, split_atoms(ease_options(source))) for number, source in enumerate(sources)], fused.branches)
    return fused._replace(source=joined.removeprefix("(?:").removesuffix(")"))


def rename_groups(source: str, prefix: str) -> str:
    """`source` with `prefix` before the name of each group."""

    def replace(found: re.Match[str]) -> str:
        return f"{found['open']}{prefix}{found['name']}" if found["open"] else found[0]

    return _NAMED.sub(replace, source)


def ease_options(source: str) -> str:
    """`source` with `(?:x|)` for each `(?:x)?`: the same, but at alternatives the engine has a quick glance first."""
    out: list[str] = []
    plain: list[bool] = []
    place = 0
    while place < len(source):
        atom = _ATOM.match(source, place)
        assert atom is not None
        place = atom.end()
        if atom[0] == "(":
            plain.append(source.startswith("?:", place))
        if atom[0] == ")" and plain.pop() and source.startswith("?", place) and source[place + 1 : place + 2] not in ("?", "+"):
            out.append("|)")
            place += 1
        else:
            out.append(atom[0])
    return "".join(out)


def split_atoms(source: str) -> tuple[str, ...]:
    """The pieces that `source` is a sequence of: characters, classes and whole groups, each with its quantifier."""
    atoms = []
    start = place = depth = 0
    while place < len(source):
        atom = _ATOM.match(source, place)
        assert atom is not None
        place = atom.end()
        depth += (atom[0] == "(") - (atom[0] == ")")
        if depth == 0:
            if (quantifier := _QUANTIFIER.match(source, place)) is not None:
                place = quantifier.end()
            atoms.append(source[start:place])
            start = place
    return tuple(atoms)


_Branch = tuple[int, tuple[str, ...]]


def _join(branches: Sequence[_Branch], names: dict[str, int]) -> str:
    """The branches as alternatives, neighbours with a common beginning joined; their names go into `names`."""
    joined: list[str] = []
    index = 0
    while index < len(branches):
        end = index + 1
        common = branches[index][1]
        while end < len(branches) and (shared := _shared(common, branches[end][1])):
            common, end = shared, end + 1
        if end == index + 1:
            joined.extend(_name(number, atoms, names) for number, atoms in _unfold(branches[index]))
        else:
            rest = [(number, atoms[len(common) :]) for number, atoms in branches[index:end]]
            joined.append("".join(common) + _join(rest, names))
        index = end
    return f"(?:{'|'.join(joined)})"


def _name(number: int, atoms: tuple[str, ...], names: dict[str, int]) -> str:
    name = f"b{len(names)}"
    names[name] = number
    return f"{rename_groups(''.join(atoms), f'{name}_')}(?P<{name}>)"


def _unfold(branch: _Branch) -> list[_Branch]:
    """
    A branch that may begin with some text or not as two, one for each: `(?:error: )?PAM` as `error: PAM` and `PAM`.

    A branch that begins with a plain character is passed over at a glance where a line has another one.
    """
    number, atoms = branch
    if not atoms or not (atoms[0].startswith("(?:") and atoms[0].endswith("|)")):
        return [branch]
    optional = words(parse(f"{atoms[0][:-2]})", 0))
    if optional is None or len(optional) != 1:
        return [branch]
    return [(number, (re.escape(optional[0]), *atoms[1:])), (number, atoms[1:])]


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """
    The longest common beginning of two branches that can match in one way only; empty if there is none.

    With several ways to match it the order would change: all branches would be tried for the first way before the second way is.
    """
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    while length and not _is_plain(one[:length]):
        length -= 1
    return one[:length]


def _is_plain(atoms: tuple[str, ...]) -> bool:
    """Whether the atoms match some words only, none of which begins with another one, and no group of a branch is among them."""
    source = "".join(atoms)
    found = words(parse(source, 0))
    if found is None or any(name["open"] for name in _NAMED.finditer(source)) or len(set(found)) < len(found):
        return False
    ordered = sorted(found)
    return not any(after.startswith(before) for before, after in pairwise(ordered))
