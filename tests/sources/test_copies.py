"""A copy of a log that was read is not read again."""

import os
import shutil

import pytest

from banwatch.sources.copies import find_begin, find_originals
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


def test_a_copy_gives_what_the_original_does_not_have(tmp_path, log, opened):
    """As soon as it is still; the original is read to its end anyway, be it read already or not."""
    (tmp_path / "copy").write_bytes(OLD + b"more\nand more\n")
    with (tmp_path / "log").open("ab") as file:
        file.write(b"more\n")
    copy = opened(tmp_path / "copy")
    assert find_begin(copy, find_originals(copy, [log]), is_still=False) is None
    assert find_begin(copy, find_originals(copy, [log]), is_still=True) == len(OLD) + 5
    copy.seek(len(OLD) + 5)
    assert copy.read(BIG).data == b"and more\n"


@pytest.mark.parametrize("noticed", [True, False])
def test_a_copy_gives_what_the_original_has_lost(tmp_path, log, opened, noticed):
    """What was in it when it was emptied, and was not read before."""
    (tmp_path / "copy").write_bytes(OLD + b"more\n")
    copy = opened(tmp_path / "copy")
    (tmp_path / "log").write_bytes(b"new\n")
    if noticed:
        log.read(BIG)
    assert find_begin(copy, find_originals(copy, [log]), is_still=False) is None
    assert find_begin(copy, find_originals(copy, [log]), is_still=True) == len(OLD)


@pytest.mark.parametrize("size", [1, 255, 256, 257, len(OLD) - 1, len(OLD)])
def test_a_copy_under_way_is_waited_for(tmp_path, log, opened, size):
    """Until it is still: then all it has is in the original."""
    (tmp_path / "copy").write_bytes(OLD[:size])
    copy = opened(tmp_path / "copy")
    assert find_begin(copy, find_originals(copy, [log]), is_still=False) is None
    assert find_begin(copy, find_originals(copy, [log]), is_still=True) == size


def test_a_copy_that_lacks_the_last_lines_is_one_all_the_same(tmp_path, log, opened):
    """Lines written between the copying and the emptying were read from the original only."""
    (tmp_path / "copy").write_bytes(OLD)
    for _ in range(1000):
        with (tmp_path / "log").open("ab") as file:
            file.write(b"late\n")
        log.read(BIG)
    os.truncate(tmp_path / "log", 0)
    log.read(BIG)
    copy = opened(tmp_path / "copy")
    assert find_begin(copy, find_originals(copy, [log]), is_still=False) is None
    assert find_begin(copy, find_originals(copy, [log]), is_still=True) == len(OLD)


def test_a_copy_that_was_changed_is_read_from_where_it_differs(tmp_path, log, opened):
    """At least from the last place known before."""
    with (tmp_path / "log").open("ab") as file:
        for _ in range(3):
            file.write(b"x" * 5000 + b"\n")
            file.flush()
            log.read(BIG)
    os.truncate(tmp_path / "log", 0)
    log.read(BIG)
    (tmp_path / "copy").write_bytes(OLD + b"x" * 5000 + b"\n" + b"y" * 9000 + b"\n")
    new = opened(tmp_path / "copy")
    assert find_begin(new, find_originals(new, [log]), is_still=True) == len(OLD) + 5001


def test_too_little_to_tell_is_no_copy_in_the_end(tmp_path, opened):
    """It starts like one that was read in a single piece, but has not come to the end of that."""
    (tmp_path / "log").write_bytes(OLD)
    log = opened(tmp_path / "log")
    log.read(BIG)
    os.truncate(tmp_path / "log", 0)
    log.read(BIG)
    (tmp_path / "new").write_bytes(OLD[:300])
    new = opened(tmp_path / "new")
    assert find_begin(new, find_originals(new, [log]), is_still=False) is None
    assert find_begin(new, find_originals(new, [log]), is_still=True) == 0


def test_a_log_that_only_starts_like_another_is_no_copy(tmp_path, log, opened):
    """A banner may be long and the same in every file: what follows it is not."""
    for content in (b"another\n", OLD[:300] + b"other\n", OLD[:-6] + b"other\n", OLD[:-6] + b"other\n" * 9):
        (tmp_path / "new").write_bytes(content)
        new = opened(tmp_path / "new")
        assert find_begin(new, find_originals(new, [log]), is_still=False) == 0


def test_a_log_that_only_starts_like_one_that_was_emptied_is_no_copy(tmp_path, log, opened):
    """Also when the other one cannot be asked any more: nothing of what was remembered is in it."""
    (tmp_path / "new").write_bytes(OLD[:300] + b"other\n" * 200)
    os.truncate(tmp_path / "log", 0)
    log.read(BIG)
    new = opened(tmp_path / "new")
    assert find_begin(new, find_originals(new, [log]), is_still=False) == 0


def test_a_log_that_was_not_read_yet_has_no_copy(tmp_path, opened):
    """Both are read, from the start; whichever comes first, there is nothing to tell them apart by."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(OLD)
    new = opened(tmp_path / "a")
    assert find_begin(new, find_originals(new, [opened(tmp_path / "b")]), is_still=False) == 0


def test_short_logs_are_not_compared(tmp_path, opened):
    """Two logs may well have the same first lines, and each of them counts."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(OLD[:255])
    first = opened(tmp_path / "a")
    first.read(BIG)
    new = opened(tmp_path / "b")
    assert find_begin(new, find_originals(new, [first]), is_still=False) == 0


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


async def test_a_slow_copy_within_a_glob(tmp_path, follow, hand, append, idle):
    """While it grows it is waited for; the original is read on meanwhile, and what only the copy has comes in the end."""
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
        append(copy, OLD[500:] + b"more\nlost\n")
        hand.wrote(copy)
        log.write_bytes(b"new\n")
        hand.wrote(log)
        assert await reader.named(2) == [("a.log", b"new\n"), ("a.log.1", b"lost\n")]
        append(copy, b"other\n")
        hand.wrote(copy)
        assert await reader.named(1) == [("a.log.1", b"other\n")]
        with pytest.raises(idle):
            await reader.chunk()


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
