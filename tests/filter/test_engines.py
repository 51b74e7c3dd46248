import re
import sys

import pytest

from banwatch.config.model import FilterSpec
from banwatch.errors import ConfigError
from banwatch.filter import compile_filter
from banwatch.filter.engines import choose_engine


@pytest.mark.parametrize(("regex", "engine"), [("^a*$", "re"), ("a+b", "re2"), (r"(\w+) \1", "bounded")])
def test_the_first_that_is_safe(regex, engine):
    """`re` where it is proven, RE2 where it can, and a budget for the rest; each finds the same."""
    chosen = choose_engine(re.compile(regex))
    assert chosen.engine == engine
    assert (chosen.doubt is None) is (engine == "re")
    assert [bool(chosen.regex.search(text)) for text in ("aaa", "aaab", "x x")] == [
        bool(re.search(regex, text)) for text in ("aaa", "aaab", "x x")
    ]


def test_without_re2(monkeypatch):
    """Where RE2 cannot be loaded there is the budget."""
    monkeypatch.setitem(sys.modules, "re2", None)
    assert choose_engine(re.compile("a+b")).engine == "bounded"


def test_what_is_known_is_not_proven_again():
    """What ships was proven by its tests."""
    assert choose_engine(re.compile("a+b"), proven=True).engine == "re"


def test_all_of_a_text():
    """A match of all of a text does not begin anywhere."""
    assert choose_engine(re.compile("a+b"), searched=False).engine == "re"
    assert choose_engine(re.compile("(?i)a*b*a*b*"), searched=False).engine == "bounded"


def test_a_filter_tells(make):
    """Each regex has its engine, and matches the same with each."""
    regexes = ("^Failed for <HOST>$", "bad .*<F-USER>x+</F-USER>y from <HOST>$", r"^(\w+) \1 from <HOST>$")
    filter_ = make(*regexes, header=("none",), ignoreregex=("a+b",))
    assert {place: chosen.engine for place, chosen in filter_.engines.items()} == {
        "failregex.auth[0]": "re",
        "failregex.auth[1]": "re2",
        "failregex.auth[2]": "bounded",
        "ignoreregex[0]": "re2",
    }
    assert filter_.blown == 0


def test_headers_have_to_be_linear():
    """A header is looked for in every line, and only banwatch's own filters have one."""
    with pytest.raises(ConfigError) as caught:
        compile_filter(FilterSpec("x", failregex={"auth": ("^<HOST>$",)}, header=(r"^<DATE> \S+:\d+:\S+ ",)))
    (problem,) = caught.value.problems
    assert problem.expected == "a regex that no line can keep busy (this one has two loops that the same text can be in)"
