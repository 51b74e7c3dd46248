"""Files, directories and matches of globs that appear late, vanish, or turn out to be something else."""

import os

import pytest


async def test_a_file_appears(tmp_path, follow, append):
    """A missing log is waited for, by name; then it is read from its first byte, live."""
    path = tmp_path / "a.log"
    async with follow(path) as reader:
        state = reader.tail.sources()[str(path)]
        assert (state.opened, state.error, state.patterns) == (False, "no such file or directory (errno 2)", {str(path)})
        append(path, b"one\n")
        chunk = await reader.chunk()
        assert (chunk.data, chunk.start, chunk.live) == (b"one\n", 0, True)
        state = reader.tail.sources()[str(path)]
        assert (state.opened, state.error, state.live) == (True, None, True)


async def test_a_tree_of_directories_appears(tmp_path, follow, append):
    """The nearest existing parent is watched, and then each directory that comes."""
    path = tmp_path / "a" / "b" / "c" / "d.log"
    async with follow(path, tmp_path / "a" / "*" / "c" / "*.txt") as reader:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "b" / "c").mkdir(parents=True)
        append(path, b"one\n")
        append(path.with_name("e.txt"), b"two\n")
        assert sorted(await reader.named(2)) == [("d.log", b"one\n"), ("e.txt", b"two\n")]


async def test_a_directory_is_deleted_and_made_again(tmp_path, follow, append):
    """The new directory is watched like the old one."""
    path = tmp_path / "a" / "b.log"
    path.parent.mkdir()
    async with follow(path) as reader:
        for number in range(3):
            append(path, b"%d\n" % number)
            assert await reader.lines(1) == [b"%d\n" % number]
            path.unlink()
            path.parent.rmdir()
            path.parent.mkdir()


async def test_a_directory_is_renamed_and_replaced(tmp_path, follow, append):
    """The old tree is left to itself once it is read, the new one is followed."""
    path = tmp_path / "a" / "b.log"
    path.parent.mkdir()
    path.touch()
    async with follow(path) as reader:
        append(path, b"one\n")
        path.parent.rename(tmp_path / "old")
        path.parent.mkdir()
        append(path, b"two\n")
        assert await reader.lines(2) == [b"one\n", b"two\n"]
        append(path, b"three\n")
        assert await reader.lines(1) == [b"three\n"]


async def test_a_tree_is_moved_into_place(tmp_path, follow, append):
    """It comes as a whole, and its files are read from their start."""
    path = tmp_path / "new" / "b" / "c.log"
    path.parent.mkdir(parents=True)
    append(path, b"one\n")
    async with follow(tmp_path / "a" / "b" / "*.log") as reader:
        (tmp_path / "new").rename(tmp_path / "a")
        assert await reader.named(1) == [("c.log", b"one\n")]


async def test_globs_are_live(tmp_path, follow, append):
    """Files that begin to match are read, others are not; with no match it says so."""
    glob = tmp_path / "*" / "*.log"
    async with follow(glob) as reader:
        assert reader.tail.sources()[str(glob)].error == "no file matches"
        (tmp_path / "x").mkdir()
        append(tmp_path / "x" / "no.txt", b"no\n")
        append(tmp_path / "x" / "1.log", b"one\n")
        assert await reader.named(1) == [("1.log", b"one\n")]
        (tmp_path / "y").mkdir()
        append(tmp_path / "y" / "2.log", b"two\n")
        assert await reader.named(1) == [("2.log", b"two\n")]
        assert set(reader.tail.sources()) == {str(tmp_path / "x" / "1.log"), str(tmp_path / "y" / "2.log")}
        (tmp_path / "x" / "no.txt").rename(tmp_path / "x" / "3.log")
        assert await reader.named(1) == [("3.log", b"no\n")]


async def test_an_old_file_that_turns_up_is_not_live(tmp_path, follow):
    """What was last written long ago is old, however late the file is found: moved, or mounted."""
    path = tmp_path / "old"
    path.write_bytes(b"one\ntwo\n")
    os.utime(path, (1, 1))
    async with follow(tmp_path / "a.log", lookback_bytes=4) as reader:
        path.rename(tmp_path / "a.log")
        chunk = await reader.chunk()
        assert (chunk.data, chunk.live) == (b"two\n", False)


@pytest.mark.parametrize("kind", ["directory", "pipe"])
async def test_a_file_becomes_something_else_and_a_file_again(tmp_path, follow, append, kind):
    """It is never waited for a pipe's writer; the reason stands in the state."""
    path = tmp_path / "a.log"
    async with follow(path, tmp_path / "b.log") as reader:
        append(path, b"one\n")
        assert await reader.lines(1) == [b"one\n"]
        path.unlink()
        if kind == "directory":
            path.mkdir()
        else:
            os.mkfifo(path)
        append(tmp_path / "b.log", b"two\n")
        assert await reader.lines(1) == [b"two\n"]
        assert reader.tail.sources()[str(path)].error == f"not a file but a {kind}"
        if kind == "directory":
            path.rmdir()
        else:
            path.unlink()
        append(path, b"three\n")
        assert await reader.lines(1) == [b"three\n"]


async def test_entries_that_matter_to_nobody_cause_no_look(tmp_path, follow, hand, idle, monkeypatch):
    """A busy directory costs a comparison of names, nothing else."""
    path = tmp_path / "a.log"
    path.touch()
    async with follow(path, tmp_path / "*.txt", waker=hand) as reader:
        monkeypatch.setattr(reader.tail, "_look", lambda: pytest.fail("looked"))
        for name in ("b.log", "a.log.1", ".a.txt", "x"):
            hand.changed(tmp_path / name)
        with pytest.raises(idle):
            await reader.chunk()
        assert hand.waits == [None]
