"""
Nodes of the tree as values, by the tables of schema.py: whatever does not fit becomes a problem, and the reading goes on.

A value that is absent or does not fit is not in the result; the caller builds nothing out of a result that had problems. Pure.
"""

import difflib
from collections.abc import Iterable
from typing import Any

from banwatch.config import convert as to
from banwatch.config.model import Mark, Problem
from banwatch.config.problem import UnfitError
from banwatch.config.schema import Both, Each, Fields, Key, Many, Named, Regexes, Scalar, Value
from banwatch.config.tree import Entry, Items, Node, Null, Table, Text, render_node

QUOTE_MAPPING = "quote this regex: it contains `: `"
QUOTE_LIST = "quote this regex: it begins with ["

_MISSING: Any = object()


class Reader:
    """
    Reads one jail, one filter, or banwatch.yaml.

    Args:
        jail, filter: whom the problems are put down to.
        prefix: what goes before every path in a problem's key.
    `problems` grows while reading; `marks` tells where each value was written, by its path; `unfit` has the paths of those
    that are left out of the result because they are wrong, not because they are absent.
    """

    def __init__(self, jail: str | None = None, filter: str | None = None, prefix: str = "") -> None:
        self.jail = jail
        self.filter = filter
        self.prefix = prefix
        self.problems: list[Problem] = []
        self.marks: dict[str, Mark] = {}
        self.unfit: set[str] = set()

    @property
    def broken(self) -> bool:
        """Whether one of the problems is more than a warning."""
        return any(not problem.warning for problem in self.problems)

    def complain(self, mark: Mark, path: str, expected: str, got: str, note: str = "", warning: bool = False) -> None:
        """Adds a problem with the value at `path`."""
        key = ".".join(part for part in (self.prefix, path) if part)
        self.problems.append(Problem(mark.file, mark.line, key, expected, got, self.jail, self.filter, warning, note))

    def fields(self, node: Node, fields: Fields, path: str, mark: Mark) -> dict[str, Any]:
        """
        The values of a mapping with known keys; defaults where nothing is written.

        Args:
            mark: where the mapping's own key stands, to name it when something is missing.
        """
        self.marks[path] = mark
        if fields.short and isinstance(node, Text):
            node = Table({fields.short: Entry(node.mark, node)}, node.mark)
        if not isinstance(node, Table | Null):
            self.complain(node.mark, path, fields.expected, render_node(node))
            return {}
        entries = node.entries if isinstance(node, Table) else {}
        for name, entry in entries.items():
            if name not in fields.keys:
                self._unknown(entry.mark, _join(path, name), name, fields.keys)
        values = {}
        for name, key in fields.keys.items():
            written = entries.get(name)
            inner = _join(path, name)
            if written is not None:
                self.marks[inner] = written.mark
            if written is None or (isinstance(written.node, Null) and not _takes_null(key.value)):
                if written is not None and isinstance(written.node, Null):
                    self.deleted(written.node, inner)
                if key.required:
                    self.complain(written.mark if written else mark, inner, key.value.expected, "")
                value = default_of(key)
            else:
                value = self.value(written.node, key.value, inner, written.mark)
                if value is _MISSING:
                    self.unfit.add(inner)
            if value is not _MISSING:
                values[name] = value
        return values

    def value(self, node: Node, value: Value, path: str, mark: Mark) -> Any:
        """The value of a node that is there."""
        match value:
            case Scalar():
                return self._scalar(node, value, path)
            case Many():
                return self._many(node, value, path)
            case Both():
                return self._both(node, value, path)
            case Regexes():
                return self._regexes(node, value, path)
            case Fields():
                return self.fields(node, value, path, mark)
            case Named():
                return self._named(node, value, path)
            case Each():
                return self._each(node, value, path)

    def _scalar(self, node: Node, scalar: Scalar, path: str) -> Any:
        text = node.value if isinstance(node, Text) else node.text if isinstance(node, Null) and scalar.null else None
        if text is None:
            self.complain(node.mark, path, scalar.expected, render_node(node))
            return _MISSING
        try:
            return scalar.parse(text)
        except UnfitError as error:
            self.complain(node.mark, path, error.expected, text)
            return _MISSING

    def _many(self, node: Node, many: Many, path: str) -> Any:
        only = node.items[0] if isinstance(node, Items) and len(node.items) == 1 else node
        if many.alone is not None and isinstance(only, Text) and only.value == many.alone:
            return many.alone
        if not isinstance(node, Items) or not (node.items or many.empty):
            self.complain(node.mark, path, many.expected, render_node(node))
            return _MISSING
        return self._all(self._scalar(item, many.item, f"{path}[{index}]") for index, item in enumerate(node.items))

    def _both(self, node: Node, both: Both, path: str) -> Any:
        if not isinstance(node, Items) or len(node.items) != 2:
            self.complain(node.mark, path, both.expected, render_node(node))
            return _MISSING
        first, second = node.items
        return self._all([self._scalar(first, both.first, f"{path}[0]"), self._scalar(second, both.second, f"{path}[1]")])

    def _regexes(self, node: Node, regexes: Regexes, path: str) -> Any:
        items: tuple[Node, ...]
        if isinstance(node, Text):
            items = _lines(node)
        elif isinstance(node, Items):
            items = node.items
        else:
            self.complain(node.mark, path, regexes.expected, render_node(node))
            return _MISSING
        return self._all(self._regex(item, regexes, f"{path}[{index}]") for index, item in enumerate(items))

    def _regex(self, node: Node, regexes: Regexes, path: str) -> Any:
        if isinstance(node, Table):
            written = render_node(node)[1:-1] if node.entries else "{}"
            self.complain(node.mark, path, "a regex in single quotes", written, QUOTE_MAPPING)
            return _MISSING
        if isinstance(node, Items):
            self.complain(node.mark, path, "a regex in single quotes", render_node(node), QUOTE_LIST)
            return _MISSING
        self.marks[path] = node.mark
        return self._scalar(node, Scalar("a regex in single quotes", regexes.parse), path)

    def _named(self, node: Node, named: Named, path: str) -> Any:
        if not isinstance(node, Table):
            self.complain(node.mark, path, named.expected, render_node(node))
            return _MISSING
        values: dict[str, Any] = {}
        for name, entry in node.entries.items():
            inner = _join(path, name)
            self.marks[inner] = entry.mark
            try:
                named.name(name)
            except UnfitError as error:
                self.complain(entry.mark, inner, error.expected, name)
                continue
            if isinstance(entry.node, Null):
                if named.nulls:
                    values[name] = None
                else:
                    self.deleted(entry.node, inner, named=True)
            elif (value := self.value(entry.node, named.item, inner, entry.mark)) is not _MISSING:
                values[name] = value
        return values

    def _each(self, node: Node, each: Each, path: str) -> Any:
        if not isinstance(node, Items):
            self.complain(node.mark, path, each.expected, render_node(node))
            return _MISSING
        return self._all(self._entry(item, each.item, f"{path}[{index}]") for index, item in enumerate(node.items))

    def _entry(self, node: Node, item: Fields | Named, path: str) -> Any:
        self.marks[path] = node.mark
        return self.value(node, item, path, node.mark)

    def _all(self, values: Iterable[Any]) -> Any:
        read = tuple(values)
        return _MISSING if _MISSING in read else read

    def deleted(self, null: Null, path: str, named: bool = False) -> None:
        """
        Warns about a null that does what was perhaps not meant: it stands there only because a value was left out, or it
        deletes something with a name of the operator's choice (`named`) that no earlier file has.
        """
        if null.deleted and not null.text:
            note = "deletes what earlier files set, because nothing stands behind it; write null to mean that"
        elif named and not null.deleted:
            note = "nothing stands behind it" if not null.text else "deletes nothing: no earlier file has it"
        else:
            return
        self.complain(null.mark, path, "a value, or null to delete what earlier files set", null.text, note, warning=True)

    def _unknown(self, mark: Mark, path: str, name: str, known: Iterable[str]) -> None:
        words = tuple(known)
        near = difflib.get_close_matches(name, words, 1)
        expected = near[0] if near else to.one_of_text(words)
        note = f"unknown key; did you mean {near[0]}?" if near else f"unknown key; expected {expected}"
        self.complain(mark, path, expected, name, note)


def default_of(key: Key) -> Any:
    """The value that holds where nothing is written; _MISSING if there is none."""
    value, default = key.value, key.default
    if isinstance(value, Fields):
        return {name: found for name, inner in value.keys.items() if (found := default_of(inner)) is not _MISSING}
    if default is None:
        return _MISSING
    match value:
        case Scalar():
            return value.parse(str(default))
        case Many():
            return default if default == value.alone else tuple(value.item.parse(word) for word in default)
        case Both():
            return value.first.parse(default[0]), value.second.parse(default[1])
        case Regexes():
            return tuple(value.parse(word) for word in default)
    return ()


def _takes_null(value: Value) -> bool:
    return isinstance(value, Scalar) and value.null


def _lines(text: Text) -> tuple[Text, ...]:
    if not text.block:
        return (text,)
    lines = enumerate(text.value.split("\n"), start=text.mark.line + 1)
    return tuple(Text(line, Mark(text.mark.file, number)) for number, line in lines if line.strip())


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
