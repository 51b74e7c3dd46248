"""Where reading had come to in files that are not followed."""

import pytest

from banwatch.model import Position
from banwatch.sources import memory as memory_module
from banwatch.sources.file import LogFile
from banwatch.sources.memory import Memory
from banwatch.sources.opened import Identity

BIG = bytearray(1 << 16)


@pytest.fixture
def opened():
    files = []

    def opened(path):
        files.append(LogFile.open(str(path), stood=True))
        return files[-1]

    yield opened
    for file in files:
        file.close()


@pytest.fixture
def read(tmp_path, opened):
    """read(name, text) is the place after it in a new file."""

    def read(name, text):
        (tmp_path / name).write_bytes(text)
        file = opened(tmp_path / name)
        file.read(BIG)
        return file.places()[-1]

    return read


def test_a_file_is_known_by_itself(tmp_path, opened, read):
    """Whatever it is called now; of several places the furthest that fits."""
    place = read("a", b"one\ntwo\n")
    first = place._replace(offset=4, tail="", head="")
    memory = Memory({"x": place, "y": first})
    (tmp_path / "a").rename(tmp_path / "b")
    assert memory.recall(opened(tmp_path / "b"), ["anything"]) == place
    assert memory.file_of("x") == Identity(place.device, place.inode)
    assert memory.sources == {"x", "y"}


def test_another_content_is_another_file(tmp_path, opened, read):
    """An inode is soon another's."""
    place = read("a", b"one\ntwo\n")
    (tmp_path / "a").write_bytes(b"new\nand longer\n")
    assert Memory({"a": place}).recall(opened(tmp_path / "a"), [str(tmp_path / "a")]) is None


def test_a_copy_is_known_by_its_content(tmp_path, opened, read):
    """If it stands where the log was, or bears the name of its rotated file; a log that only has the same lines does not."""
    place = read("a.log", b"one\ntwo\n")
    memory = Memory({str(tmp_path / "a.log"): place})
    for name, known in (("a.log.1", place), ("a-20261127.log", place), ("b.log", None), ("a.log.1.gz", place)):
        (tmp_path / name).write_bytes(b"one\ntwo\nthree\n")
        assert memory.recall(opened(tmp_path / name), [str(tmp_path / name)]) == known
    (tmp_path / "new").write_bytes(b"one\ntwo\n")
    (tmp_path / "new").rename(tmp_path / "a.log")
    assert memory.recall(opened(tmp_path / "a.log"), [str(tmp_path / "a.log")]) == place


def test_a_file_that_went_on_under_another_name_is_as_far_there():
    """The row of its old name was not written anew."""
    then, now = Position(1, 2, 50, "h", "t1", 5.0), Position(1, 2, 90, "h", "t2", 6.0)
    memory = Memory({"a": then, "a.1": now, "b": Position(1, 3, 9, "x", "x", 9.0, older=(then,))})
    assert memory.position("a") == now
    assert memory.position("b").older == (now,)
    emptied = Position(1, 2, 300, "other", "t", 4.0)
    assert Memory({"a": emptied, "a.1": now}).position("a") == emptied
    shorter = Position(1, 2, 20, "h", "t", 7.0)
    assert Memory({"a": then, "a.1": shorter}).position("a") == then


def test_what_went_away_is_kept(tmp_path, opened, read, monkeypatch):
    """Until it comes back; the oldest are forgotten first."""
    monkeypatch.setattr(memory_module, "LARGEST", 2)
    memory = Memory({})
    places = [read(name, name.encode() * 9 + b"\n") for name in "abc"]
    for name, place in zip("abc", places, strict=True):
        memory.keep(name, Identity(place.device, place.inode), (place,))
    assert memory.sources == {"b", "c"}
    assert memory.recall(opened(tmp_path / "a"), []) is None
    assert memory.recall(opened(tmp_path / "c"), []) == places[2]
    memory.forget("c")
    assert memory.sources == {"b"}
    memory.keep(None, Identity(0, 0), ())
    memory.keep(None, Identity(0, 0), (Position(0, 0, 1),))
    assert memory.sources == {"b"}
