"""Symbolic and hard links: one file is one stream, whatever it is called."""

import pytest


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "a.log"
    path.touch()
    return path


async def test_one_file_behind_two_paths_is_one_stream(tmp_path, log, follow, append):
    """Its chunks carry every pattern that leads to it; its name is the first path in order."""
    soft, hard = tmp_path / "soft", tmp_path / "hard"
    soft.symlink_to(log)
    hard.hardlink_to(log)
    async with follow(soft, hard, log, tmp_path / "*.log") as reader:
        append(hard, b"one\n")
        chunk = await reader.chunk()
        patterns = {str(path) for path in (soft, hard, log, tmp_path / "*.log")}
        assert (chunk.source, chunk.data, chunk.patterns) == (str(log), b"one\n", patterns)
        assert reader.tail.patterns_of(str(log)) == patterns
        [state] = reader.tail.sources().values()
        assert state.aliases == tuple(map(str, (log, hard, soft)))
        append(soft, b"two\n")
        assert await reader.lines(1) == [b"two\n"]


async def test_a_file_is_replaced_by_a_link(tmp_path, log, follow, append):
    """The new target is read from its start, the old file to its end."""
    async with follow(log) as reader:
        append(log, b"one\n")
        log.unlink()
        append(tmp_path / "b.log", b"two\n")
        log.symlink_to("b.log")
        assert await reader.named(2) == [("a.log", b"one\n"), ("a.log", b"two\n")]


async def test_a_link_is_turned(tmp_path, follow, append):
    """What was written before the turn is read first, for whoever watched the link; then the new target."""
    link = tmp_path / "current"
    for day in ("1.log", "2.log"):
        (tmp_path / day).touch()
    link.symlink_to("1.log")
    async with follow(link) as reader:
        append(tmp_path / "1.log", b"one\n")
        (tmp_path / "new").symlink_to("2.log")
        (tmp_path / "new").rename(link)
        append(tmp_path / "2.log", b"two\n")
        assert await reader.named(2) == [("current", b"one\n"), ("current", b"two\n")]
        append(tmp_path / "2.log", b"three\n")
        assert await reader.lines(1) == [b"three\n"]


async def test_a_turned_link_takes_its_watchers_along(tmp_path, follow, append):
    """Both targets are watched by name as well: the link's watchers get the old one's rest, and then only the new one."""
    link, one, two = tmp_path / "current", tmp_path / "1.log", tmp_path / "2.log"
    one.touch()
    two.touch()
    link.symlink_to("1.log")
    async with follow(link, one, two) as reader:
        append(one, b"before\n")
        link.unlink()
        link.symlink_to("2.log")
        chunk = await reader.chunk()
        assert (chunk.source, chunk.data, chunk.patterns) == (str(one), b"before\n", {str(one), str(link)})
        append(one, b"after\n")
        chunk = await reader.chunk()
        assert (chunk.source, chunk.data, chunk.patterns) == (str(one), b"after\n", {str(one)})
        append(two, b"new\n")
        chunk = await reader.chunk()
        assert (chunk.source, chunk.data, chunk.patterns) == (str(two), b"new\n", {str(two), str(link)})


async def test_a_link_to_a_directory_is_turned(tmp_path, follow, append):
    """The path leads through the link to another file now."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.log").touch()
    (tmp_path / "logs").symlink_to("one")
    async with follow(tmp_path / "logs" / "a.log") as reader:
        append(tmp_path / "one" / "a.log", b"1\n")
        assert await reader.lines(1) == [b"1\n"]
        (tmp_path / "logs").unlink()
        (tmp_path / "logs").symlink_to("two")
        append(tmp_path / "two" / "a.log", b"2\n")
        assert await reader.lines(1) == [b"2\n"]


async def test_the_target_of_a_link_is_rotated(tmp_path, log, follow, append):
    """The link stays, the file behind it changes: its directory is watched as well."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = elsewhere / "link"
    link.symlink_to(log)
    async with follow(link) as reader:
        append(log, b"one\n")
        log.rename(f"{log}.1")
        append(log, b"two\n")
        assert await reader.lines(2) == [b"one\n", b"two\n"]


async def test_a_link_to_nothing_begins_to_lead_somewhere(tmp_path, follow, append):
    """Its target may be made later, in a directory that is made later."""
    (tmp_path / "a.log").symlink_to("later/b.log")
    async with follow(tmp_path / "a.log") as reader:
        (tmp_path / "later").mkdir()
        append(tmp_path / "later" / "b.log", b"one\n")
        assert await reader.named(1) == [("a.log", b"one\n")]


async def test_a_name_more_does_not_begin_anew(tmp_path, log, follow, append):
    """A second name for a file that is read already: nothing comes twice, what comes is for both."""
    other = tmp_path / "b.log"
    async with follow(tmp_path / "*.log", other) as reader:
        append(log, b"one\n")
        assert await reader.lines(1) == [b"one\n"]
        other.hardlink_to(log)
        append(log, b"two\n")
        chunk = await reader.chunk()
        assert (chunk.data, chunk.patterns) == (b"two\n", {str(tmp_path / "*.log"), str(other)})


async def test_the_last_name_is_not_the_one_it_was_opened_by(tmp_path, log, follow, append):
    """The kernel then forgets the watch; who still writes to the file is heard all the same."""
    other = tmp_path / "other"
    other.hardlink_to(log)
    async with follow(log) as reader:
        with log.open("ab", buffering=0) as writer:
            writer.write(b"one\n")
            assert await reader.lines(1) == [b"one\n"]
            log.unlink()
            other.unlink()
            writer.write(b"two\n")
            assert await reader.lines(1) == [b"two\n"]
            writer.write(b"three\n")
            assert await reader.lines(1) == [b"three\n"]
