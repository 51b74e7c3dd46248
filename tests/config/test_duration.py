"""Durations and limits: what is read, what is refused, and that rendering is the inverse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.config.duration import LONGEST, parse_duration, parse_limit, parse_seconds, render_duration, render_limit
from banwatch.config.model import Limit
from banwatch.config.problem import UnfitError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1s", 1),
        ("10m", 600),
        ("1h30m", 5400),
        ("1d12h", 129600),
        ("1w", 604800),
        ("2w1d1h1m1s", 1299661),
        ("0010m", 600),
        ("forever", None),
    ],
)
def test_duration(text, seconds):
    """A number of seconds, or numbers with units, the largest first; forever has no number."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "m",
        "10 m",
        "10M",
        "1.5h",
        "-5",
        "+5",
        "30m1h",
        "1m1m",
        "1m30",
        "ten minutes",
        "1y",
        "1mo",
        "٣m",
        "5\n",
        "Forever",
        "0x10",
    ],
)
def test_no_duration(text):
    """Everything else is refused with the text that was found."""
    with pytest.raises(UnfitError) as caught:
        parse_duration(text)
    assert (caught.value.expected, caught.value.got) == ('a duration like "10m" or "forever"', text)


@pytest.mark.parametrize("text", ["0", "0s", "0h0m"])
def test_zero_is_refused(text):
    """A ban of no length would be a ban for ever to the kernel."""
    with pytest.raises(UnfitError, match="of at least 1 second"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["3651d", "999999999999w", "315360001"])
def test_too_long_is_refused(text):
    """What is longer than ten years is a slip; forever is a word of its own."""
    with pytest.raises(UnfitError, match="of at most ten years"):
        parse_duration(text)
    assert parse_duration("3650d") == LONGEST


def test_thirteen_digits_are_no_number():
    """A number that nobody meant is refused before it is computed."""
    with pytest.raises(UnfitError):
        parse_duration("9" * 10_000)


def test_forever_has_an_end_where_one_is_needed():
    """A findtime cannot be forever."""
    with pytest.raises(UnfitError, match='expected a duration like "90", "10m" or "1h30m", got "forever"'):
        parse_seconds("forever")


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "forever"), (600.0, "10m"), (5400, "1h30m"), (90, "1m30s"), (0, "0s"), (0.2, "1s"), (59.5, "1m")]
)
def test_render_duration(seconds, text):
    """Rendered with units, a part of a second as a whole one."""
    assert render_duration(seconds) == text


@given(st.integers(1, LONGEST))
def test_rendering_is_the_inverse(seconds):
    """What was rendered reads as the same number of seconds."""
    assert parse_duration(render_duration(seconds)) == seconds


@given(st.text())
def test_any_text_is_a_duration_or_refused(text):
    """No text leads to anything but seconds within the bounds, or a refusal."""
    try:
        seconds = parse_duration(text)
    except UnfitError:
        return
    assert seconds is None or 1 <= seconds <= LONGEST


@pytest.mark.parametrize(
    ("text", "limit"), [("3/10m", (3, 600)), ("100/1d", (100, 86400)), ("1/90", (1, 90)), ("5 / 1h", (5, 3600))]
)
def test_limit(text, limit):
    """maxretry, a stroke, findtime."""
    assert parse_limit(text) == Limit(*limit)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", 'maxretry/findtime like "3/10m"'),
        ("3/", 'maxretry/findtime like "3/10m"'),
        ("/10m", 'maxretry/findtime like "3/10m"'),
        ("3/10m/1h", 'maxretry/findtime like "3/10m", findtime a duration like "90", "10m" or "1h30m"'),
        ("-3/10m", 'maxretry/findtime like "3/10m"'),
        ("0/10m", 'maxretry/findtime like "3/10m", maxretry from 1 to 10000'),
        ("10001/10m", 'maxretry/findtime like "3/10m", maxretry from 1 to 10000'),
        ("3/forever", 'maxretry/findtime like "3/10m", findtime a duration like "90", "10m" or "1h30m"'),
        ("3/0", 'maxretry/findtime like "3/10m", findtime a duration like "90", "10m" or "1h30m" of at least 1 second'),
    ],
)
def test_no_limit(text, expected):
    """The refusal says which half is wrong."""
    with pytest.raises(UnfitError) as caught:
        parse_limit(text)
    assert (caught.value.expected, caught.value.got) == (expected, text)


@given(st.integers(1, 10_000), st.integers(1, LONGEST))
def test_rendering_a_limit_is_the_inverse(maxretry, findtime):
    """What was rendered reads as the same limit."""
    assert parse_limit(render_limit(Limit(maxretry, findtime))) == (maxretry, findtime)
