"""cli/furthest.py: how far a text follows a regex."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.cli.furthest import find_furthest, split_pieces
from banwatch.config.load import load_config
from banwatch.filter.failregex import compile_pattern


@pytest.mark.parametrize(
    ("written", "text", "at", "place", "wanted"),
    [
        (
            r"^Failed for <F-USER>.*</F-USER> from <HOST> port \d+$",
            "Failed for bob from 192.0.2.7 prt 4",
            31,
            r" \w+",
            "' port '",
        ),
        (r"^Failed for <F-USER>.*</F-USER> from <HOST>$", "Failed for bob via 192.0.2.7", 15, "from <HOST>$", "' from '"),
        (r"^Failed for <F-USER>.*</F-USER> from <HOST>$", "Failed for bob", 14, " from <HOST>$", "' from '"),
        (r"^Failed for <HOST>$", "Failed for bob", 11, "<HOST>$", "an address (<HOST>)"),
        (r"^Failed for <HOST>$", "Failed for 192.0.2.7 x", 20, "$", "the end"),
        (r"^a(?:bc|bde)f$", "abdx", 3, "e)f$", "'bde'"),
        (r"^a(?P<n>bc)+f$", "abx", 2, "c)+f$", "'bc'"),
        (r"^a(?>b(?:c|d))$", "abx", 2, "(?:c|d))$", "(?:c|d)"),
        (r"^a(?!b)c$", "abc", 1, "(?!b)c$", "(?!b)"),
        (r"^a\.[.\]]x{2}\($", "a.]x", 3, r"x{2}\($", "x{2}"),
        (r"^a\.b\(c$", "a.x", 2, r"b\(c$", "'a.b(c'"),
        (r"(?i)^ABC", "abx", 2, "C", "'ABC'"),
        (r"^ab$|^ax", "ay", 1, "b$|^ax", "'ab'"),
        (r"^ab$", "ab", 2, "", ""),
        (r"^ab|cd$", "xcd", 3, "", ""),
        (r"^(\w)(?P=n)?\1z$", "aab", 2, "z$", "'z'"),
    ],
)
def test_how_far(written, text, at, place, wanted):
    """The place in the text, the place in the regex as it is written, and what is asked for there."""
    if "(?P=n)" in written:
        written = written.replace("(?P=n)?", "")
    reach = find_furthest(written, text)
    assert reach is not None
    assert (reach.text, reach.wanted) == (at, wanted)
    if place != r" \w+":
        assert written[reach.regex :] == place


@pytest.mark.parametrize("written", ["(?x) a b", "a(?#comment)b", "(a)?(?(1)b|c)", "(a", "a)"])
def test_what_cannot_be_taken_apart(written):
    """Where brackets need not be brackets, nothing is said."""
    assert find_furthest(written, "ab") is None


@pytest.fixture(scope="module")
def filters(tmp_path_factory):
    return load_config(tmp_path_factory.mktemp("etc")).filters.values()


def regexes(spec):
    return [text for texts in (*spec.failregex.values(), *spec.hintregex.values(), spec.successregex) for text in texts]


def test_shipped_regexes(filters):
    """All of them can be taken apart, and are what their pieces are; what matches is followed to the end."""
    for spec in filters:
        messages = [example.log.partition("]: ")[2] or example.log for example in spec.examples[:20]]
        for written in regexes(spec):
            (pieces,) = split_pieces(written)
            assert "".join(written[piece.start : piece.end] for piece in pieces) == written
            pattern = compile_pattern(written, "auth", 0, False).regex
            for message in messages:
                reach = find_furthest(written, message)
                assert (reach.wanted == "") == (pattern.search(message) is not None)
                assert 0 <= reach.text <= len(message)


@given(st.text(alphabet="ab", max_size=8))
def test_the_plain_model(text):
    """For plain text it is the common beginning."""
    reach = find_furthest("^abab$", text)
    common = next((n for n in range(4) if text[n : n + 1] != "abab"[n]), 4)
    assert reach.text == common


def test_a_regex_that_would_take_for_ever():
    """Where there is a doubt, no piece gets more than a little time."""
    assert find_furthest("^(?:a|b|ab)*cd$", "ab" * 50, doubt="a loop that can be walked in two ways").wanted == "'cd'"


def test_a_long_text_is_cut():
    """Nobody waits for a line of a megabyte."""
    assert find_furthest("^x*y$", "x" * 1_000_000).text <= 2000
