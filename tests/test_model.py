"""model.py: what the frozen values can do."""

from hypothesis import given
from hypothesis import strategies as st

from banwatch.model import Chunk, Position


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
