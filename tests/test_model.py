"""The values that travel, as far as they do something."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.model import Ban, Chunk, Position, Target, is_enforced

NUMBERS = st.integers(min_value=0, max_value=2**64)
PLACES = st.builds(
    lambda *fields: Position(*fields), NUMBERS, NUMBERS, NUMBERS, st.text(), st.text(), st.floats(0, 1e12), st.text()
)


@given(PLACES, st.lists(PLACES))
def test_a_position_can_be_written_down(place, older):
    """As one line of text, and read again."""
    position = place._replace(older=tuple(older))
    text = position.render()
    assert "\n" not in text
    assert Position.parse(text) == position


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "[1,2]",
        '[1,2,3,"","",0,""]',
        '[1,2,3,"","",0,"",[],4]',
        '[1,2,-3,"","",0,"",[]]',
        '[1,2,3,4,"",0,"",[]]',
        '[1,2,3,"","",0,4,[]]',
        '[1,2,3,"","",0,"",[[1]]]',
        '[1,2,3,"","",0,"",[5]]',
    ],
)
def test_what_is_no_position(text):
    """Whatever stands in a store, it is refused with one error."""
    with pytest.raises(ValueError, match=r"^(no position|Expecting value|not enough values)"):
        Position.parse(text)


def test_the_form_of_a_position():
    """A store of yesterday is read tomorrow."""
    position = Position(1, 2, 3, "aa", "bb", 4.5, older=(Position(5, 6, 7, "cc", "dd", 8.0),))
    assert json.loads(position.render()) == [1, 2, 3, "aa", "bb", 4.5, "", [[5, 6, 7, "cc", "dd", 8.0, "", []]]]
    assert json.loads(Position(0, 0, 0, at=4.5, cursor="s=1;i=2").render()) == [0, 0, 0, "", "", 4.5, "s=1;i=2", []]


@given(st.lists(st.binary(max_size=6).map(lambda line: line.replace(b"\n", b"") + b"\n")), st.integers(1, 9), st.booleans())
def test_pieces(lines, size, ends):
    """However it is cut, each piece has whole lines, and together they are the chunk; none is much longer than asked for."""
    data = b"".join(lines) if ends else b"".join(lines).removesuffix(b"\n")
    chunk = Chunk("/log", data, 100, Position(1, 2, 100 + len(data)), True, 0.0, frozenset({"/log"}))
    pieces = list(chunk.pieces(size))
    assert b"".join(piece.data for piece in pieces) == data
    assert [piece.data for piece in pieces[:-1] if not piece.data.endswith(b"\n")] == []
    assert [piece.start for piece in pieces] == [100 + sum(len(p.data) for p in pieces[:n]) for n in range(len(pieces))]
    assert all(len(piece.data) < size + 8 for piece in pieces)
    assert {(p.source, p.position, p.live, p.read_at, p.patterns) for p in pieces} <= {
        (chunk.source, chunk.position, True, 0.0, chunk.patterns)
    }


def test_is_enforced():
    """What is only recorded, and logins, are no business of the kernel."""
    ban = Ban("sshd", Target("net", "192.0.2.7"), "ip", 0.0, None)
    assert is_enforced(ban)
    assert not is_enforced(ban._replace(enforce=False))
    assert not is_enforced(ban._replace(target=Target("login", "bob")))
