"""A copy of a log that was read is not read again."""

import os
import shutil

import pytest

from banwatch.sources.copies import find_begin
from banwatch.sources.file import LogFile

BIG = bytearray(1 << 20)
OLD = b"".join(b"Nov 20 10:00:00 line %d\n" % number for number in range(40))


@pytest.fixture
def opened():
    files = []

    def opened(path):
        files.append(LogFile.open(str(path)))
        return files[-1]

    yield opened
    for file in files:
        file.close()


@pytest.fixture
def log(tmp_path, opened):
    """A log of 960 bytes and more that was read to its end."""
    (tmp_path / "log").write_bytes(OLD)
    file = opened(tmp_path / "log")
    file.read(BIG)
    return file


def test_a_whole_copy_begins_where_the_reading_had_come_to(tmp_path, log, opened):
    """Also when the original was emptied since, and when the copy has more."""
    (tmp_path / "copy").write_bytes(OLD + b"more\n")
    copy = opened(tmp_path / "copy")
    assert find_begin(copy, [log], is_still=False) == len(OLD)
    os.truncate(tmp_path / "log", 0)
    log.read(BIG)
    assert find_begin(copy, [log], is_still=False) == len(OLD)
    copy.seek(len(OLD))
    assert copy.read(BIG).data == b"more\n"


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, len(OLD) - 1])
def test_a_copy_under_way_is_waited_for(tmp_path, log, opened, size):
    """Until it is still: then what it has in common with what was read decides."""
    (tmp_path / "copy").write_bytes(OLD[:size])
    copy = opened(tmp_path / "copy")
    assert find_begin(copy, [log], is_still=False) is None
    assert find_begin(copy, [log], is_still=True) == 0


def test_a_copy_that_lacks_the_last_lines_is_one_all_the_same(tmp_path, log, opened):
    """Lines written between the copying and the emptying were read from the original only."""
    (tmp_path / "copy").write_bytes(OLD)
    with (tmp_path / "log").open("ab") as file:
        file.write(b"late\n")
    log.read(BIG)
    copy = opened(tmp_path / "copy")
    assert find_begin(copy, [log], is_still=False) is None
    assert find_begin(copy, [log], is_still=True) == len(OLD)


def test_a_log_that_only_starts_like_another_is_no_copy(tmp_path, log, opened):
    """A banner may be long and the same in every file: what follows it is not."""
    for content in (b"another\n", OLD[:300] + b"other\n", OLD[:-6] + b"other\n", OLD[:-6] + b"other\n" * 9):
        (tmp_path / "new").write_bytes(content)
        assert find_begin(opened(tmp_path / "new"), [log], is_still=False) == 0


def test_a_log_that_only_starts_like_one_that_was_emptied_is_no_copy(tmp_path, log, opened):
    """Also when the other one cannot be asked any more: nothing of what was remembered is in it."""
    (tmp_path / "new").write_bytes(OLD[:300] + b"other\n" * 200)
    os.truncate(tmp_path / "log", 0)
    log.read(BIG)
    assert find_begin(opened(tmp_path / "new"), [log], is_still=False) == 0


def test_a_log_that_was_not_read_yet_has_no_copy(tmp_path, opened):
    """Both are read, from the start; whichever comes first, there is nothing to tell them apart by."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(OLD)
    assert find_begin(opened(tmp_path / "a"), [opened(tmp_path / "b")], is_still=False) == 0


def test_short_logs_are_not_compared(tmp_path, opened):
    """Two logs may well have the same first lines, and each of them counts."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(OLD[:255])
    first = opened(tmp_path / "a")
    first.read(BIG)
    assert find_begin(opened(tmp_path / "b"), [first], is_still=False) == 0


async def test_copytruncate_within_a_glob(tmp_path, follow, append):
    """The copy gives only what the original did not: nothing twice, nothing lost."""
    log = tmp_path / "a.log"
    append(log, OLD)
    async with follow(tmp_path / "a.log*") as reader:
        assert len(await reader.lines(40)) == 40
        append(log, b"last\n")
        shutil.copy(log, tmp_path / "a.log.1")
        os.truncate(log, 0)
        append(log, b"new\n")
        assert sorted(await reader.named(2)) == [("a.log", b"new\n"), ("a.log.1", b"last\n")]


async def test_a_slow_copy_within_a_glob(tmp_path, follow, hand, append):
    """While it grows it is waited for; the original is read on meanwhile."""
    log, copy = tmp_path / "a.log", tmp_path / "a.log.1"
    append(log, OLD)
    async with follow(tmp_path / "a.log*", waker=hand, patience=None) as reader:
        assert len(await reader.lines(40)) == 40
        append(copy, b"")
        hand.changed(copy)
        hand.script += [
            lambda: (append(copy, OLD[:100]), hand.wrote(copy)),
            lambda: (append(copy, OLD[100:500]), append(log, b"more\n"), hand.wrote(copy), hand.wrote(log)),
        ]
        assert await reader.named(1) == [("a.log", b"more\n")]
        append(copy, OLD[500:])
        hand.wrote(copy)
        os.truncate(log, 0)
        append(log, b"new\n")
        hand.wrote(log)
        assert await reader.named(1) == [("a.log", b"new\n")]
        hand.script.append(lambda: None)
        append(log, b"newer\n")
        hand.wrote(log)
        assert await reader.named(1) == [("a.log", b"newer\n")]
        append(copy, b"other\n")
        hand.wrote(copy)
        assert await reader.named(1) == [("a.log.1", b"other\n")]


async def test_a_log_that_is_saved_by_an_editor(tmp_path, follow, append):
    """A new file in the place of the old one, with the same lines: only what was added is new."""
    log = tmp_path / "a.log"
    append(log, OLD)
    async with follow(log) as reader:
        assert len(await reader.lines(40)) == 40
        (tmp_path / "new").write_bytes(OLD + b"added\n")
        (tmp_path / "new").rename(log)
        assert await reader.lines(1) == [b"added\n"]


async def test_an_empty_file_that_is_rotated_keeps_nobody_waiting(tmp_path, follow, hand, append, idle):
    """It may have become a copy, but it has not: what takes its place is read at once."""
    log = tmp_path / "a.log"
    append(log, OLD)
    async with follow(log, waker=hand, patience=None) as reader:
        assert len(await reader.lines(40)) == 40
        log.rename(tmp_path / "1")
        append(log, b"")
        hand.changed(log)
        hand.script.append(lambda: (log.rename(tmp_path / "2"), append(log, b"new\n"), hand.changed(log)))
        assert await reader.lines(1) == [b"new\n"]
        assert hand.waits == [5.0]
        with pytest.raises(idle):
            await reader.chunk()
        assert len(hand.files) == 2
