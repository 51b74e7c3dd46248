"""Copytruncate: the file is emptied under its writers."""

import os
import shutil

import pytest


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "a.log"
    path.touch()
    return path


async def test_copytruncate(log, follow, append):
    """After the truncation reading starts again at the beginning; nothing old comes twice."""
    async with follow(log) as reader:
        append(log, b"one\ntwo\n")
        assert await reader.lines(2) == [b"one\n", b"two\n"]
        shutil.copy(log, f"{log}.1")
        os.truncate(log, 0)
        append(log, b"three\n")
        assert await reader.lines(1) == [b"three\n"]
        assert reader.tail.sources()[str(log)].counters.truncations == 1


async def test_regrown_before_anybody_looked(log, follow, append):
    """Emptied and written past the old place in one go: seen by what stands before that place."""
    async with follow(log) as reader:
        append(log, b"Nov 20 10:00:00 one\n")
        assert await reader.lines(1) == [b"Nov 20 10:00:00 one\n"]
        os.truncate(log, 0)
        append(log, b"Nov 20 10:00:01 two\nNov 20 10:00:01 three\n")
        assert await reader.lines(2) == [b"Nov 20 10:00:01 two\n", b"Nov 20 10:00:01 three\n"]


async def test_emptied_and_left_empty(log, follow, append):
    """An unfinished line is handed out when the file is emptied; then there is silence, not a loop."""
    async with follow(log) as reader:
        append(log, b"one\ntwo")
        assert await reader.lines(1) == [b"one\n"]
        os.truncate(log, 0)
        assert await reader.lines(1) == [b"two\n"]
        append(log, b"three\n")
        assert await reader.lines(1) == [b"three\n"]


async def test_truncated_while_catching_up(log, follow):
    """What had stood there is gone; what is there now is live, and there is nothing to catch up with any more."""
    log.write_bytes(b"old\n" * 1000)
    async with follow(log, chunk_bytes=4) as reader:
        assert await reader.lines(1) == [b"old\n"]
        log.write_bytes(b"new\n")
        chunk = await reader.chunk()
        assert (chunk.data, chunk.live) == (b"new\n", True)
        log.write_bytes(b"newer\n")
        await reader.chunk()
        assert reader.tail.caught_up.is_set()


async def test_a_rotated_file_that_is_written_anew_is_not_followed(log, follow, append):
    """Its name is not ours any more; what somebody puts there is no log of ours."""
    async with follow(log) as reader:
        append(log, b"one\n")
        assert await reader.lines(1) == [b"one\n"]
        old = log.rename(f"{log}.1")
        append(log, b"two\n")
        assert await reader.lines(1) == [b"two\n"]
        old.write_bytes(b"x\n")
        append(log, b"three\n")
        assert await reader.lines(1) == [b"three\n"]
        append(log, b"four\n")
        assert await reader.lines(1) == [b"four\n"]
