from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.config.model import FilterSpec
from banwatch.filter import Lens, Scanner, compile_filter
from banwatch.filter.prefilter import EVERY_LINE, Needle, RePrefilter
from banwatch.model import Chunk, Position

NOW = 1.8e9


def needles(*regexes, **keys):
    return compile_filter(FilterSpec("x", failregex={"auth": regexes}, **keys)).needles


def test_behind_a_program_the_beginning_is_looked_for():
    """The program and the first words of the messages are one needle."""
    (needle,) = needles("^Failed for <HOST>$", "^Invalid user <HOST>$", program="prog")
    assert needle.literal is None
    data = b"mx prog[1]: Failed for 192.0.2.7\nmx prog: other\nmx else: Failed for 192.0.2.7\nmx prog: Invalid user 192.0.2.7"
    assert [data[a:b] for a, b in RePrefilter([needle]).candidates(data)] == [
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


def test_lines_beyond_ascii_are_candidates_always():
    """Bytes and characters part ways there, so such a line is looked at."""
    data = b"aaa\n\xc5\xbf\nneedle\nbbb\xff\n"
    found = RePrefilter([Needle(b"needle", b"needle")]).candidates(data)
    assert [data[a:b] for a, b in found] == [b"\xc5\xbf", b"needle", b"bbb\xff"]


def test_a_needle_does_not_reach_into_the_next_line():
    """A class that takes anything does not take line ends."""
    (needle,) = needles(r"^a[^bc]\Sfailed <HOST>$", program="prog")
    assert list(RePrefilter([needle]).candidates(b"prog: a\nxfailed 192.0.2.7\n")) == []


PIECES = st.sampled_from(
    [
        "Failed ",
        "(?:error: )?",
        r"\w+",
        r"\S* ",
        "[^x]",
        "[a-f]",
        "(?:bad|evil) ",
        ".*",
        ".*?",
        "user ",
        r"\s",
        r"\b",
        "(?=u)",
        "(?i:Login)",
        "k",
        "ü",
        "$",
    ]
)
TEXTS = st.lists(
    st.sampled_from(
        ["Failed ", "error: ", "bad ", "evil ", "user ", "login", "LOGIN", "K", "k", "ſ", "ü", "x", " ", "\x1c", "192.0.2.7", "a"]
    ),
    max_size=8,
).map("".join)


@st.composite
def filters(draw):
    flags = draw(st.sampled_from(["", "(?i)"]))
    bodies = draw(st.lists(st.lists(PIECES, max_size=5).map("".join), min_size=1, max_size=4))
    regexes = tuple(f"{flags}{draw(st.sampled_from(['^', '']))}{body}(?:<F-USER>.*</F-USER>)" for body in bodies)
    keys = draw(
        st.sampled_from(
            [{"program": "prog"}, {"program": "prog|other"}, {"header": ("none",)}, {}, {"header": ("syslog", "none")}]
        )
    )
    return compile_filter(FilterSpec("x", failregex={"auth": regexes}, **keys))


@given(
    filters(),
    st.lists(st.tuples(st.sampled_from(["Nov 20 10:00:00 mx prog[1]: ", "Nov 20 10:00:00 mx other: ", ""]), TEXTS), max_size=5),
)
def test_it_loses_nothing(filter_, parts):
    """Every line that matches when it is looked at is found in the bytes."""
    lines = [(head + text).encode() for head, text in parts]
    data = b"".join(line + b"\n" for line in lines)
    scanner = Scanner([Lens(filter_, UTC)])
    alone = [found.line for line in lines if (found := scanner.match_line(0, line.decode(), NOW)) is not None]
    chunk = Chunk("log", data, 0, Position(0, 0, 0), True, 0.0)
    assert [found.line for found in Scanner([Lens(filter_, UTC)]).scan(chunk, NOW)] == alone
