"""
What is suspicious in a filter though it works: regexes that a stranger's text may fool, that take too long, or that never match.

A line holds what a stranger chose beside what the service wrote. Only a regex that accounts for all of the line, from ^ to $,
can tell one from the other; and where it skips over text before <HOST>, what follows has to make sure that this is the last
place in the line where an address fits. Pure.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from banwatch.config.model import FilterSpec, Mark, Problem
from banwatch.filter import tree
from banwatch.filter.failregex import IP_NAMES, Pattern, expand_tags
from banwatch.filter.fields import Entry
from banwatch.filter.match import Filter, name_regex
from banwatch.filter.symbols import symbols
from banwatch.model import SUCCESS

MANY: Final = 16
"""So many characters are room for an address."""

_PRINTABLE: Final = sum(1 << code for code in range(0x20, 0x7F))


def lint_filter(spec: FilterSpec, compiled: Filter) -> list[Problem]:
    """Warnings, each at the line of the regex that it is about."""
    found = _Found(spec)
    for pattern in compiled.patterns:
        key = name_regex(pattern.kind, pattern.index, pattern.hint)
        if not is_anchored(pattern.source):
            found.add(key, "a regex from ^ to $", pattern.written, "not anchored from ^ to $: a stranger may choose what matches")
        if pattern.kind != SUCCESS and is_forgeable(pattern):  # who got in has a name that somebody gave him
            note = "skips over text before the address, in which a stranger may put another one, and does not end behind it"
            found.add(key, "a $ behind <HOST>, and nothing like .* on the way there", pattern.written, note)
    for index, written in enumerate(spec.ignoreregex):
        if not is_anchored(expand_tags(written)):
            note = "not anchored from ^ to $: a stranger may hide by writing what matches"
            found.add(f"ignoreregex[{index}]", "a regex from ^ to $", written, note)
    for key, chosen in compiled.engines.items():
        if chosen.engine == "bounded":
            note = f"no engine takes it in linear time (it has {chosen.doubt}): lines that spend its budget are not matched"
            found.add(key, "a regex that `re` or RE2 takes in linear time", chosen.regex.pattern, note)
    for key, written, first in _repeated(compiled.rules):
        found.add(key, "each regex once", written, f"the same as {first}, so it never matches")
    return found.problems


class _Found:
    """Problems of one filter."""

    def __init__(self, spec: FilterSpec) -> None:
        self._spec = spec
        self.problems: list[Problem] = []

    def add(self, key: str, expected: str, got: str, note: str) -> None:
        entry = f"{key.partition(']')[0]}]"  # a condition stands in the line of its entry, or below it
        mark = self._spec.marks.get(key) or self._spec.marks.get(entry) or Mark(f"filters/{self._spec.name}.yaml", 0)
        self.problems.append(Problem(*mark, key, expected, got, filter=self._spec.name, warning=True, note=note))


def is_anchored(source: str) -> bool:
    """Whether each way through a regex without tags begins with ^ and ends with $."""
    nodes = list(tree.parse(source, 0))
    return _begins(nodes) and _ends(nodes)


def is_forgeable(pattern: Pattern) -> bool:
    """
    Whether text before <HOST> is skipped, which a stranger may have chosen, and what follows it does not make sure that this is
    the last place in the line where an address fits: it does not reach the end, or it skips over anything as well.
    """
    groups = {group for name, group in pattern.regex.groupindex.items() if name in IP_NAMES}
    ways = _ways(list(tree.parse(pattern.source, 0)), groups)
    return any(any(map(_skips, before)) and (not _ends(behind) or any(map(_skips, behind))) for before, behind in ways)


_Nodes = tuple[tree.Node, ...]


def _ways(nodes: Sequence[tree.Node], groups: set[int]) -> Iterator[tuple[_Nodes, _Nodes]]:
    """For each place of the address what stands before it and behind it; alternatives apart from each other."""
    for index, node in enumerate(nodes):
        op, argument = node
        before, behind = tuple(nodes[:index]), tuple(nodes[index + 1 :])
        if op is tree.SUBPATTERN and argument[0] in groups:
            yield before, behind
            continue
        for child in tree.children(node):
            for inner_before, inner_behind in _ways(list(child), groups):
                yield (*before, *inner_before), (*inner_behind, *behind)


def _skips(node: tree.Node) -> bool:
    """Whether a node takes any number of any characters: `.*`, not `(?:(?! from ).)*`, which cannot go past the place."""
    op, argument = node
    if op in tree.REPEATS and argument[1] >= MANY and len(argument[2]) == 1 and _takes_anything(argument[2][0]):
        return True
    return any(_skips(inner) for child in tree.children(node) for inner in child)


def _takes_anything(node: tree.Node) -> bool:
    op, argument = node
    if op is tree.SUBPATTERN or op is tree.ATOMIC_GROUP or op is tree.BRANCH:
        return any(len(child) == 1 and _takes_anything(child[0]) for child in tree.children(node))
    return op in (tree.ANY, tree.IN, tree.NOT_LITERAL) and symbols(op, argument, 0) & _PRINTABLE == _PRINTABLE


def _ends(nodes: Sequence[tree.Node]) -> bool:
    """Whether the end of the line has to stand there."""
    if not nodes:
        return False
    op, argument = nodes[-1]
    if op is tree.AT:
        return argument in tree.AT_ENDS
    if op is tree.BRANCH:
        return all(_ends(tuple(branch)) for branch in argument[1])
    return op in (tree.SUBPATTERN, tree.ATOMIC_GROUP) and all(_ends(tuple(child)) for child in tree.children(nodes[-1]))


def _begins(nodes: Sequence[tree.Node]) -> bool:
    """Whether the beginning has to stand there."""
    if not nodes:
        return False
    op, argument = nodes[0]
    if op is tree.AT:
        return argument in tree.AT_BEGINNINGS
    if op is tree.BRANCH:
        return all(_begins(tuple(branch)) for branch in argument[1])
    return op in (tree.SUBPATTERN, tree.ATOMIC_GROUP) and all(_begins(tuple(child)) for child in tree.children(nodes[0]))


def _repeated(rules: Iterable[Pattern | Entry]) -> Iterator[tuple[str, str, str]]:
    """What stands there again: its key, itself, and the key of the first."""
    seen: dict[object, str] = {}
    for rule in rules:
        key = name_regex(rule.kind, rule.index, rule.hint)
        first = seen.setdefault(_essence(rule), key)
        if first != key:
            yield key, rule.written, first


def _essence(rule: Pattern | Entry) -> object:
    """The same for two rules only if the same lines match."""
    if isinstance(rule, Entry):
        return frozenset((path.written, None if regex is None else regex.pattern) for path, regex in rule.conditions)
    nodes = tree.parse(rule.source, 0)
    return nodes.state.flags & re.IGNORECASE, _normal(nodes)


def _normal(nodes: Any) -> tuple[object, ...]:
    """A tree without what it captures, alternatives and classes in one order."""
    normal: list[object] = []
    for op, argument in nodes:
        if op is tree.SUBPATTERN and not argument[1] and not argument[2]:
            normal.extend(_normal(argument[3]))
        elif op is tree.BRANCH:
            normal.append((str(op), tuple(sorted({_normal(branch) for branch in argument[1]}, key=repr))))
        elif op is tree.IN:
            normal.append((str(op), tuple(sorted(set(argument), key=repr))))
        elif op in tree.REPEATS:
            normal.append((str(op), argument[0], int(argument[1]), _normal(argument[2])))
        elif op is tree.ATOMIC_GROUP:
            normal.append((str(op), _normal(argument)))
        else:
            normal.append((str(op), repr(argument)))
    return tuple(normal)
