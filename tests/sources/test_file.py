"""One open file as one endless stream."""

import errno
import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from banwatch.errors import SourceError
from banwatch.model import Position
from banwatch.sources.file import KNOWN, MARKS, SPACING, LogFile, Piece
from banwatch.sources.opened import check_regular

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
    assert file.read(BIG) == Piece(b"one\ntwo\n", 0, Position(device, inode, 8), True)
    assert not file.more
    assert file.read(BIG) is None
    append(path, b"ree\n")
    assert file.read(BIG) == Piece(b"three\n", 8, Position(device, inode, 14), True)


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
    file = opened(path, lookback=1000)
    append(path, b"three\n")
    pieces = [file.read(BIG), file.read(BIG)]
    assert [(piece.data, piece.live) for piece in pieces if piece] == [(b"one\ntwo\n", False), (b"three\n", True)]


def test_a_line_that_was_finished_later_is_live(path: Path, opened: Opened, append: Append) -> None:
    """Its end came after the first look."""
    path.write_bytes(b"one\ntw")
    file = opened(path, lookback=1000)
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
    file = opened(path, lookback=lookback)
    got = b""
    while piece := file.read(BIG):
        got += piece.data
    assert got == lines
    append(path, b"four\n")
    assert data(file.read(BIG)) == b"four\n"


def test_resuming_goes_on_where_another_life_left_off(path: Path, opened: Opened) -> None:
    """If the file is shorter than that, it is not what it was, and is looked back into."""
    path.write_bytes(b"one\ntwo\n")
    file = opened(path, lookback=0, resume=4)
    assert file.read(BIG) == Piece(b"two\n", 4, file.position, False)
    assert data(opened(path, lookback=1000, resume=9).read(BIG)) == b"one\ntwo\n"


def test_truncation_starts_anew(path: Path, opened: Opened) -> None:
    """The file is shorter than what was read: what it has now comes from its start, and is live."""
    path.write_bytes(b"one\ntwo\n")
    file = opened(path, lookback=1000)
    file.read(BIG)
    path.write_bytes(b"new\n")
    assert data(file.read(BIG)) == b""
    assert file.more
    assert file.read(BIG) == Piece(b"new\n", 0, file.position, True)
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
        assert piece == Piece(b"new\nx\0y\n", 1_000_000, file.position, True)
        assert file.position.offset == 1_000_008
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
    assert file.read(BIG) == Piece(b"new\n", 100, file.position, True)


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
    assert file.finish() == Piece(b"two\n", 4, file.position, True)
    assert file.finish() is None
    assert file.position.offset == 7
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
