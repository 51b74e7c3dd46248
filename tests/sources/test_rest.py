"""The unread rest of rotated files, followed."""

from collections import Counter

import pytest

from banwatch.model import Position
from banwatch.sources.base import Counters
from banwatch.sources.file import LogFile
from banwatch.sources.handles import Followed, Handles
from banwatch.sources.memory import Memory
from banwatch.sources.packed import PackedFile
from banwatch.sources.rest import Rest

BIG = bytearray(1 << 16)


@pytest.fixture
def handles(hand):
    handles = Handles(hand, 1.0)
    yield handles
    for followed in list(handles.files.values()):
        handles.drop(followed)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "app.log"


@pytest.fixture
def current(log, handles):
    """current() is the log of now, followed."""

    def current():
        file = LogFile.open(str(log), stood=True)
        followed = Followed(file, str(log), paths=(str(log),), patterns=frozenset([str(log)]))
        handles.add(followed)
        return followed

    return current


@pytest.fixture
def read(log):
    """read(text) is the position after it in a log of that text."""

    def read(text):
        log.write_bytes(text)
        file = LogFile.open(str(log))
        file.read(BIG)
        file.close()
        return file.places()[-1]._replace(at=5.0)

    return read


def names(followed):
    return [one.file.path.rpartition("/")[2] for one in followed]


def test_in_order_and_waiting_for_each_other(log, handles, current, read):
    """The last of the rotated ones may have a late writer; the older ones are let go of when they are still."""
    position = read(b"one\n")
    for number in (3, 2, 1):
        log.rename(f"{log}.{number}")
        log.write_bytes(b"another\n")
    memory, followed = Memory({str(log): position, "other": position}), current()
    counts = Counter()
    rest = Rest(handles, memory, lambda source: counts.update([source]) or Counters())
    found = rest.follow({followed: None}, frozenset(), {str(log): followed})
    assert names(found) == ["app.log.3", "app.log.2", "app.log.1"]
    assert [one.waits_for for one in (*found, followed)] == [set(), {found[0]}, {found[1]}, {found[2]}]
    assert [one.file.offset for one in found] == [4, 0, 0]
    assert all(one.retired and one.moved and one.source == str(log) for one in found)
    assert [one.superseded for one in found] == [True, True, False]
    assert handles.retired == {str(log): found}
    assert memory.sources == {"other"}
    assert counts == {str(log): 3}


def test_a_log_that_is_not_there(log, handles, read):
    """What is new about it is that it was asked for; its path leads to the last of its rotated files."""
    position = read(b"one\n")
    log.rename(f"{log}.1")
    rest = Rest(handles, Memory({str(log): position}), lambda _: Counters())
    leads = {}
    assert rest.follow({}, frozenset(), leads) == []
    assert rest.follow({}, frozenset(["/elsewhere/*"]), leads) == []
    [found] = rest.follow({}, frozenset([f"{log.parent}/*.log"]), leads)
    assert (names([found]), leads, found.patterns) == (["app.log.1"], {str(log): found}, {f"{log.parent}/*.log"})


def test_a_rotated_file_that_a_glob_found(tmp_path, log, handles, current, read):
    """Is read from its start, not from a look back, if it came after what was read; and it is not opened twice."""
    position = read(b"one\n")
    log.rename(f"{log}.2")
    log.write_bytes(b"another\n" * 9)
    log.rename(f"{log}.1")
    log.write_bytes(b"")
    found = Followed(LogFile.open(f"{log}.1", stood=True), f"{log}.1", paths=(f"{log}.1",))
    found.file.look_back(10)
    handles.add(found)
    followed = current()
    rest = Rest(handles, Memory({str(log): position}), lambda _: Counters())
    chain = rest.follow({followed: None, found: None}, frozenset(), {})
    assert (names(chain), chain[1]) == (["app.log.2", "app.log.1"], found)
    assert (found.file.offset, found.retired, followed.waits_for) == (0, False, {found})


def test_packed_files_of_all_logs_wait_for_each_other(tmp_path, handles, read, log):
    """In no circle."""
    position = read(b"one\n")
    for name in ("a", "b"):
        (tmp_path / f"{name}.log.1.gz").write_bytes(b"never opened")
    resume = {str(tmp_path / f"{name}.log"): position._replace(inode=number) for number, name in enumerate("ab")}
    rest = Rest(handles, Memory(resume), lambda _: Counters())
    one, two = rest.follow({}, frozenset(resume), {})
    assert all(isinstance(each.file, PackedFile) for each in (one, two))
    assert (one.waits_for | two.waits_for) in ({one}, {two})


def test_what_cannot_be_opened_is_counted(log, handles, current, read, monkeypatch):
    """The others are read."""
    position = read(b"one\n")
    for number in (2, 1):
        log.rename(f"{log}.{number}")
        log.write_bytes(b"another\n")
    monkeypatch.setattr("banwatch.sources.rest.open_rest", refuse)
    counters = Counters()
    followed = current()
    assert Rest(handles, Memory({str(log): position}), lambda _: counters).follow({followed: None}, frozenset(), {}) == []
    assert (counters.errors, followed.waits_for) == (2, set())


def refuse(*_):
    raise PermissionError


def test_a_position_of_nothing(log, handles, current):
    """It does not lead anywhere: the log is read as it is."""
    log.write_bytes(b"one\n")
    followed = current()
    rest = Rest(handles, Memory({str(log): Position(0, 0, 0)}), lambda _: Counters())
    assert rest.follow({followed: None}, frozenset(), {}) == []
