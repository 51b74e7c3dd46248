import dataclasses
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.config.model import FilterSpec, Mark
from banwatch.errors import ConfigError
from banwatch.filter import Lens, Scanner, compile_filter

HEAD = "Nov 20 10:00:00 mx prog[1]: "
NOW = 1.8e9


def match(filter_, message):
    return Scanner([Lens(filter_, UTC)]).match_line(0, HEAD + message, NOW)


def test_the_first_regex_wins(make):
    """Regexes are tried in their order: failregex, hintregex, successregex."""
    filter_ = make(
        failregex={"auth": ("^a <HOST>$",), "scan": ("^[ab] <HOST>$",)},
        hintregex={"auth": ("^[abc] <HOST>$",)},
        successregex=("^[abcd] <HOST>$",),
    )
    found = [match(filter_, f"{letter} 192.0.2.7") for letter in "abcde"]
    assert [m and (m.kind, m.hint, m.regex) for m in found] == [
        ("auth", False, 0),
        ("scan", False, 0),
        ("auth", True, 0),
        ("success", False, 0),
        None,
    ]


@pytest.mark.parametrize("regex", ["^from <HOST>$", "from <HOST>$"])
@pytest.mark.parametrize("text", ["999.1.1.1", "192.030.0.6", "192.0.2.1234", "1.2.3.4.5", ":::1"])
def test_what_only_looks_like_an_address(make, regex, text):
    """Look-alikes are nobody, whichever way the regex is tried."""
    assert match(make(regex), f"from {text}") is None


def test_after_a_look_alike_the_next_regex_is_tried(make):
    """A regex that caught no address did not match."""
    filter_ = make("^from <HOST> .*$", "^from .* by <HOST>$")
    assert (match(filter_, "from 999.1.1.1 by 192.0.2.7").ip, match(filter_, "from 999.1.1.1 by 192.0.2.7").regex) == (
        "192.0.2.7",
        1,
    )


@pytest.mark.parametrize("regex", ["^from <HOST>$", "from <HOST>$"])
def test_ignoreregex(make, regex):
    """What ignoreregex finds in the message does not count."""
    filter_ = make(regex, ignoreregex=(r"\.9$",))
    assert match(filter_, "from 192.0.2.7").ip == "192.0.2.7"
    assert match(filter_, "from 192.0.2.9") is None


def test_captures(make):
    """All that was captured is told; count and session are taken from it."""
    filter_ = make("^<F-USER>.*</F-USER> <HOST> x<F-COUNT>\\d+</F-COUNT> <F-SESSION>\\w+</F-SESSION>(?: <F-X>y</F-X>)?$")
    found = match(filter_, "a b ::ffff:192.0.2.7 x3 s9")
    assert (found.ip, found.login, found.attempts, found.session) == ("192.0.2.7", "a b", 3, "s9")
    assert found.tags == {"ip": "::ffff:192.0.2.7", "user": "a b", "count": "3", "session": "s9"}


def test_no_attempts_are_none(make):
    """A line that tells of no attempts is no match."""
    assert match(make("^<HOST> <F-COUNT>\\d+</F-COUNT>$"), "192.0.2.7 0") is None


def test_repeated_counts_multiply(make):
    """A repeated line that stands for several stands for the product."""
    filter_ = make("^<HOST> <F-COUNT>\\d+</F-COUNT>$")
    assert match(filter_, "message repeated 2 times: [ 192.0.2.7 3]").attempts == 6
    assert match(filter_, "message repeated 999999999 times: [ 192.0.2.7 3]").attempts == 1_000_000


def test_a_login_that_is_empty(make):
    """An empty login is none; with no address either the line names nobody."""
    assert match(make("^<HOST> <F-USER>.*</F-USER>$"), "192.0.2.7 ").login is None
    assert match(make("^for <F-USER>.*</F-USER>$"), "for ") is None


def test_all_problems_at_once():
    """Every bad regex is reported, each with its place."""
    spec = FilterSpec(
        "x",
        failregex={"auth": ("^<HOST>$", "(<HOST>"), "nonsense": ("^<HOST>$",)},
        ignoreregex=("[",),
        marks={"failregex.auth[1]": Mark("x.yaml", 7)},
    )
    with pytest.raises(ConfigError) as caught:
        compile_filter(spec)
    seen = {(problem.key, problem.file, problem.line, problem.got) for problem in caught.value.problems}
    assert ("failregex.auth[1]", "x.yaml", 7, "(<HOST>") in seen
    assert {key for key, *_ in seen} == {"failregex.auth[1]", "failregex.nonsense", "ignoreregex[0]"}


FILTERS = [
    (
        "^Failed for (?:invalid )?<F-USER>.*</F-USER> from <HOST>$",
        "^Failed for <F-USER>x</F-USER>$",
        "^(?:error: )?<F-USER>.+?</F-USER> at <HOST>",
    ),
    ("^a (?<!b )<F-USER>.*</F-USER> <HOST>$", "^<HOST> a$"),
    ("^(?i:FAILED) <HOST>(?: x<F-COUNT>\\d</F-COUNT>)?$", "(?i)^failed <F-USER>\\S*</F-USER>$"),
]
WORDS = [
    "Failed",
    "FAILED",
    "for",
    "invalid",
    "from",
    "x",
    "x3",
    "a",
    "b",
    "error:",
    "at",
    "192.0.2.7",
    "999.1.1.1",
    "2001:db8::7",
    "",
    "\xe9",
]


@given(
    st.sampled_from(FILTERS),
    st.lists(st.sampled_from(WORDS), max_size=7),
    st.sampled_from(["{}", "message repeated 2 times: [ {}]"]),
)
def test_the_shortcut_and_the_search_agree(regexes, words, form):
    """One regex for everything finds what searching for one regex after the other finds."""
    filter_ = compile_filter(FilterSpec("x", failregex={"auth": regexes}))
    searching = dataclasses.replace(filter_, forms=tuple(dataclasses.replace(f, fused=None, whole=None) for f in filter_.forms))
    message = form.format(" ".join(words))
    assert match(filter_, message) == match(searching, message)
