"""The form of messages about the configuration."""

import pytest

from banwatch.config.model import Problem
from banwatch.config.problem import UnfitError, count_problems, quote, render_problem, render_problems, sorted_problems

WRONG = Problem("jails.d/sshd.yaml", 7, "sshd.rules.ip.bantime", 'a duration like "10m" or "forever"', "ten minutes", "sshd")
UNKNOWN = Problem(
    "jails.d/sshd.yaml", 9, "sshd.rules.ip.limits", "limit", "limits", "sshd", note="unknown key; did you mean limit?"
)
NEVER = Problem("jails.d/jail.yml", 0, "", "a name that ends in .yaml", "jail.yml", warning=True, note="never read")


def test_problems_as_the_operator_sees_them():
    """File, line, key, what was expected, what was found; sorted; then how many, and what happened."""
    assert render_problems([UNKNOWN, WRONG], "the running configuration was kept") == (
        'jails.d/sshd.yaml:7: sshd.rules.ip.bantime: expected a duration like "10m" or "forever", got "ten minutes"\n'
        "jails.d/sshd.yaml:9: sshd.rules.ip.limits: unknown key; did you mean limit?\n"
        "2 problems; the running configuration was kept."
    )


def test_a_file_as_a_whole():
    """Without a line the file stands alone, and a warning says that it is one."""
    assert render_problem(NEVER) == "jails.d/jail.yml: warning: never read"


def test_something_is_missing():
    """Nothing was found where something was expected."""
    assert render_problem(Problem("x.yaml", 1, "a.b", "a list", "")) == "x.yaml:1: a.b: expected a list, got nothing"


def test_one_line():
    """Nothing that stands in a file can make two lines of one problem."""
    problem = Problem("a\nb.yaml", 1, "c\nd", "e", "f\ng", note="h\ni")
    assert render_problem(problem) == "a\\u000ab.yaml:1: c\\u000ad: h\\u000ai"


@pytest.mark.parametrize(
    ("problems", "text"),
    [
        ((), "0 problems"),
        ((WRONG,), "1 problem"),
        ((NEVER,), "1 warning"),
        ((WRONG, UNKNOWN, NEVER, NEVER), "2 problems, 2 warnings"),
    ],
)
def test_count(problems, text):
    """Problems and warnings are counted apart."""
    assert count_problems(problems) == text


def test_sorted_by_number():
    """Line 9 comes before line 10, and what was said twice stands once."""
    ten = WRONG._replace(line=10)
    assert sorted_problems([ten, UNKNOWN, ten]) == (UNKNOWN, ten)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain", '"plain"'),
        ('a "b"', '"a \\"b\\""'),
        ("two\nlines", '"two\\nlines"'),
        ("\x1b[2J", '"\\u001b[2J"'),
        ("\x9b\u202e", '"\\u009b\\u202e"'),
        ("x" * 100, '"' + "x" * 79 + '…"'),
    ],
)
def test_quote(text, quoted):
    """Nothing that is quoted can forge a line or reach a terminal, and it has a bound."""
    assert quote(text) == quoted


def test_unfit():
    """An unfit value says itself what is wrong with it."""
    assert str(UnfitError("a port", "x")) == 'expected a port, got "x"'
