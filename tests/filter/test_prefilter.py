from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.config.model import FilterSpec
from banwatch.filter import Lens, Scanner, compile_filter
from banwatch.filter.needles import EVERY_LINE, Needle
from banwatch.filter.prefilter import RePrefilter, open_prefilter
from banwatch.filter.vectorscan import Vectorscan
from banwatch.model import Chunk, Position

NOW = 1.8e9
ENGINES = pytest.mark.parametrize("engine", [RePrefilter, Vectorscan])


def found(engine, needles, data):
    return [data[a:b] for a, b in engine([needles]).candidates(data, [0])[0]]


@ENGINES
def test_lines_with_a_needle_are_candidates(engine):
    """Regexes and texts are found, each line once, also the last one without its end."""
    needles = [Needle(b"ab+c"), Needle(b"text", b"text")]
    assert found(engine, needles, b"abc abbc text\nnothing\nab\nc\nTEXT\nsome text") == [b"abc abbc text", b"some text"]


@ENGINES
def test_folded_texts_are_found_in_any_case(engine):
    """Where case does not matter to the regex it does not matter to the needle."""
    assert found(engine, [Needle(b"text", b"text", True)], b"TeXt\nno\n") == [b"TeXt"]


@ENGINES
def test_lines_beyond_ascii_are_candidates_always(engine):
    """Bytes and characters part ways there, so such a line is looked at."""
    data = b"aaa\n\xc5\xbf\nneedle\nbbb\xff\n"
    assert found(engine, [Needle(b"needle", b"needle")], data) == [b"\xc5\xbf", b"needle", b"bbb\xff"]


@ENGINES
def test_every_line(engine):
    """Where no needle is known every line is a candidate, for this lens only."""
    data = b"a\n\nneedle"
    both = engine([[EVERY_LINE], [Needle(b"needle", b"needle")]])
    assert [list(spans) for spans in both.candidates(data, [0, 1])] == [[(0, 1), (2, 2), (3, 9)], [(3, 9)]]
    assert [list(spans) for spans in both.candidates(data, [1])] == [[(3, 9)]]
    assert [list(spans) for spans in engine([[EVERY_LINE]]).candidates(data, [0])] == [[(0, 1), (2, 2), (3, 9)]]


def test_vectorscan_looks_where_it_can():
    """What it cannot be asked for is looked for by `re`."""
    assert open_prefilter([[Needle(b"needle", b"needle")]]).engine == "vectorscan"
    assert open_prefilter([[Needle(rb"(?<=a)needle")]]).engine == "re"


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


@ENGINES
@given(
    filters=st.lists(filters(), min_size=1, max_size=3),
    parts=st.lists(
        st.tuples(st.sampled_from(["Nov 20 10:00:00 mx prog[1]: ", "Nov 20 10:00:00 mx other: ", ""]), TEXTS), max_size=5
    ),
)
def test_it_loses_nothing(engine, filters, parts):
    """Every line that matches when it is looked at is found in the bytes, by either engine, for all filters at once."""
    lines = [(head + text).encode() for head, text in parts]
    data = b"".join(line + b"\n" for line in lines)
    lenses = [Lens(filter_, UTC) for filter_ in filters]
    scanner = Scanner(lenses)
    alone = [scanner.match_line(lens, line.decode(), NOW) for line in lines for lens in range(len(lenses))]
    chunk = Chunk("log", data, 0, Position(0, 0, 0), True, 0.0)
    together = Scanner(lenses, engine).scan(chunk, NOW)
    assert [(match.lens, match.line) for match in together] == [(match.lens, match.line) for match in alone if match is not None]


@given(st.lists(filters(), min_size=1, max_size=3), st.lists(st.binary(max_size=20) | TEXTS.map(str.encode), max_size=8))
def test_the_engines_agree(filters, pieces):
    """On any bytes Vectorscan leads to the matches that `re` leads to."""
    data = b"\n".join(b"Nov 20 10:00:00 mx prog[1]: " + piece for piece in pieces)
    chunk = Chunk("log", data, 0, Position(0, 0, 0), True, 0.0)
    lenses = [Lens(filter_, UTC) for filter_ in filters]
    assert list(Scanner(lenses, Vectorscan).scan(chunk, NOW)) == list(Scanner(lenses, RePrefilter).scan(chunk, NOW))
