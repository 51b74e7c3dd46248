"""YAML as a tree with marks: what is text, what is null, what is refused, and how trees merge."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.config.model import Mark, Problem
from banwatch.config.problem import render_problem
from banwatch.config.tree import MOST_VALUES, Entry, Items, NotYamlError, Null, Table, Text, compose, merge, render_node


def tree(text, file="x.yaml"):
    table, problems = compose(text, file)
    assert problems == ()
    return table


def plain(node):
    """The node without its marks."""
    if isinstance(node, Table):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return None if isinstance(node, Null) else node.value


def refusal(text):
    with pytest.raises(NotYamlError) as caught:
        compose(text, "x.yaml")
    return render_problem(caught.value.problem)


def complaints(text):
    return [render_problem(problem) for problem in compose(text, "x.yaml")[1]]


@pytest.mark.parametrize("text", ["22:30", "0644", "no", "1e3", "2026-11-20", "0x10", ".inf", "true"])
def test_scalars_are_text(text):
    """What was typed is what is there."""
    assert plain(tree(f"key: {text}")) == {"key": text}


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null(text):
    """Only an unquoted null is null; in quotes it is text."""
    assert tree(f"key: {text}").entries["key"].node == Null(text, Mark("x.yaml", 1))
    assert plain(tree(f"key: '{text}'")) == {"key": text}


def test_marks():
    """Keys and values know their lines."""
    table = tree("# comment\na:\n  b:\n    - x\n    - |\n      y\n")
    inner = table.entries["a"]
    items = inner.node.entries["b"].node
    assert inner.mark == Mark("x.yaml", 2)
    assert inner.node.entries["b"].mark == Mark("x.yaml", 3)
    assert items.items == (Text("x", Mark("x.yaml", 4)), Text("y\n", Mark("x.yaml", 5), block=True))


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "---\n# nothing\n", "~"])
def test_nothing(text):
    """A file without content is an empty mapping."""
    assert plain(tree(text)) == {}


def test_keys_that_stand_twice():
    """The first one holds, each other one is a problem at its own line, under the outermost key it is in."""
    table, problems = compose("a:\n  b: 1\n  c: 2\n  b: 3\na: 4\n", "x.yaml")
    assert plain(table) == {"a": {"b": "1", "c": "2"}}
    assert problems == (
        Problem("x.yaml", 4, "a.b", "each key once", "b", jail="a", note="stands here again; first in line 2"),
        Problem("x.yaml", 5, "a", "each key once", "a", jail="a", note="stands here again; first in line 1"),
    )


def test_keys_that_are_no_text():
    """A list, a mapping or null cannot be a key."""
    assert complaints("{x}: 1\n[y]: 2\n~: 3\n") == [
        'x.yaml:1: {x: }: expected a key that is text, got "{x: }"',
        'x.yaml:2: [y]: expected a key that is text, got "[y]"',
        'x.yaml:3: ~: expected a key that is text, got "~"',
    ]


def test_tags():
    """A tag asks for something that nothing here does."""
    assert complaints("a: !!int 3\nb: !vault x\n") == [
        'x.yaml:1: a: expected a value without a tag, got "tag:yaml.org,2002:int"',
        'x.yaml:2: b: expected a value without a tag, got "!vault"',
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [b\n", "x.yaml:2: not YAML: did not find expected ',' or ']', while parsing a flow sequence from line 1 on"),
        ("a: 1\nb: c: d\n", "x.yaml:2: not YAML: mapping values are not allowed in this context"),
        ("a:\n\tb: 1\n", "x.yaml:2: not YAML: a tab in the indentation"),
        ('a: "\\d"\n', "x.yaml:1: not YAML: found unknown escape character"),
        ("a: 1\nb: \0\n", "x.yaml:2: not YAML: control characters are not allowed"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2: not YAML: more than one document in the file"),
        ("a: *b\n", "x.yaml:1: not YAML: *b is not defined; a regex that begins with * needs single quotes"),
        ("a: &a\n  b: *a\n", "x.yaml:2: not YAML: *a stands within itself"),
        ("- a\n", 'x.yaml:1: expected a mapping, got "[a]"'),
        ("text\n", 'x.yaml:1: expected a mapping, got "text"'),
        ("a: " + "[" * 30, "x.yaml:1: not YAML: nested deeper than 20 levels"),
        ("%YAML 9.9\n---\na: 1\n", "x.yaml:1: not YAML: found incompatible YAML document"),
        ("a: @b\n", "x.yaml:1: not YAML: found character that cannot start any token"),
    ],
)
def test_refused(text, said):
    """What is no YAML, or too much of it, is refused with its line."""
    assert refusal(text) == said


def test_a_million_brackets():
    """Nesting without end is refused before it can exhaust the stack."""
    assert "nested deeper" in refusal("a: " + "[" * 1_000_000)
    assert "nested deeper" in refusal("a: " + "{b: " * 200_000)


def test_aliases():
    """An alias stands for what it names, marks included."""
    table = tree("a: &logs [x, y]\nb: *logs\n")
    assert plain(table) == {"a": ["x", "y"], "b": ["x", "y"]}
    assert table.entries["b"].node.items[1].mark == Mark("x.yaml", 1)


def test_alias_bomb():
    """What is small on disk and huge when its aliases are followed is refused."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert refusal("\n".join(lines)) == f"x.yaml:5: not YAML: more than {MOST_VALUES} values"


def test_merge_keys_are_keys():
    """`<<` is a key like any other: the schema has no such key and says so."""
    assert plain(tree("a: &a {b: 1}\nc:\n  <<: *a\n")) == {"a": {"b": "1"}, "c": {"<<": {"b": "1"}}}


@given(st.text())
def test_any_text_is_a_tree_or_refused(text):
    """No text makes the composer fail in another way."""
    with suppress(NotYamlError):
        assert isinstance(compose(text, "x.yaml")[0], Table)


leaves = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(leaves, inner, max_size=3), max_leaves=10
)
mappings = st.dictionaries(leaves, values, max_size=4)


def node_of(value):
    mark = Mark("x.yaml", 1)
    if isinstance(value, dict):
        return Table({key: Entry(mark, node_of(inner)) for key, inner in value.items()}, mark)
    if isinstance(value, list):
        return Items(tuple(map(node_of, value)), mark)
    return Text(value, mark)


def merged(lower, upper):
    if not (isinstance(lower, dict) and isinstance(upper, dict)):
        return upper
    both = {key: merged(lower[key], upper[key]) for key in lower.keys() & upper.keys()}
    return {**lower, **upper, **both}


@given(mappings, mappings)
def test_merging(lower, upper):
    """Mappings merge key by key at every depth, all else is replaced."""
    assert plain(merge(node_of(lower), node_of(upper))) == merged(lower, upper)


def test_marks_survive_merging():
    """Each value keeps the file and line from which it came."""
    lower = tree("a:\n  x: 1\n  y: 2\n", "lower.yaml")
    upper = tree("\n\na:\n  y: 3\n", "upper.yaml")
    entry = merge(lower, upper).entries["a"]
    assert entry.mark == Mark("upper.yaml", 3)
    assert entry.node.entries["x"].node == Text("1", Mark("lower.yaml", 2))
    assert entry.node.entries["y"].node == Text("3", Mark("upper.yaml", 4))


def test_null_deletes():
    """A null takes the place of what was there and knows that it did; a later value takes its place."""
    lower = tree("a: 1\n")
    upper = tree("a: ~\nb: ~\n")
    both = merge(lower, upper)
    assert both.entries["a"].node == Null("~", Mark("x.yaml", 1), deleted=True)
    assert both.entries["b"].node == Null("~", Mark("x.yaml", 2), deleted=False)
    assert merge(both, upper).entries["b"].node.deleted is False
    assert plain(merge(both, tree("a: 5\n"))) == {"a": "5", "b": None}


def test_nodes_on_one_line():
    """A node is shown as it could be written on one line, cut at 80 characters."""
    assert render_node(tree("a: {b: [c, ~], d: }")) == "{a: {b: [c, ~], d: }}"
    assert render_node(tree("a: {b: {c: [d]}}")) == "{a: {b: {c: …}}}"
    assert len(render_node(tree(f"a: [{', '.join(['long'] * 1000)}]"))) == 80
