"""Nodes as values by a table of keys: every problem at once, each with its place."""

import pytest

from banwatch.config.convert import one_of, parse_name, parse_number, parse_regex
from banwatch.config.model import Mark, Problem
from banwatch.config.problem import render_problem
from banwatch.config.read import Reader
from banwatch.config.schema import Both, Each, Fields, Key, Many, Named, Regexes, Scalar
from banwatch.config.tree import Null, Table, compose, merge

NUMBER = Scalar("a number", parse_number(0, 9))
INNER = Fields(
    {"number": Key(NUMBER, "", required=True), "word": Key(Scalar("yes", one_of("yes")), "", default="yes")}, "an inner"
)
SCHEMA = Fields(
    {
        "number": Key(NUMBER, "", default="7"),
        "absent": Key(NUMBER, ""),
        "numbers": Key(Many(NUMBER, "a list of numbers", alone="all"), "", default=("1", "2")),
        "maybe": Key(Many(NUMBER, "a list of numbers", empty=True), "", default=()),
        "both": Key(Both(NUMBER, Scalar("x", one_of("x")), "two words"), "", default=("1", "x")),
        "regexes": Key(Regexes(), "", default=()),
        "inner": Key(Fields({"a": Key(NUMBER, "", default="3"), "b": Key(NUMBER, "")}, "a mapping"), ""),
        "named": Key(Named(parse_name, INNER, "a mapping of inners"), ""),
        "nulls": Key(Named(parse_name, NUMBER, "a mapping of numbers", nulls=True), ""),
        "each": Key(Each(INNER, "a list of inners"), "", default=()),
        "backend": Key(Scalar("null or x", one_of("null", "x"), null=True), "", default="x"),
    },
    "a mapping",
)
DEFAULTS = {
    "number": 7,
    "numbers": (1, 2),
    "maybe": (),
    "both": (1, "x"),
    "regexes": (),
    "inner": {"a": 3},
    "each": (),
    "backend": "x",
}


def read(*texts):
    """Values and rendered problems of the texts laid over each other; values without what is at its default."""
    tables = [compose(text, f"{number}.yaml")[0] for number, text in enumerate(texts, 1)]
    node = tables[0]
    for table in tables[1:]:
        node = merge(node, table)
    reader = Reader(jail="j", prefix="j")
    values = reader.fields(node, SCHEMA, "", Mark("1.yaml", 0))
    return {key: value for key, value in values.items() if DEFAULTS.get(key) != value}, [
        render_problem(p) for p in reader.problems
    ]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("number: 3", {"number": 3}),
        ("absent: 0", {"absent": 0}),
        ("numbers: [5]", {"numbers": (5,)}),
        ("numbers: all", {"numbers": "all"}),
        ("both: [2, x]", {"both": (2, "x")}),
        ("regexes: '^a$'", {"regexes": ("^a$",)}),
        ("regexes: ['^a$', ^b]", {"regexes": ("^a$", "^b")}),
        ("regexes: |\n  ^a: b$\n\n  ^c # d$\n", {"regexes": ("^a: b$", "^c # d$")}),
        ("regexes:\n- |\n  ^a: b$\n", {"regexes": ("^a: b$",)}),
        ("inner: {b: 4}", {"inner": {"a": 3, "b": 4}}),
        ("named: {x: {number: 1}}", {"named": {"x": {"number": 1, "word": "yes"}}}),
        ("nulls: {x: 1, y: , z: ~}", {"nulls": {"x": 1, "y": None, "z": None}}),
        ("each: [{number: 1}, {number: 2}]", {"each": ({"number": 1, "word": "yes"}, {"number": 2, "word": "yes"})}),
        ("backend: null", {"backend": "null"}),
        ("backend: 'null'", {"backend": "null"}),
        ("number: ~", {}),
        ("numbers:", {}),
        ("inner:", {}),
        ("maybe: []", {}),
        ("{}", {}),
    ],
)
def test_values(text, values):
    """What fits is there as a value, what is absent or null at its default."""
    assert read(text) == (values, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("number: x", '1: j.number: expected a number from 0 to 9, got "x"'),
        ("number: [1]", '1: j.number: expected a number, got "[1]"'),
        ("number: {a: 1}", '1: j.number: expected a number, got "{a: 1}"'),
        ("numbers: 5", '1: j.numbers: expected a list of numbers, got "5"'),
        ("numbers: []", '1: j.numbers: expected a list of numbers, got "[]"'),
        ("numbers: {a: 1}", '1: j.numbers: expected a list of numbers, got "{a: 1}"'),
        ("numbers:\n- 1\n- ~", '3: j.numbers[1]: expected a number, got "~"'),
        ("numbers:\n- 1\n- [2]", '3: j.numbers[1]: expected a number, got "[2]"'),
        ("both: [1]", '1: j.both: expected two words, got "[1]"'),
        ("both: 1", '1: j.both: expected two words, got "1"'),
        ("both:\n- 1\n- y", '3: j.both[1]: expected x, got "y"'),
        ("regexes: {a: b}", '1: j.regexes: expected a list of regexes, each in single quotes, got "{a: b}"'),
        ("regexes:\n- '^a'\n- ^b: c$", "3: j.regexes[1]: quote this regex: it contains `: `"),
        ("regexes:\n- [ab]", "2: j.regexes[0]: quote this regex: it begins with ["),
        ("regexes:\n-", "2: j.regexes[0]: expected a regex in single quotes, got nothing"),
        ('regexes: ["\\bx"]', '1: j.regexes[0]: expected a regex in single quotes, got "\\bx"'),
        ("inner: 3", '1: j.inner: expected a mapping, got "3"'),
        ("inner:\n  a: x\n", '2: j.inner.a: expected a number from 0 to 9, got "x"'),
        ("named: [x]", '1: j.named: expected a mapping of inners, got "[x]"'),
        ("named:\n  x: 3", '2: j.named.x: expected an inner, got "3"'),
        ("named:\n  x: {}", "2: j.named.x.number: expected a number, got nothing"),
        ("named:\n  x:\n    word: yes\n    number:\n", "4: j.named.x.number: expected a number, got nothing"),
        (
            "named:\n  -x: {number: 1}",
            '2: j.named.-x: expected a name of letters, digits, _ . and -, not beginning with -, got "-x"',
        ),
        ("each: {}", '1: j.each: expected a list of inners, got "{}"'),
        ("each:\n- 3", '2: j.each[0]: expected an inner, got "3"'),
        ("each:\n- {}", "2: j.each[0].number: expected a number, got nothing"),
        ("backend: ~", '1: j.backend: expected null or x, got "~"'),
        ("nomber: 1", "1: j.nomber: unknown key; did you mean number?"),
        ("inner:\n  zzz: 1", "2: j.inner.zzz: unknown key; expected a or b"),
    ],
)
def test_problems(text, said):
    """What does not fit is told with its line and key, as it was written."""
    assert read(text)[1] == [f"1.yaml:{said}"]


def test_everything_at_once():
    """One wrong value does not hide another, and right ones are kept."""
    values, said = read("number: x\nnombers: 1\nnumbers: [1, y, z]\nmaybe: [8]\nnamed:\n  a: {number: 1, word: no}\n")
    assert values == {"maybe": (8,), "named": {"a": {"number": 1}}}
    assert said == [
        "1.yaml:2: j.nombers: unknown key; did you mean numbers?",
        '1.yaml:1: j.number: expected a number from 0 to 9, got "x"',
        '1.yaml:3: j.numbers[1]: expected a number from 0 to 9, got "y"',
        '1.yaml:3: j.numbers[2]: expected a number from 0 to 9, got "z"',
        '1.yaml:6: j.named.a.word: expected yes, got "no"',
    ]


def test_places_survive_merging():
    """A problem is in the file that wrote the value, whichever file came last."""
    assert read("named:\n  a:\n    number: x\n", "named: {a: {word: yes}}\n", "number: y\n")[1] == [
        '3.yaml:1: j.number: expected a number from 0 to 9, got "y"',
        '1.yaml:3: j.named.a.number: expected a number from 0 to 9, got "x"',
    ]


def test_deleted():
    """null takes a value back to its default, and an entry away."""
    assert read("number: 3\nnamed: {a: {number: 1}, b: {number: 2}}", "number: ~\nnamed: {a: null}") == (
        {"named": {"b": {"number": 2, "word": "yes"}}},
        [],
    )


def test_deleted_by_accident():
    """A key with nothing behind it deletes, but says so; so does an entry that was not there to be deleted."""
    empty = "deletes what earlier files set, because nothing stands behind it; write null to mean that"
    assert read("number: 3\nnamed: {a: {number: 1}}", "number:\nnamed:\n  a:\n  b:\n  c: null\n") == (
        {"named": {}},
        [
            f"2.yaml:1: warning: j.number: {empty}",
            f"2.yaml:3: warning: j.named.a: {empty}",
            "2.yaml:4: warning: j.named.b: nothing stands behind it",
            "2.yaml:5: warning: j.named.c: deletes nothing: no earlier file has it",
        ],
    )


def test_required_and_deleted():
    """What may not be missing is missed where it was deleted."""
    assert read("named: {a: {number: 1}}", "\nnamed: {a: {number: null}}")[1] == [
        "2.yaml:2: j.named.a.number: expected a number, got nothing"
    ]


def test_marks_and_unfit():
    """The reader knows where each key was written, and which values are left out because they are wrong."""
    table, _ = compose("number: x\nregexes:\n- a\n- b\n", "1.yaml")
    reader = Reader(filter="f")
    reader.fields(table, SCHEMA, "", Mark("1.yaml", 0))
    assert reader.marks == {
        "": Mark("1.yaml", 0),
        "number": Mark("1.yaml", 1),
        "regexes": Mark("1.yaml", 2),
        "regexes[0]": Mark("1.yaml", 3),
        "regexes[1]": Mark("1.yaml", 4),
    }
    assert reader.unfit == {"number"}
    assert reader.problems == [Problem("1.yaml", 1, "number", "a number from 0 to 9", "x", filter="f")]


def test_broken():
    """A warning does not break anything."""
    reader = Reader()
    reader.complain(Mark("x", 1), "a", "b", "c", warning=True)
    assert not reader.broken
    reader.complain(Mark("x", 1), "a", "b", "c")
    assert reader.broken


def test_nothing_at_all():
    """null in the place of a mapping is an empty one; a regex is read by its own function."""
    assert Reader().fields(Null("", Mark("x", 1)), SCHEMA, "", Mark("x", 1)) == DEFAULTS
    assert Reader().fields(Table({}, Mark("x", 1)), SCHEMA, "", Mark("x", 1)) == DEFAULTS
    assert parse_regex("x") == "x"
