import pytest

from banwatch.config.model import FilterSpec
from banwatch.filter import compile_filter
from banwatch.filter.needles import EVERY_LINE, Needle
from banwatch.filter.prefilter import RePrefilter


def needles(*regexes, **keys):
    return compile_filter(FilterSpec("x", failregex={"auth": regexes}, **keys)).needles


def test_behind_a_program_the_beginning_is_looked_for():
    """The program and the first words of the messages are one needle."""
    (needle,) = needles("^Failed for <HOST>$", "^Invalid user <HOST>$", program="prog")
    assert needle.literal is None
    data = b"mx prog[1]: Failed for 192.0.2.7\nmx prog: other\nmx else: Failed for 192.0.2.7\nmx prog: Invalid user 192.0.2.7"
    assert [data[a:b] for a, b in RePrefilter([[needle]]).candidates(data, [0])[0]] == [
        b"mx prog[1]: Failed for 192.0.2.7",
        b"mx prog: Invalid user 192.0.2.7",
    ]


@pytest.mark.parametrize(
    ("regex", "expected"),
    [
        (r"^\S+ authenticator failed for <HOST>$", Needle(rb"\ authenticator\ failed\ for\ ", b" authenticator failed for ")),
        ("(?i)Login Failure <HOST>", Needle(rb"login\ failure\ ", b"login failure ", True)),
        ("(?:bad|evil) <HOST>", EVERY_LINE),
        ("(?:text )?<HOST>", EVERY_LINE),
    ],
)
def test_without_a_program_the_longest_text_is_looked_for(regex, expected):
    """What a match cannot do without is the needle; where there is nothing, every line is a candidate."""
    assert needles(regex, header=("none",)) == (expected,)


def test_a_needle_does_not_reach_into_the_next_line():
    """A class that takes anything does not take line ends."""
    (needle,) = needles(r"^a[^bc]\Sfailed <HOST>$", program="prog")
    assert list(RePrefilter([[needle]]).candidates(b"prog: a\nxfailed 192.0.2.7\n", [0])[0]) == []


def test_behind_enough_text_repeats_are_looked_at_once():
    """What repeats without end tells little when it comes late, and makes the search larger."""
    (needle,) = needles(r"^Connection from \d+ at <HOST>$", program="prog")
    assert needle.regex.endswith(rb"Connection\ from\ (?:[0-9])|\[ *[0-9]|message repeated )")


@pytest.mark.parametrize(
    ("regex", "texts"),
    [
        (r"^<HOST> (?:[a-z]+|x) (?:refused|denied)$", {b"refused", b"denied"}),
        (r"^<HOST> (?:no|(?:refused|denied) by) x$", None),
        (r"^<HOST> (?>(?:refused|(?:\d denied|\d banned)) x)+$", {b"refused", b"denied", b"banned"}),
        (r"(?i)^<HOST> (?:Refused|Denied)$", {b"refused", b"denied"}),
    ],
)
def test_alternatives_are_needed_one_of_them(regex, texts):
    """Where no text stands in every match, one of several does, if each alternative has one."""
    found = needles(regex, header=("none",))
    assert found == (EVERY_LINE,) if texts is None else {needle.literal for needle in found} == texts
