"""Who is next, and what is due."""

import pytest

from banwatch.sources.catalogue import Catalogue
from banwatch.sources.handles import Handles
from banwatch.sources.turns import Patience, Turns


@pytest.fixture
def handles(hand):
    return Handles(hand, 1.0)


@pytest.fixture
def catalogue(hand, handles):
    return Catalogue(handles, hand, lambda: 0.0, 1000, {})


@pytest.fixture
def turns(hand, handles, catalogue):
    turns = Turns(handles, catalogue, Patience(), 4, lambda: 7.0, hand.now)
    yield turns
    for followed in list(handles.files.values()):
        turns.drop(followed)


@pytest.fixture
def look(catalogue, turns):
    """look(pattern) puts what it finds in the queue, and gives it by source."""

    def look(pattern):
        found = catalogue.look(frozenset([str(pattern)]))
        for followed in found:
            turns.add(followed)
        return {followed.source.rpartition("/")[2]: followed for followed in found}

    return look


def take(turns):
    """The next chunk with lines that comes."""
    while turns:
        if (chunk := turns.take()) is not None and chunk.data:
            return chunk
    return None


def test_each_file_is_in_the_queue_once(tmp_path, look, turns):
    """However often it is told of."""
    (tmp_path / "a").touch()
    [followed] = look(tmp_path / "*").values()
    turns.add(followed)
    assert len(turns) == 1
    turns.drop(followed)
    assert len(turns) == 0
    turns.add(followed)
    assert len(turns) == 0


def test_one_chunk_each(tmp_path, look, turns):
    """A file that has more goes to the end of the queue."""
    (tmp_path / "a").write_bytes(b"a1a\na2a\na3a\n")
    (tmp_path / "b").write_bytes(b"b1b\nb2b\n")
    look(tmp_path / "*")
    got = []
    while chunk := take(turns):
        got.append(chunk.data)
    assert got == [b"a1a\n", b"b1b\n", b"a2a\n", b"b2b\n", b"a3a\n"]
    assert not turns


def test_a_chunk_says_everything(tmp_path, look, turns):
    """Where it is from, when it was read, and for whom."""
    (tmp_path / "a").write_bytes(b"one\n")
    followed = look(tmp_path / "a")["a"]
    chunk = take(turns)
    assert (chunk.source, chunk.data, chunk.start, chunk.read_at) == (str(tmp_path / "a"), b"one\n", 0, 7.0)
    assert (chunk.position, chunk.patterns) == (followed.file.places()[0], {str(tmp_path / "a")})


def test_an_heir_waits_for_the_end(tmp_path, look, turns):
    """Every chunk of the old file comes before the first of the new one."""
    path = tmp_path / "a"
    path.write_bytes(b"a1a\na2a\na3a\n")
    look(path)
    path.rename(tmp_path / "old")
    path.write_bytes(b"new\n")
    look(path)
    assert [take(turns).data for _ in range(4)] == [b"a1a\n", b"a2a\n", b"a3a\n", b"new\n"]


def test_an_heir_does_not_wait_for_a_file_that_is_dropped(tmp_path, look, turns, catalogue):
    """Whatever the reason."""
    path = tmp_path / "a"
    path.write_bytes(b"a1a\n")
    old = look(path)["a"]
    path.rename(tmp_path / "old")
    path.write_bytes(b"new\n")
    look(path)
    turns.drop(old)
    assert take(turns).data == b"new\n"


def test_what_is_due_comes_when_its_time_has_come(tmp_path, look, turns, hand):
    """A rotated file with a line under way: not before the grace is over."""
    path = tmp_path / "a"
    path.write_bytes(b"one")
    look(path)
    path.rename(tmp_path / "old")
    look(path)
    assert take(turns) is None
    assert list(turns.due) == [1005.0]
    hand.time = 1004.9
    turns.add_due()
    assert not turns
    hand.time = 1005.0
    turns.add_due()
    assert take(turns).data == b"one\n"
    assert list(turns.due) == []
