"""
A proof that `re` takes a regex in linear time: that it never has two ways to go on which it would have to try one by one.

The regex is taken as an automaton that goes from character to character. A backtracking engine does no more than to walk
every way through it that spells the text, or the beginning of it. There are few of them, however long the text is, unless

  - a loop can be walked in two ways with the same text:      (a|ab?b*)*  exponentially many ways
  - one loop leads to another, and the same text goes round the first, from the first to the second, and round the second:
                                                              .*x.*       as many as pairs of places in the text

What is inside of an atomic group or a possessive repeat is left in one way only. A search is a loop before the regex.
Source: A. Weber, H. Seidl, On the degree of ambiguity of finite automata, 1991: the criteria are named EDA and IDA there.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any, Final

from banwatch.filter import tree
from banwatch.filter.automaton import Automaton, NoProofError
from banwatch.filter.symbols import EVERY, OTHERS, symbol

MOST_STEPS: Final = 200_000
"""A proof that takes longer is none."""

MOST_FORKS: Final = 8
"""Places outside of loops where two ways meet again; each may double the time."""


def find_doubt(source: str, flags: int = 0) -> str | None:
    """
    What keeps a regex from being proven linear, in a few words; None if it is proven.

    Raises:
        re.error: it is no regex.
    """
    nodes = tree.parse(source, flags)
    try:
        _Proof(Automaton(nodes, _is_anchored(nodes))).check()
    except NoProofError as doubt:
        return str(doubt)
    return None


_Texts = frozenset[str]
_NO_TEXTS: Final[_Texts] = frozenset()


class _Proof:
    """What may go wrong in an automaton."""

    def __init__(self, automaton: Automaton) -> None:
        self._automaton = automaton
        self.sets, self.after = automaton.sets, automaton.after
        self._steps = 0

    def check(self) -> None:
        """
        Raises:
            NoProofError: there may be too many ways.
        """
        parts = self._automaton.parts
        loops = [part for part in parts if len(part) > 1 or part[0] in self.after[part[0]]]
        for loop in loops:
            if self._forks(loop, frozenset(loop)):
                raise NoProofError("a loop that can be walked in two ways")
        if self._longest(parts, self._forks(range(len(self.sets)), None)) > MOST_FORKS:
            raise NoProofError("too many ways that meet again")
        for one, other in ((one, other) for one in loops for other in loops if one is not other):
            if self._leads(one, other):
                raise NoProofError("two loops that the same text can be in")

    def _longest(self, parts: list[list[int]], forks: set[tuple[int, int]]) -> int:
        """How many forks there are at most on one way; those within a loop are one."""
        length = [0] * len(self.sets)
        for part in parts:
            inside = frozenset(part)
            steps = [(state, to) for state in part for to in self.after[state]]
            longest = max((length[to] + ((state, to) in forks) for state, to in steps if to not in inside), default=0)
            longest += any(step in forks and step[1] in inside for step in steps)
            for state in part:
                length[state] = longest
        return length[0]

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise NoProofError("too large")

    def _next(self, state: int, inside: frozenset[int] | None) -> Iterable[int]:
        return self.after[state] if inside is None else (to for to in self.after[state] if to in inside)

    def _forks(self, states: Iterable[int], inside: frozenset[int] | None) -> set[tuple[int, int]]:
        """The steps with which two ways (through `inside` only) begin that lead to one state with the same text."""
        forks: set[tuple[int, int]] = set()
        before: dict[tuple[int, int], set[tuple[int, int]]] = {}
        heads: dict[tuple[int, int], set[int]] = {}
        meeting: set[tuple[int, int]] = set()
        for state in states:
            following = sorted(self._next(state, inside))
            forks.update((state, to) for to in following if self.after[state][to] > 1)
            for pair in combinations(following, 2):
                if self.sets[pair[0]] & self.sets[pair[1]]:
                    heads.setdefault(pair, set()).add(state)
        todo = list(heads)
        seen = set(todo)
        while todo:
            pair = todo.pop()
            for to, meets in self._pairs(pair, inside):
                if meets:
                    meeting.add(pair)
                    continue
                before.setdefault(to, set()).add(pair)
                if to not in seen:
                    seen.add(to)
                    todo.append(to)
        todo = list(meeting)
        while todo:
            pair = todo.pop()
            forks.update((state, to) for state in heads.get(pair, ()) for to in pair)
            for earlier in before.get(pair, ()):
                if earlier not in meeting:
                    meeting.add(earlier)
                    todo.append(earlier)
        return forks

    def _pairs(self, pair: tuple[int, int], inside: frozenset[int] | None) -> Iterator[tuple[tuple[int, int], bool]]:
        """Where two ways can be after the same next character, and whether they are one then."""
        for one in self._next(pair[0], inside):
            for other in self._next(pair[1], inside):
                self._step()
                if self.sets[one] & self.sets[other]:
                    yield (min(one, other), max(one, other)), one == other

    def _leads(self, loop: list[int], target: list[int]) -> bool:
        """Whether some text goes round `loop`, from it to `target`, and round `target`, and can fail behind that."""
        if not _union(self.sets[state] for state in loop) & _union(self.sets[state] for state in target):
            return False
        atoms, within = self._automaton.atoms, self._automaton.within
        inside = {(state, to) for state in loop for to in self.after[state] if to in loop}
        groups = frozenset.intersection(*(within.get(step, frozenset()) for step in inside))
        if not any(groups <= atoms[state] for state in target):
            return False  # the loop is in an atomic group, and the target behind that: it is left in one way
        if len(target) == 1 and target[0] in self._automaton.ends and self.sets[target[0]] & EVERY == EVERY:
            return False  # .* at the end: whatever comes, there is a match
        both = frozenset(loop), frozenset(target)
        return any(self._goes(start, end, both) for start in loop for end in target)

    def _goes(self, start: int, end: int, inside: tuple[frozenset[int], frozenset[int]]) -> bool:
        """Whether some text leads from `start` to itself, from `start` to `end`, and from `end` to itself."""
        loop, target = inside
        todo = [(start, start, end, _NO_TEXTS)]
        seen = set(todo)
        while todo:
            one, way, other, texts = todo.pop()
            for to_one in self._next(one, loop):
                for to_other in self._next(other, target):
                    both = self.sets[to_one] & self.sets[to_other]
                    for to_way in self.after[way] if both else ():
                        states = (to_one, to_way, to_other)
                        for after in self._read(texts, states, self.sets[to_way] & both):
                            if states == (start, end, end):
                                return True
                            if (*states, after) not in seen:
                                seen.add((*states, after))
                                todo.append((*states, after))
        return False

    def _read(self, texts: _Texts, states: tuple[int, int, int], found: int) -> Iterator[_Texts]:
        """
        What remains of forbidden texts behind one more character out of `found`, which leads to `states`.

        A text is forbidden from a place on; what has been read of it is left out. A character that makes one whole is none.
        """
        self._step()
        new = set().union(*(self._automaton.forbids[state] for state in states))
        letters = {text[0] for text in texts} | {text[0] for text in new if text}
        if found & ~_union(map(symbol, letters)) or found & OTHERS:
            yield _NO_TEXTS
        for letter in letters:
            if found & symbol(letter):
                after = frozenset(text[1:] for text in (*texts, *new) if text.startswith(letter))
                if "" not in after:
                    yield after


def _is_anchored(nodes: Any) -> bool:
    return bool(nodes) and nodes[0][0] is tree.AT and nodes[0][1] in tree.AT_BEGINNINGS and not nodes.state.flags & re.MULTILINE


def _union(sets: Iterable[int]) -> int:
    found = 0
    for each in sets:
        found |= each
    return found
