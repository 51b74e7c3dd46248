"""The unread rest of a packed file."""

import gzip
from operator import attrgetter

import pytest

from banwatch.errors import SourceError
from banwatch.model import Position
from banwatch.sources.file import LogFile, Piece
from banwatch.sources.opened import identity
from banwatch.sources.packed import START, PackedFile
from banwatch.sources.prints import KNOWN

LINES = [b"%d %s\n" % (number, b"x" * (number % 90)) for number in range(200)]
LOG = b"".join(LINES)
SMALL = bytearray(KNOWN + 300)


@pytest.fixture
def place(tmp_path):
    """place(offset) is the place there in the log before it was packed."""

    def place(offset):
        (tmp_path / "log").write_bytes(LOG[:offset])
        file = LogFile.open(str(tmp_path / "log"))
        while file.read(SMALL):
            pass
        file.close()
        return file.places()[-1]

    return place


@pytest.fixture
def packed(tmp_path):
    """packed(log, place) is a packed file, to be read from the place on."""

    def packed(log, place=START):
        path = tmp_path / "log.1.gz"
        path.write_bytes(gzip.compress(log))
        return PackedFile(str(path), identity(path.stat()), path.stat().st_size, place)

    return packed


def read(file):
    """All pieces until there are no more."""
    pieces = []
    while file.more:
        pieces.append(file.read(SMALL))
    return [piece for piece in pieces if piece is not None and piece.data]


def test_from_its_start(packed, descriptors):
    """In pieces that are not live; it is open from the first reading to the last."""
    before = descriptors()
    file = packed(LOG)
    assert (descriptors(), file.size) == (before, file._packed_size)
    assert file.stood > file.offset
    pieces = read(file)
    assert b"".join(piece.data for piece in pieces) == LOG
    assert len(pieces) > 20
    assert not any(map(attrgetter("live"), pieces))
    assert pieces[1].start == len(pieces[0].data)
    assert (file.read(SMALL), file.more, file.offset, file.stood, file.size) == (None, False, len(LOG), len(LOG), len(LOG))
    assert descriptors() == before


@pytest.mark.parametrize("lines", [1, 3, 50, 199])
def test_from_a_place(place, packed, lines):
    """What was read is passed over."""
    offset = len(b"".join(LINES[:lines]))
    file = packed(LOG, place(offset))
    pieces = read(file)
    assert b"".join(piece.data for piece in pieces) == LOG[offset:]
    assert pieces[0].start == offset


def test_its_place_is_that_of_the_log(place, packed):
    """At any time: what is read of a packed file can be gone on with in another one, or in the log itself."""
    file = packed(LOG)
    assert file.places() == ()
    while file.more:
        file.read(SMALL)
        [there] = file.places()
        assert there[2:5] == place(there.offset)[2:5]
        assert there[:2] == file.identity


def test_nothing_is_new(place, packed):
    """It was read to its end."""
    whole = place(len(LOG))
    file = packed(LOG, whole)
    assert read(file) == []
    assert file.places() == (whole,)


def test_another_log(place, packed):
    """It only begins like the one that was read, or is shorter: none of it is read."""
    there = place(10_000)
    for log in (LOG[:9_000] + LOG[9_500:] + LOG, LOG[:9_000]):
        file = packed(log, there)
        assert read(file) == []
        assert not file.more


def test_the_last_line_has_no_end(packed):
    """Nobody will give it one."""
    file = packed(b"one\ntwo")
    assert read(file) == [Piece(b"one\n", 0, False), Piece(b"two\n", 4, False)]
    assert (file.counters.unfinished, file.places()[0].offset, file.is_under_way) == (1, 7, False)
    assert file.finish() is None


def test_long_lines_are_counted(packed):
    """As in a log."""
    file = packed(b"x" * 70_000 + b"\n")
    assert len(read(file)[0].data) == 65_537
    assert file.counters.too_long == 1


def test_it_goes_on_after_an_error(packed, descriptors):
    """Unpacked anew, what was read is passed over."""
    before = descriptors()
    file = packed(LOG)
    first = [file.read(SMALL) for _ in range(9)]
    file.park()
    assert descriptors() == before
    assert b"".join(piece.data for piece in [*first, *read(file)]) == LOG


def test_it_was_renamed_before_it_was_read(tmp_path, packed):
    """It is found by its inode."""
    file = packed(LOG)
    (tmp_path / "log.1.gz").rename(tmp_path / "log.2.gz")
    assert b"".join(piece.data for piece in read(file)) == LOG


def test_damage_and_disappearance(tmp_path, packed):
    """Are errors that whoever reads it is told of."""
    file = packed(LOG)
    (tmp_path / "log.1.gz").write_bytes(b"no gzip at all")
    with pytest.raises(SourceError, match="Not a gzipped file"):
        file.read(SMALL)
    file.park()
    (tmp_path / "log.1.gz").unlink()
    with pytest.raises(OSError, match="No such file"):
        file.read(SMALL)


def test_a_place_without_fingerprints(packed):
    """Is believed."""
    file = packed(LOG, Position(1, 2, len(LINES[0])))
    assert b"".join(piece.data for piece in read(file)) == LOG[len(LINES[0]) :]
