"""
A regex as an automaton that goes from character to character.

States are the places of the regex that match one character. What looks ahead is a way that ends there; what looks back is
left out: both can only mean that there are fewer ways than are seen here.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple

from banwatch.filter import tree
from banwatch.filter.symbols import ALL, symbols

MOST_STATES: Final = 2000

MOST_UNROLLED: Final = 128
"""What is repeated a few times is that many states; what is repeated more often is taken for a loop."""


class NoProofError(Exception):
    """Why there is none."""


class _Piece(NamedTuple):
    """
    States a part begins and ends with, each with the number of ways, and the number of ways to match nothing.

    `asks`: whether what stands before it can fail because of it, though it matches nothing.
    """

    first: Counter[int]
    last: Counter[int]
    empty: int
    asks: bool = False


_NOTHING: Final = _Piece(Counter(), Counter(), 1)


class Automaton:
    """
    Args:
        nodes: the parse tree.
        anchored: it is matched at one place; else it is searched for, which is a loop before it.

    Attributes:
        sets: what each state can match.
        after: which states can come next, in how many ways.
        atoms: the atomic groups that a state is in; `within`: those that are not left in the step from one to another.
        forbids: texts that cannot begin at the character which the state matches.
        ends: states behind which nothing more is asked for.
        parts: the states in groups that lead to each other, each group behind those it leads to.
    Raises:
        NoProofError: it is too large, or no such automaton.
    """

    def __init__(self, nodes: Any, anchored: bool) -> None:
        self.sets: list[int] = []
        self.after: list[Counter[int]] = []
        self.atoms: list[frozenset[int]] = []
        self.within: dict[tuple[int, int], frozenset[int]] = {}
        self.forbids: list[set[str]] = []
        self._asked: set[int] = set()
        self._atom: frozenset[int] = frozenset()
        self._groups = 0
        start = self._add(0)
        if not anchored:
            self.sets[start] = ALL
            self.after[start][start] += 1
        whole = self._sequence(nodes, nodes.state.flags)
        self.after[start].update(whole.first)
        self.ends = frozenset(whole.last) - self._asked
        self.parts = find_parts(self.after)

    def _add(self, found: int) -> int:
        if len(self.sets) >= MOST_STATES:
            raise NoProofError("too large")
        self.sets.append(found)
        self.after.append(Counter())
        self.atoms.append(self._atom)
        self.forbids.append(set())
        return len(self.sets) - 1

    def _sequence(self, nodes: Any, flags: int) -> _Piece:
        whole = _NOTHING
        run: list[tuple[int, str]] = []  # the literals just passed
        barred: list[str] = []  # texts that cannot come next
        for op, argument in nodes:
            piece = self._piece(op, argument, flags)
            state = len(self.sets) - 1
            if op is tree.ASSERT_NOT and argument[0] > 0 and not flags & re.IGNORECASE:
                barred = tree.words(argument[1]) or []
                for index, (literal, _) in enumerate(run):
                    behind = "".join(text for _, text in run[index:])
                    self.forbids[literal].update(behind + text for text in barred)
            elif op is not tree.AT:
                if op in tree.SINGLES:
                    self.forbids[state].update(barred)
                run = [*run, (state, chr(argument))] if op is tree.LITERAL else []
                barred = []
            whole = self._join(whole, piece)
        return whole

    def _join(self, whole: _Piece, piece: _Piece) -> _Piece:
        self._connect(whole.last, piece.first)
        if piece.asks:
            self._asked.update(whole.last)
        first, last = whole.first.copy(), piece.last.copy()
        if whole.empty:
            first.update({state: ways * whole.empty for state, ways in piece.first.items()})
        if piece.empty:
            last.update({state: ways * piece.empty for state, ways in whole.last.items()})
        return _Piece(first, last, whole.empty * piece.empty, whole.asks or piece.asks)

    def _connect(self, last: Counter[int], first: Counter[int]) -> None:
        for state, ways in last.items():
            self.after[state].update({to: ways * more for to, more in first.items()})
            for to in first:
                self.within[state, to] = self.within.get((state, to), self._atom) & self._atom

    def _piece(self, op: Any, argument: Any, flags: int) -> _Piece:
        if op in tree.SINGLES:
            state = self._add(symbols(op, argument, flags))
            return _Piece(Counter([state]), Counter([state]), 0)
        if op is tree.SUBPATTERN:
            _group, more, less, inner = argument
            return self._sequence(inner, (flags | more) & ~less)
        if op is tree.BRANCH:
            return self._branch([self._sequence(branch, flags) for branch in argument[1]])
        if op is tree.ATOMIC_GROUP:
            return self._atomic(lambda: self._sequence(argument, flags))
        if op is tree.POSSESSIVE_REPEAT:
            return self._atomic(lambda: self._repeat(argument, flags))
        if op in tree.REPEATS:
            return self._repeat(argument, flags)
        if op in tree.ASSERTS:
            direction, inner = argument
            ahead = self._sequence(inner, flags) if direction > 0 else _NOTHING
            return _Piece(ahead.first, Counter(), 1, True)
        if op is tree.AT:
            return _NOTHING._replace(asks=argument not in tree.AT_ENDS)
        raise NoProofError("a reference to what a group matched")

    def _branch(self, pieces: list[_Piece]) -> _Piece:
        first, last = Counter[int](), Counter[int]()
        for piece in pieces:
            first.update(piece.first)
            last.update(piece.last)
        return _Piece(first, last, sum(piece.empty for piece in pieces), any(piece.asks for piece in pieces))

    def _atomic(self, build: Callable[[], _Piece]) -> _Piece:
        before = self._atom
        self._groups += 1
        self._atom = before | {self._groups}
        piece = build()
        self._atom = before
        return piece._replace(empty=min(piece.empty, 1))

    def _repeat(self, argument: Any, flags: int) -> _Piece:
        fewest, most, repeated = argument
        before = len(self.sets)
        piece = self._sequence(repeated, flags)
        if 1 < most <= MOST_UNROLLED and most * (len(self.sets) - before) <= MOST_UNROLLED:
            return self._unroll(piece, fewest, most, lambda: self._sequence(repeated, flags))
        if most > 1:
            if piece.empty:
                raise NoProofError("a loop around something that may be empty")
            self._connect(piece.last, piece.first)
        return piece._replace(empty=piece.empty + (fewest == 0))

    def _unroll(self, piece: _Piece, fewest: int, most: int, again: Callable[[], _Piece]) -> _Piece:
        """`piece` and what follows it, one behind the other: a few, each of which there may be only behind the one before."""
        pieces = [piece, *(again() for _ in range(most - 1))]
        whole = _NOTHING
        for number in range(most - 1, -1, -1):
            whole = self._join(pieces[number], whole)
            if number >= fewest:
                whole = whole._replace(empty=whole.empty + 1)
        return whole


def find_parts(after: Sequence[Collection[int]]) -> list[list[int]]:
    """The states in groups that lead to each other, each group behind those it leads to: Tarjan's algorithm."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    waiting: set[int] = set()
    parts: list[list[int]] = []

    def enter(state: int) -> tuple[int, Iterator[int]]:
        index[state] = low[state] = len(index)
        stack.append(state)
        waiting.add(state)
        return state, iter(after[state])

    for root in range(len(after)):
        work = [] if root in index else [enter(root)]
        while work:
            state, following = work[-1]
            for to in following:
                if to not in index:
                    work.append(enter(to))
                    break
                if to in waiting:
                    low[state] = min(low[state], index[to])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[state])
                if low[state] == index[state]:
                    place = stack.index(state)
                    parts.append(stack[place:])
                    waiting.difference_update(stack[place:])
                    del stack[place:]
    return parts
