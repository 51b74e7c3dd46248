"""config/lint.py: what is suspicious in a filter though it works."""

import pytest

from banwatch.config.lint import is_anchored, is_forgeable, lint_filter
from banwatch.config.load import load_config
from banwatch.config.model import FilterSpec
from banwatch.config.problem import render_problem
from banwatch.filter.failregex import compile_pattern
from banwatch.filter.match import compile_filter

UNANCHORED = "not anchored from ^ to $: a stranger may choose what matches"
SKIPS = "skips over text before the address, in which a stranger may put another one, and does not end behind it"


def lint(**keys):
    spec = FilterSpec("own", **{"header": ("none",), **keys})
    return [(problem.key, problem.note) for problem in lint_filter(spec, compile_filter(spec)) if problem.warning]


def regexes(*texts):
    return {"auth": texts}


def test_shipped_filters_are_clean(tmp_path):
    """What travels with banwatch is an example to follow."""
    config = load_config(tmp_path)
    assert [
        render_problem(each) for name, spec in config.filters.items() for each in lint_filter(spec, config.compiled[name])
    ] == []


@pytest.mark.parametrize(
    ("source", "anchored"),
    [
        ("^a$", True),
        (r"\Aa\Z", True),
        ("(?i)^a$", True),
        ("^(?:a|b)$", True),
        ("^a$|^b$", True),
        ("(?:^a|^b)(?:c$|d$)", True),
        ("(?P<x>^a$)", True),
        ("^a", False),
        ("a$", False),
        ("^a|b$", False),
        ("(?:^a)?b$", False),
        ("", False),
    ],
)
def test_anchors(source, anchored):
    """Each way through a regex has to begin with ^ and to end with $."""
    assert is_anchored(source) is anchored


@pytest.mark.parametrize(
    ("written", "forgeable"),
    [
        ("^for <F-USER>.*</F-USER> from <HOST>$", False),
        ("^for <F-USER>.*</F-USER> from <HOST>", True),
        ("^for .+ from <HOST> port", True),
        ("^for .*? from <HOST>(?: .*)?$", True),
        (r"^for (?:\S| )+ from <HOST> .*$", True),
        (r"^for [ -~]+ from <HOST> .*$", True),
        (r"^for [\s\S]* from <HOST>", True),
        (r"^for [^\x00]* from <HOST>: [^\x00]*$", True),
        (r"^for (?:x|.)* from <HOST>: .*$", True),
        (r"^for (.)* from <HOST>: .*$", True),
        (r"^for \S+ from <HOST> .*$", False),
        ("^for [^ ]* from <HOST>: .*$", False),
        ("^for .{1,8} from <HOST> .*$", False),
        ("^for .{1,80} from <HOST> .*$", True),
        ("^for (?:(?! from ).)* from <HOST> .*$", False),
        ("^<HOST> said .*$", False),
        ("^(?:<IP4> said .*|.* from <IP6>)$", False),
        ("^(?:.* from <IP4> said|from <IP6>)", True),
        ("^.* from (?:<IP4>|<IP6>)$", False),
        ("^.* from (?:<IP4>|<IP6>) .*$", True),
        ("^login <F-USER>.*</F-USER>", False),
    ],
)
def test_forgeable(written, forgeable):
    """Whatever is skipped before the address is fine as long as this is the last place where one fits."""
    assert is_forgeable(compile_pattern(written, "auth", 0, False)) is forgeable


def test_where_it_stands():
    """Each warning is at the line of its regex, with the regex."""
    spec = FilterSpec("own", header=("none",), failregex=regexes("^a .* from <HOST>"))
    (unanchored, skips) = lint_filter(spec, compile_filter(spec))
    assert render_problem(unanchored) == f"filters/own.yaml: warning: failregex.auth[0]: {UNANCHORED}"
    assert (skips.note, skips.got, skips.filter) == (SKIPS, "^a .* from <HOST>", "own")


def test_what_is_ignored():
    """A stranger who writes what is ignored would not be seen."""
    assert lint(failregex=regexes("^a <HOST>$"), ignoreregex=("^b$", "friend")) == [
        ("ignoreregex[1]", "not anchored from ^ to $: a stranger may hide by writing what matches")
    ]


def test_successes():
    """They are anchored as well; but the login in them is nobody's choice."""
    assert lint(successregex=("^in .* from <HOST>: .*$", "in <HOST>$")) == [("successregex[1]", UNANCHORED)]


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("^a <HOST>$", "^a <HOST>$"),
        ("^(?:a|b) <HOST>$", "^(?:b|a) <HOST>$"),
        ("^[ab] <HOST>$", "^[ba] <HOST>$"),
        ("^a <F-USER>b</F-USER> <HOST>$", "^a b <HOST>$"),
        (r"^(?i:a)\. <HOST>$", "^(?i:a)[.] <HOST>$"),
        ("^(?>ab)*+ <HOST>$", "^(?>(?:ab))*+ <HOST>$"),
    ],
)
def test_the_same_twice(first, again):
    """What matches the same lines as a regex before it never comes to its turn, whatever list it is in."""
    note = "the same as failregex.auth[0], so it never matches"
    assert lint(failregex=regexes(first, again)) == [("failregex.auth[1]", note)]
    assert lint(failregex=regexes(first), hintregex={"scan": (again,)}) == [("hintregex.scan[0]", note)]


@pytest.mark.parametrize(
    "other", ["^b <HOST>$", "(?i)^a <HOST>$", "^a <HOST>b?$", "^(?i:a) <HOST>$", "^a+ <HOST>$", "^a++ <HOST>$"]
)
def test_not_the_same(other):
    """In doubt two regexes are two."""
    assert lint(failregex=regexes("^a <HOST>$", other)) == []


def test_the_same_fields_twice():
    """In whatever order the conditions stand."""
    entries = ({"a": "<HOST>", "b": None}, {"b": None, "a": "<HOST>"}, {"a": "<HOST>", "b": "x"})
    assert lint(header=("json",), failfields={"auth": entries}) == [
        ("failfields.auth[1]", "the same as failfields.auth[0], so it never matches")
    ]


def test_no_linear_engine():
    """A regex that can neither be proven nor given to RE2 is named, with what the proof fails at."""
    assert lint(failregex=regexes(r"^(?=(a+)+ )\S+ <HOST>$")) == [
        (
            "failregex.auth[0]",
            "no engine takes it in linear time (it has a loop that can be walked in two ways): lines that spend its budget are "
            "not matched",
        )
    ]


def test_a_field_that_no_linear_engine_takes(tmp_path):
    """It is at the line of its entry at least."""
    (tmp_path / "filters.d").mkdir()
    text = "header: json\nfields: {ip: a}\nfailfields:\n  auth:\n  - {b: '(?=(a+)+ ).*'}\n"
    (tmp_path / "filters.d/own.yaml").write_text(text)
    config = load_config(tmp_path)
    (problem,) = lint_filter(config.filters["own"], config.compiled["own"])
    assert (problem.line, problem.key, problem.got) == (5, "failfields.auth[0].b", "(?=(a+)+ ).*")
