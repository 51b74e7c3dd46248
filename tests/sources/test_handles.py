"""Open files and their watches."""

import errno
from itertools import pairwise

import pytest

from banwatch.sources.file import LogFile
from banwatch.sources.handles import Followed, Handles


@pytest.fixture
def handles(hand):
    handles = Handles(hand, 2.5)
    yield handles
    for followed in list(handles.files.values()):
        handles.drop(followed)


@pytest.fixture
def follow_one(tmp_path, handles):
    """follow_one(name) is a file that is followed."""

    def follow_one(name):
        (tmp_path / name).touch()
        followed = Followed(LogFile.open(str(tmp_path / name)), name)
        handles.add(followed)
        return followed

    return follow_one


def test_a_file_is_found_by_identity_and_by_watch(hand, handles, follow_one):
    """Until it is dropped: then it is closed, and its watch is let go of."""
    one, two = follow_one("1"), follow_one("2")
    assert handles.files == {one.file.identity: one, two.file.identity: two}
    assert handles.watched == {one.watch: one, two.watch: two}
    handles.drop(one)
    assert handles.files == {two.file.identity: two}
    assert handles.watched == {two.watch: two}
    assert not one.file.is_open
    assert list(hand.files) == [two.watch]


def test_a_watch_that_was_taken_away_is_renewed(handles, follow_one):
    """The old number means nothing any more."""
    followed = follow_one("1")
    before = followed.watch
    handles.watch(followed)
    assert followed.watch != before
    assert handles.watched == {followed.watch: followed}


@pytest.mark.parametrize(
    ("number", "note"),
    [
        (errno.ENOSPC, "no space left on device (errno 28); looked at every 2.5 s; raise fs.inotify.max_user_watches"),
        (errno.EMFILE, "too many open files (errno 24); looked at every 2.5 s; raise fs.inotify.max_user_instances"),
        (errno.EPERM, "operation not permitted (errno 1); looked at every 2.5 s"),
    ],
)
def test_what_cannot_be_watched_says_so(hand, handles, follow_one, number, note):
    """With what can be done about it; when the watch is had later, it is as if nothing had been."""
    hand.refuse = number
    followed = follow_one("1")
    assert (followed.watch, followed.note) == (None, f"cannot be watched: {note}")
    assert list(handles.unwatched) == [followed]
    hand.refuse = 0
    handles.watch(followed)
    assert followed.note is None
    assert handles.unwatched == {}
    hand.refuse = number
    handles.watch(followed)
    handles.drop(followed)
    assert handles.unwatched == {}


def test_nobody_waits_for_a_file_that_is_closed(handles, follow_one):
    """Only an open one can still come to its end."""
    one, two = follow_one("1"), follow_one("2")
    two.wait_for(one)
    assert (two.waits_for, one.heirs) == ({one}, [two])
    handles.drop(two)
    one.wait_for(two)
    assert (one.waits_for, two.heirs) == (set(), [])


def test_nobody_waits_in_a_circle(follow_one):
    """However long the row of those that wait is."""
    row = [follow_one(str(number)) for number in range(2000)]
    for before, after in pairwise(row):
        after.wait_for(before)
    row[0].wait_for(row[-1])
    row[0].wait_for(row[0])
    assert row[0].waits_for == set()
    assert row[-1].awaits(row[0])
    assert not row[0].awaits(row[-1])
    row[-1].wait_for(row[0])
    assert row[-1].waits_for == {row[-2], row[0]}


def test_former_patterns_belong_to_it(follow_one):
    """As long as they are kept."""
    followed = follow_one("1")
    followed.patterns = frozenset("a")
    assert followed.belongs_to == {"a"}
    followed.former = frozenset("b")
    assert followed.belongs_to == {"a", "b"}


def test_behind_is_what_was_not_handed_out(tmp_path, follow_one, append):
    """Also the line under way; a file that was truncated is not behind by less than nothing."""
    followed = follow_one("1")
    append(tmp_path / "1", b"one\ntw")
    assert followed.behind == 6
    followed.file.read(bytearray(1000))
    assert followed.behind == 2
    (tmp_path / "1").write_bytes(b"")
    assert followed.behind == 0
