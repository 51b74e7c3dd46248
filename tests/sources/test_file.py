"""One open file as one endless stream."""

import errno
import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from banwatch.errors import SourceError
from banwatch.model import Position
from banwatch.sources.file import MARKS, SPACING, LogFile, Piece
from banwatch.sources.opened import check_regular
from banwatch.sources.prints import KNOWN, fingerprint

BIG = bytearray(1 << 20)

Append = Callable[[Path, bytes], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.log"


@pytest.fixture
def opened() -> Iterator[Callable[..., LogFile]]:
    """opened(path, ...) is a LogFile that the test need not close."""
    files = []

    def opened(path: Path, **arguments: int) -> LogFile:
        files.append(LogFile.open(str(path), **arguments))
        return files[-1]

    yield opened
    for file in files:
        file.close()


Opened = Callable[..., LogFile]


def data(piece: Piece | None) -> bytes | None:
    return None if piece is None else piece.data


def test_whole_lines_come_with_their_place(path: Path, opened: Opened, append: Append) -> None:
    """A piece knows where it starts and where to go on; a line under way waits for its end."""
    path.write_bytes(b"one\ntwo\nth")
    file = opened(path)
    device, inode = path.stat().st_dev, path.stat().st_ino
    assert file.read(BIG) == Piece(b"one\ntwo\n", 0, True)
    assert file.places() == (Position(device, inode, 8, fingerprint(b"one\ntwo\n"), fingerprint(b"one\ntwo\n")),)
    assert not file.more
    assert file.read(BIG) is None
    append(path, b"ree\n")
    assert file.read(BIG) == Piece(b"three\n", 8, True)
    [place] = file.places()
    assert (place.offset, place.head) == (14, fingerprint(b"one\ntwo\nthree\n"))


def test_no_more_is_read_at_once_than_asked_for(path: Path, opened: Opened) -> None:
    """A large file comes in pieces."""
    path.write_bytes(b"0123456\n" * 3)
    file = opened(path)
    nine = bytearray(KNOWN + 9)
    assert [data(file.read(nine)) for _ in range(3)] == [b"0123456\n", b"0123456\n", b"0123456\n"]
    assert file.read(nine) is None


def test_what_stood_there_is_not_live(path: Path, opened: Opened, append: Append) -> None:
    """The first look's size is a border within which no piece is live, and which none crosses."""
    path.write_bytes(b"one\ntwo\n")
    file = opened(path, stood=True)
    append(path, b"three\n")
    pieces = [file.read(BIG), file.read(BIG)]
    assert [(piece.data, piece.live) for piece in pieces if piece] == [(b"one\ntwo\n", False), (b"three\n", True)]


def test_a_line_that_was_finished_later_is_live(path: Path, opened: Opened, append: Append) -> None:
    """Its end came after the first look."""
    path.write_bytes(b"one\ntw")
    file = opened(path, stood=True)
    append(path, b"o\n")
    pieces = [file.read(BIG), file.read(BIG)]
    assert [(piece.data, piece.live) for piece in pieces if piece] == [(b"one\n", False), (b"two\n", True)]


@pytest.mark.parametrize(
    ("lookback", "lines"),
    [
        (0, b""),
        (3, b""),
        (4, b""),
        (5, b""),
        (6, b"three\n"),
        (9, b"three\n"),
        (10, b"two\nthree\n"),
        (13, b"two\nthree\n"),
        (14, b"one\ntwo\nthree\n"),
    ],
)
def test_looking_back_starts_at_a_line(path: Path, opened: Opened, append: Append, lookback: int, lines: bytes) -> None:
    """The first line is the first that starts within the last so many bytes; later lines are not touched by it."""
    path.write_bytes(b"one\ntwo\nthree\n")
    file = opened(path, stood=True)
    file.look_back(lookback)
    got = b""
    while piece := file.read(BIG):
        got += piece.data
    assert got == lines
    append(path, b"four\n")
    assert data(file.read(BIG)) == b"four\n"


def test_it_goes_on_where_it_is_told(path: Path, opened: Opened) -> None:
    """What stood there is not live."""
    path.write_bytes(b"one\ntwo\n")
    file = opened(path, stood=True)
    file.go_on(4)
    assert file.read(BIG) == Piece(b"two\n", 4, False)


def test_a_place_fits_the_content_that_was_read(path: Path, opened: Opened, append: Append) -> None:
    """Whatever came after it; neither another content nor a shorter one, and be it different by one byte far back."""
    lines = [b"%d %s\n" % (number, b"x" * 60) for number in range(20)]
    path.write_bytes(b"".join(lines))
    file = opened(path)
    small = bytearray(KNOWN + 200)
    places = []
    while file.read(small):
        places += file.places()
    assert len({place.tail for place in places}) == len(places) > 5
    append(path, b"more\n")
    assert all(file.fits(place) for place in places)
    last = places[-1]
    for damaged in (b"X" + b"".join(lines)[1:], b"".join(lines)[:-2] + b"X\n", b"".join(lines)[:-1], b""):
        path.write_bytes(damaged)
        assert not file.fits(last)
    path.write_bytes(lines[0] + b"X" * (last.offset - 400) + b"".join(lines)[len(lines[0]) + last.offset - 400 :])
    assert not file.fits(last)


def test_a_place_without_fingerprints_fits_what_is_long_enough(path: Path, opened: Opened) -> None:
    """There is nothing else to go by."""
    path.write_bytes(b"one\n")
    file = opened(path)
    assert file.fits(Position(0, 0, 4))
    assert not file.fits(Position(0, 0, 5))


def test_a_file_that_was_not_begun_has_no_place(path: Path, opened: Opened) -> None:
    """Nor has one that gave no whole line."""
    path.write_bytes(b"half")
    file = opened(path)
    assert file.places() == ()
    file.read(BIG)
    assert file.places() == ()
    assert file.is_under_way


def test_the_content_before_a_truncation_is_remembered(path: Path, opened: Opened, append: Append) -> None:
    """There may be a copy of it; until the next truncation, and beside the new content."""
    path.write_bytes(b"one\ntwo\n")
    file = opened(path)
    file.read(BIG)
    old = file.places()
    path.write_bytes(b"new\n")
    file.read(BIG)
    assert file.places() == old
    file.read(BIG)
    assert [place.offset for place in file.places()] == [8, 4]
    assert file.places()[0] == old[0]
    path.write_bytes(b"")
    file.read(BIG)
    path.write_bytes(b"x\n")
    file.read(BIG)
    assert [place.offset for place in file.places()] == [4, 2]


def test_what_comes_while_it_is_behind_is_not_live(path: Path, opened: Opened, append: Append) -> None:
    """Only when there is no more than is read at once, what is read is what is written."""
    path.write_bytes(b"0123456\n" * 3)
    file = opened(path, stood=True)
    append(path, b"0123456\n" * 3)
    small = bytearray(KNOWN + 16)
    live = []
    while (piece := file.read(small)) is not None:
        live.append((len(piece.data), piece.live))
    append(path, b"0123456\n" * 3)
    while (piece := file.read(small)) is not None:
        live.append((len(piece.data), piece.live))
    assert live == [(16, False), (8, False), (16, False), (8, False), (16, True), (8, True)]


def test_truncation_starts_anew(path: Path, opened: Opened) -> None:
    """The file is shorter than what was read: what it has now comes from its start, and is live."""
    path.write_bytes(b"one\ntwo\n")
    file = opened(path, stood=True)
    file.read(BIG)
    path.write_bytes(b"new\n")
    assert data(file.read(BIG)) == b""
    assert file.more
    assert file.read(BIG) == Piece(b"new\n", 0, True)
    assert file.counters.truncations == 1


@pytest.mark.parametrize("old", [b"x\n", b"one\n" * 100, b"same start\n" + b"one\n" * 200])
@pytest.mark.parametrize("grown", [0, 1, KNOWN, 1 << 20])
def test_truncation_is_seen_when_the_file_has_grown_again(path: Path, opened: Opened, old: bytes, grown: int) -> None:
    """Size alone does not tell: what stood before the place of reading must still stand there."""
    path.write_bytes(old)
    file = opened(path)
    file.read(BIG)
    new = b"same start\n" + b"two\n" * ((len(old) + grown) // 4) + b"y" * (len(old) % 4) + b"\n"
    path.write_bytes(new)
    got = b""
    while piece := file.read(BIG):
        got += piece.data
    assert got == new
    assert file.counters.truncations == 1


def test_an_unfinished_line_is_not_lost_in_a_truncation(path: Path, opened: Opened) -> None:
    """It is handed out with an end that it never got, before anything new, and counted."""
    path.write_bytes(b"one\ntwo")
    file = opened(path)
    file.read(BIG)
    path.write_bytes(b"new\n")
    assert [data(file.read(BIG)) for _ in range(2)] == [b"two\n", b"new\n"]
    assert file.counters.unfinished == 1


def test_a_writer_that_goes_on_at_its_old_place_leaves_no_hole(path: Path, opened: Opened) -> None:
    """Who does not append leaves NUL bytes before the first line after a truncation; they are passed over."""
    with path.open("wb", buffering=0) as writer:
        writer.write(b"o\n" * 500_000)
        file = opened(path)
        while file.read(BIG):
            pass
        os.truncate(path, 0)
        writer.write(b"new\nx\0y\n")
        assert data(file.read(BIG)) == b""
        piece = file.read(BIG)
        assert piece == Piece(b"new\nx\0y\n", 1_000_000, True)
        assert file.position == 1_000_008
        writer.write(b"next\n")
        assert data(file.read(BIG)) == b"next\n"
    assert file.counters.too_long == 0


def test_a_hole_without_text_yet_is_passed_over(path: Path, opened: Opened, append: Append) -> None:
    """The file may have been stretched before it is written to."""
    path.write_bytes(b"one\n")
    file = opened(path)
    file.read(BIG)
    os.truncate(path, 0)
    os.truncate(path, 100)
    assert [data(file.read(BIG)) for _ in range(3)] == [b"", b"", None]
    append(path, b"new\n")
    assert file.read(BIG) == Piece(b"new\n", 100, True)


def test_a_file_system_that_cannot_seek_is_an_error_to_be_told(
    path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it only knows nothing of holes: then the text begins at the start."""
    numbers = [errno.EINVAL, errno.EIO]

    def refuse(*_: object) -> int:
        raise OSError(numbers.pop(0), "")

    path.write_bytes(b"one\n")
    file = opened(path)
    file.read(BIG)
    monkeypatch.setattr(os, "lseek", refuse)
    path.write_bytes(b"x\n")
    assert [data(file.read(BIG)) for _ in range(2)] == [b"", b"x\n"]
    path.write_bytes(b"")
    with pytest.raises(OSError, match=rf"^\[Errno {errno.EIO}\]"):
        file.read(BIG)


def test_finishing_gives_the_last_line_an_end(path: Path, opened: Opened, append: Append) -> None:
    """Once; what comes after it is a new line."""
    path.write_bytes(b"one\ntwo")
    file = opened(path)
    file.read(BIG)
    assert file.finish() == Piece(b"two\n", 4, True)
    assert file.finish() is None
    assert file.position == 7
    append(path, b" and more\n")
    assert data(file.read(BIG)) == b" and more\n"


def test_long_lines_are_counted(path: Path, opened: Opened) -> None:
    """Each of them once, whatever else happens to the file."""
    path.write_bytes(b"x" * 70_000 + b"\n" + b"y" * 70_000 + b"\n")
    file = opened(path)
    assert data(file.read(BIG)) == b"x" * 65_536 + b"\n" + b"y" * 65_536 + b"\n"
    assert file.counters.too_long == 2


def test_a_deleted_file_can_be_read(path: Path, opened: Opened) -> None:
    """It knows that it has no name any more."""
    path.write_bytes(b"one\n")
    file = opened(path)
    assert not file.deleted
    path.unlink()
    assert file.deleted
    assert data(file.read(BIG)) == b"one\n"


@pytest.mark.parametrize("kind", ["directory", "pipe", "device"])
def test_what_is_no_file_is_refused_without_waiting(path: Path, kind: str) -> None:
    """Opening a pipe without a writer would block for ever."""
    target = {"directory": path, "pipe": path, "device": Path("/dev/null")}[kind]
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(SourceError, match=f"^not a file but a {kind}$"):
        LogFile.open(str(target))
    with pytest.raises(SourceError, match=f"^not a file but a {kind}$"):
        check_regular(target.stat())


def test_links_are_not_followed(path: Path, tmp_path: Path) -> None:
    """Whoever opens has followed them already; one that appears now is a change to be looked at."""
    (tmp_path / "b.log").touch()
    path.symlink_to("b.log")
    with pytest.raises(OSError, match=rf"^\[Errno {errno.ELOOP}\]"):
        LogFile.open(str(path))


def test_closing_twice_is_fine(path: Path) -> None:
    """Closed is closed."""
    path.touch()
    file = LogFile.open(str(path))
    assert file.is_open
    file.close()
    file.close()
    assert not file.is_open


def test_some_places_are_remembered(path: Path, opened: Opened, append: Append) -> None:
    """The first and the last, the newest of them close together, and never many."""
    path.touch()
    file = opened(path)
    offsets = []
    for _ in range(3000):
        append(path, b"x" * 999 + b"\n")
        file.read(BIG)
        offsets.append(file.offset)
    marks = [mark.offset for mark in file.traces[0].marks]
    assert (marks[0], marks[-1]) == (1000, 3_000_000)
    assert set(marks) <= set(offsets)
    assert len(marks) <= MARKS
    assert all(later - earlier <= SPACING + 1000 for earlier, later in pairwise(marks[MARKS // 2 :]))
    assert all(mark.fits(file) for mark in file.traces[0].marks)
