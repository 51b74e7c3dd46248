"""Rotation by rename: each line once, the rest of the old file before the new one."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

Append = Callable[[Path, bytes], None]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "a.log"
    path.touch()
    return path


async def test_rename_and_create(log, follow, append):
    """What is left of the old file comes before the new file, however quickly it all happened."""
    async with follow(log) as reader:
        append(log, b"one\n")
        assert await reader.lines(1) == [b"one\n"]
        append(log, b"two\n")
        log.rename(f"{log}.1")
        append(log, b"three\n")
        assert await reader.named(2) == [("a.log", b"two\n"), ("a.log", b"three\n")]
        state = reader.tail.sources()[str(log)]
        assert (state.counters.rotations, state.error) == (1, None)


async def test_a_writer_who_was_not_told_is_still_heard(log, follow, append):
    """Lines written to the old file long after the new one is in use are read, until the next rotation."""
    async with follow(log) as reader:
        with log.open("ab", buffering=0) as old:
            log.rename(f"{log}.1")
            append(log, b"new\n")
            assert await reader.lines(1) == [b"new\n"]
            for number in range(3):
                old.write(b"old %d\n" % number)
                assert await reader.named(1) == [("a.log", b"old %d\n" % number)]
                append(log, b"new %d\n" % number)
                assert await reader.lines(1) == [b"new %d\n" % number]


async def test_several_rotations_at_once(log, follow, append):
    """Three files took the place one after the other before anything was read; those that still have a name are read."""
    async with follow(log, log.with_name("a.log.1")) as reader:
        append(log, b"one\n")
        for number in (b"two\n", b"three\n"):
            log.replace(f"{log}.1")
            append(log, number)
        assert sorted(await reader.lines(3)) == [b"one\n", b"three\n", b"two\n"]


@pytest.mark.parametrize("packed", [(), (2,), (2, 4)])
async def test_a_file_that_came_and_went_unseen(log, follow, hand, append, packed):
    """It is found by its name, and read in its place; what only looks newer is not."""
    append(log.with_name("a.log.1"), b"very old\n")
    os.utime(log.with_name("a.log.1"), (1000, 1000))
    async with follow(log, waker=hand) as reader:
        append(log, b"one\n")
        hand.wrote(log)
        assert await reader.lines(1) == [b"one\n"]
        append(log, b"two\n")
        log.rename(f"{log}.4")
        append(log.with_name("a.log.3"), b"three\n")
        append(log.with_name("a.log.2"), b"four\n")
        for number in packed:
            plain = log.with_name(f"a.log.{number}")
            plain.with_name(f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
            plain.unlink()
        append(log, b"five\n")
        hand.changed(log)
        assert await reader.lines(4) == [b"two\n", b"three\n", b"four\n", b"five\n"]


async def test_rotation_within_a_glob(tmp_path, log, follow, append):
    """A file that is renamed to something the glob matches as well goes on where it was, under its new name."""
    async with follow(tmp_path / "a.log*") as reader:
        append(log, b"one\n")
        assert await reader.named(1) == [("a.log", b"one\n")]
        log.rename(tmp_path / "a.log.1")
        append(tmp_path / "a.log.1", b"two\n")
        append(log, b"three\n")
        assert await reader.named(2) == [("a.log.1", b"two\n"), ("a.log", b"three\n")]
        (tmp_path / "a.log.1").rename(tmp_path / "a.log.2")
        log.rename(tmp_path / "a.log.1")
        append(log, b"four\n")
        assert await reader.named(1) == [("a.log", b"four\n")]


async def test_names_that_are_swapped_wait_for_nobody(tmp_path, log, follow, append):
    """Two files that exchange their names are both read on."""
    other = tmp_path / "b.log"
    append(other, b"b1\n")
    async with follow(log, other) as reader:
        assert await reader.lines(1) == [b"b1\n"]
        log.rename(tmp_path / "c")
        other.rename(log)
        (tmp_path / "c").rename(other)
        append(log, b"b2\n")
        append(other, b"a1\n")
        assert sorted(await reader.named(2)) == [("a.log", b"b2\n"), ("b.log", b"a1\n")]


async def test_a_name_that_comes_back_goes_on(tmp_path, log, follow, append):
    """A file that is moved away and back is not read again."""
    async with follow(log) as reader:
        append(log, b"one\n")
        assert await reader.lines(1) == [b"one\n"]
        log.rename(tmp_path / "away")
        append(tmp_path / "away", b"two\n")
        assert await reader.lines(1) == [b"two\n"]
        (tmp_path / "away").rename(log)
        append(log, b"three\n")
        assert await reader.lines(1) == [b"three\n"]


async def test_delete_and_recreate(log, follow, append):
    """The deleted file is read to its end, then the new one from its start."""
    async with follow(log) as reader:
        append(log, b"one\n")
        log.unlink()
        append(log, b"two\n")
        assert await reader.lines(2) == [b"one\n", b"two\n"]
        log.unlink()
        append(log, b"three\n")
        assert await reader.lines(1) == [b"three\n"]


async def test_a_line_under_way_is_delivered_when_nobody_finishes_it(log, follow, append):
    """It gets its end when the old file has been still for a while; the new file need not wait for that."""
    async with follow(log) as reader:
        append(log, b"one\ntwo")
        assert await reader.lines(1) == [b"one\n"]
        log.rename(f"{log}.1")
        append(log, b"new\n")
        assert await reader.lines(2) == [b"new\n", b"two\n"]
        assert reader.tail.sources()[str(log)].counters.unfinished == 1


async def test_a_line_under_way_is_finished_by_its_writer(log, follow, hand, append):
    """Whoever still has the old file open may end the line in time: then it is one line."""
    async with follow(log, waker=hand, patience=None) as reader:
        append(log, b"one")
        hand.wrote(log)
        old = log.rename(f"{log}.1")
        hand.changed(log)
        hand.script.append(lambda: (append(old, b" line\n"), hand.wrote(old)))
        assert await reader.lines(1) == [b"one line\n"]
        assert hand.waits == [5.0]


async def test_a_renamed_file_costs_no_timer(log, follow, hand, append, idle):
    """One look after the grace, then it is only an open file; deleted, it goes when its place is taken."""
    async with follow(log, waker=hand, patience=None) as reader:
        old = log.rename(f"{log}.1")
        hand.changed(log)
        with pytest.raises(idle):
            await reader.chunk()
        assert hand.waits == [5.0, None]
        append(log, b"new\n")
        hand.changed(log)
        assert await reader.lines(1) == [b"new\n"]
        assert len(hand.files) == 2
        hand.wrote(old)  # this is how the loss of the last name is seen
        old.unlink()
        with pytest.raises(idle):
            await reader.chunk()
        assert hand.waits[2:] == [5.0, None]
        assert len(hand.files) == 1


async def test_a_deleted_file_without_successor_is_kept_for_a_while(log, follow, hand, append, idle):
    """Its writer may not know; but its space on the disk is not held for ever."""
    async with follow(log, waker=hand, patience=None) as reader:
        with log.open("ab", buffering=0) as writer:
            log.unlink()
            hand.changed(log)
            watch = next(iter(hand.files))
            hand.script += [lambda: None, lambda: (writer.write(b"late\n"), hand.touch(watch))]
            assert await reader.lines(1) == [b"late\n"]
        hand.waits.clear()
        with pytest.raises(idle):
            await reader.chunk()
        assert hand.waits == [5.0, 595.0, None]
        assert hand.files == {}


async def test_no_descriptor_is_left_behind(log, follow, append, descriptors):
    """After fifty rotations everything is closed."""
    before = descriptors()
    async with follow(log) as reader:
        for number in range(50):
            append(log, b"%d\n" % number)
            assert await reader.lines(1) == [b"%d\n" % number]
            log.replace(f"{log}.1")
            log.touch()
    assert descriptors() == before


@pytest.mark.parametrize("deleted", [True, False])
async def test_old_files_do_not_pile_up(log, follow, hand, append, idle, deleted):
    """After fifty rotations only the last of the old files is still open, and that only if it has a name."""
    async with follow(log, waker=hand) as reader:
        for number in range(50):
            append(log, b"%d\n" % number)
            hand.wrote(log)
            assert await reader.lines(1) == [b"%d\n" % number]
            if deleted:
                log.unlink()
            else:
                log.rename(f"{log}.{number}")
            append(log, b"x\n")
            hand.changed(log)
            assert await reader.lines(1) == [b"x\n"]
        with pytest.raises(idle):
            await reader.chunk()
        assert len(hand.files) == (1 if deleted else 2)
