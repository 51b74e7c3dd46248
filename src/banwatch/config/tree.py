"""
YAML text as a tree that remembers where everything was written, and how two such trees become one.

Every scalar stays the text that was typed (`22:30`, `0644` and `no` mean nothing else), keys that stand twice are seen, and
what a hostile or broken file could grow is bounded: nesting, and the number of values after aliases are followed.
The tree is made of tuples; nothing of PyYAML outlives the reading. Pure.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

import yaml

from banwatch.config.model import Mark, Problem
from banwatch.config.problem import LONGEST

DEEPEST = 20
MOST_VALUES = 100_000
_TOO_DEEP = f"nested deeper than {DEEPEST} levels"

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class Text(NamedTuple):
    """A scalar; `block` if it was written after a |."""

    value: str
    mark: Mark
    block: bool = False


class Null(NamedTuple):
    """`null`, or nothing at all (`text` is empty): deletes what earlier files set; `deleted` once it did."""

    text: str
    mark: Mark
    deleted: bool = False


class Items(NamedTuple):
    """A list."""

    items: "tuple[Node, ...]"
    mark: Mark


class Entry(NamedTuple):
    """A value in a mapping, and where its key stands."""

    mark: Mark
    node: "Node"


class Table(NamedTuple):
    """A mapping, in the order of writing."""

    entries: Mapping[str, Entry]
    mark: Mark


Node = Text | Null | Items | Table


class NotYamlError(Exception):
    """The text cannot be read at all; `problem` says where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.note)
        self.problem = problem


def compose(text: str, file: str) -> tuple[Table, tuple[Problem, ...]]:
    """
    The mapping that `text` holds (no document at all is an empty one), and what is wrong with its form.

    A problem's `jail` is the outermost key it stands under: what that means is the caller's to know.

    Args:
        file: the name to remember in marks.
    Raises:
        NotYamlError: it is no YAML, no mapping, has more than one document, or passes a bound.
    """
    composer = _Composer(text, file)
    try:
        return composer.document(), tuple(composer.problems)
    except yaml.reader.ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        raise composer.refusal(line, str(error.reason)) from None
    except yaml.MarkedYAMLError as error:
        mark, began = error.problem_mark or error.context_mark, error.context_mark
        line = mark.line + 1 if mark else 0
        if "nesting" in str(error.problem):  # newer libyaml has a bound of its own, and may meet it before we come to ours
            raise composer.refusal(line, _TOO_DEEP) from None
        since = f", {error.context} from line {began.line + 1} on" if began and began.line + 1 != line else ""
        raise composer.refusal(line, f"{error.problem}{since}") from None


def merge(lower: Node, upper: Node) -> Node:
    """`upper` over `lower`: mappings merge key by key, null deletes, everything else replaces."""
    if isinstance(upper, Null):
        return upper if isinstance(lower, Null) else upper._replace(deleted=True)
    if not (isinstance(lower, Table) and isinstance(upper, Table)):
        return upper
    entries = dict(lower.entries)
    for key, entry in upper.entries.items():
        below = entries.get(key)
        entries[key] = entry if below is None else Entry(entry.mark, merge(below.node, entry.node))
    return Table(entries, upper.mark)


def render_node(node: Node) -> str:
    """The node as it could stand on one line, for messages; long ones are cut."""
    text = "".join(_pieces(node, 3))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _pieces(node: Node, depth: int) -> Iterator[str]:
    if isinstance(node, Text):
        yield node.value[:LONGEST]
    elif isinstance(node, Null):
        yield node.text
    elif depth == 0:
        yield "…"
    elif isinstance(node, Items):
        yield "["
        for index, item in enumerate(node.items[:LONGEST]):
            yield ", " if index else ""
            yield from _pieces(item, depth - 1)
        yield "]"
    else:
        yield "{"
        for index, (key, entry) in enumerate(list(node.entries.items())[:LONGEST]):
            yield f"{', ' if index else ''}{key}: "
            yield from _pieces(entry.node, depth - 1)
        yield "}"


class _Composer:
    """Events of one text → nodes. libyaml's own composer recurses in C without a bound; this one has one."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.problems: list[Problem] = []
        self._events = cast(Iterator[Any], yaml.parse(text, Loader=_LOADER))
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        self._values = 0
        self._top: str | None = None

    def document(self) -> Table:
        next(self._events)
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return Table({}, Mark(self.file, 0))
        node = self._node(next(self._events), "", 0)
        next(self._events)
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self.refusal(self._mark(event).line, "more than one document in the file")
        if isinstance(node, Null):
            return Table({}, node.mark)
        if not isinstance(node, Table):
            raise NotYamlError(Problem(self.file, node.mark.line, "", "a mapping", render_node(node)))
        return node

    def refusal(self, line: int, why: str) -> NotYamlError:
        lines = self.text.splitlines()
        written = lines[line - 1] if 0 < line <= len(lines) else ""
        if "\t" in written[: len(written) - len(written.lstrip())]:
            why = "a tab in the indentation"
        return NotYamlError(Problem(self.file, line, "", "YAML", written.strip()[:LONGEST], note=f"not YAML: {why}"))

    def _node(self, event: Any, path: str, depth: int) -> Node:
        mark = self._mark(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, mark)
        before = self._values
        self._count(mark, 1)
        if depth > DEEPEST:
            raise self.refusal(mark.line, _TOO_DEEP)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if event.tag is not None:
            self._complain(mark, path, "a value without a tag", str(event.tag))
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, mark)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Items(tuple(self._items(path, depth)), mark)
        else:
            node = self._table(mark, path, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node, self._values - before
        return node

    def _alias(self, event: Any, mark: Mark) -> Node:
        if event.anchor not in self._anchors:
            raise self.refusal(mark.line, f"*{event.anchor} is not defined; a regex that begins with * needs single quotes")
        known = self._anchors[event.anchor]
        if known is None:
            raise self.refusal(mark.line, f"*{event.anchor} stands within itself")
        node, values = known
        self._count(mark, values)
        return node

    def _scalar(self, event: Any, mark: Mark) -> Node:
        if event.implicit[0] and event.value in _NULLS:
            return Null(event.value, mark)
        return Text(event.value, mark, event.style == "|")

    def _items(self, path: str, depth: int) -> Iterator[Node]:
        index = 0
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, f"{path}[{index}]", depth + 1)
            index += 1

    def _table(self, mark: Mark, path: str, depth: int) -> Table:
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            at = self._mark(event)
            key = self._node(event, path, depth + 1)
            name = key.value if isinstance(key, Text) else render_node(key)
            inner = f"{path}.{name}" if path else name
            if depth == 0:
                self._top = name
            node = self._node(next(self._events), inner, depth + 1)
            if not isinstance(key, Text):
                self._complain(at, inner, "a key that is text", name)
            elif name in entries:
                first = entries[name].mark.line
                self._complain(at, inner, "each key once", name, f"stands here again; first in line {first}")
            else:
                entries[name] = Entry(at, node)
        return Table(entries, mark)

    def _complain(self, mark: Mark, path: str, expected: str, got: str, note: str = "") -> None:
        self.problems.append(Problem(*mark, path, expected, got, jail=self._top, note=note))

    def _count(self, mark: Mark, values: int) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            raise self.refusal(mark.line, f"more than {MOST_VALUES} values")

    def _mark(self, event: Any) -> Mark:
        return Mark(self.file, event.start_mark.line + 1)
