"""The stream of all chunks: order, fairness, reload, state, end."""

import asyncio
import gc
import time

import pytest

from banwatch.model import Position
from banwatch.sources.tail import Tail
from banwatch.sources.turns import Patience


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "a.log"
    path.touch()
    return path


def test_a_tail_that_is_not_opened_opens_nothing(log, descriptors):
    """Building is free of effects."""
    before = descriptors()
    tail = Tail([str(log)])
    assert descriptors() == before
    assert tail.sources() == {}
    assert not tail.caught_up.is_set()


async def test_everything_is_closed_at_the_end(log, follow, append, descriptors):
    """No descriptor, no reader in the loop, no warning is left; then there are no more chunks."""
    before = descriptors()
    async with follow(log) as reader:
        append(log, b"one\n")
        assert await reader.lines(1) == [b"one\n"]
    assert descriptors() == before
    with pytest.raises(StopAsyncIteration):
        await reader.chunk()
    gc.collect()


async def test_whoever_waits_when_it_is_closed_is_told(log, follow):
    """Iteration ends, it does not hang."""
    async with follow(log) as reader:
        await reader.any_chunk()
        waiting = asyncio.create_task(anext(reader.tail, None))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert await waiting is None


async def test_it_can_be_looped_over(log, follow, append):
    """async for gives chunk after chunk."""
    append(log, b"one\n")
    async with follow(log) as reader:
        async for chunk in reader.tail:
            assert chunk.data == b"one\n"
            break


async def test_a_cancelled_wait_loses_nothing(log, follow, append):
    """Whoever gives up waiting finds the line later."""
    async with follow(log) as reader:
        await reader.any_chunk()
        waiting = asyncio.create_task(anext(reader.tail))
        for _ in range(5):
            await asyncio.sleep(0)
        append(log, b"one\n")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await reader.lines(1) == [b"one\n"]


async def test_files_take_turns(tmp_path, follow):
    """A large file does not keep a small one waiting: one chunk each."""
    (tmp_path / "big.log").write_bytes(b"0123456\n" * 100)
    (tmp_path / "small.log").write_bytes(b"one\n")
    async with follow(tmp_path / "*.log", chunk_bytes=8) as reader:
        assert [name for name, _ in await reader.named(4)] == ["big.log", "small.log", "big.log", "big.log"]


async def test_a_reader_that_never_waits_leaves_the_loop_its_turns(log, follow):
    """Between two chunks other tasks run, however much there is to read."""
    log.write_bytes(b"0123456\n" * 100)
    seen = 0

    async def other():
        nonlocal seen
        while True:
            seen += 1
            await asyncio.sleep(0)

    async with follow(log, chunk_bytes=8) as reader:
        task = asyncio.create_task(other())
        for _ in range(100):
            await anext(reader.tail)
        task.cancel()
    assert seen >= 99


async def test_nothing_is_read_ahead(log, follow):
    """What was not asked for yet is in the file, not in memory."""
    log.write_bytes(b"0123456\n" * 100)
    async with follow(log, chunk_bytes=80) as reader:
        await reader.chunk()
        assert reader.tail.sources()[str(log)].behind == 720


async def test_caught_up_after_what_stood_there(tmp_path, follow, append):
    """It is told when the reader comes back after the last old chunk, even if new lines keep coming."""
    log, other = tmp_path / "a.log", tmp_path / "b.log"
    append(log, b"one\ntwo\n")
    append(other, b"three\n")
    async with follow(log, other, chunk_bytes=4) as reader:
        append(log, b"new\n")
        told = []
        for _ in range(4):
            chunk = await reader.chunk()
            told.append((chunk.data, chunk.live, reader.tail.caught_up.is_set()))
        assert told[:3] == [(b"one\n", False, False), (b"two\n", False, False), (b"three\n", False, False)]
        assert told[3] == (b"new\n", True, True)


async def test_caught_up_at_once_if_nothing_stood_there(log, follow):
    """Empty and missing files keep nobody waiting."""
    async with follow(log, log.with_name("missing")) as reader:
        assert reader.tail.caught_up.is_set()


async def test_an_unfinished_line_keeps_nobody_waiting(log, follow, hand, idle):
    """What stood there was read, even if it gave no line."""
    log.write_bytes(b"half a li")
    async with follow(log, waker=hand) as reader:
        with pytest.raises(idle):
            await reader.chunk()
        assert reader.tail.caught_up.is_set()


async def test_looking_back_is_bounded(log, follow, append):
    """At start the last bytes are read, from the start of a line."""
    log.write_bytes(b"".join(b"%03d\n" % number for number in range(500)))
    async with follow(log, lookback_bytes=10) as reader:
        append(log, b"new\n")
        assert await reader.lines(3) == [b"498\n", b"499\n", b"new\n"]


async def test_reload_keeps_positions(tmp_path, log, follow, append):
    """Files of patterns that stay go on, others are closed; new ones are looked back into, and are not live at first."""
    other, third = tmp_path / "b.log", tmp_path / "c.log"
    append(log, b"older\n")
    append(other, b"b1\n")
    append(third, b"c1\nc2\n")
    async with follow(log, other, lookback_bytes=3) as reader:
        append(log, b"two\n")
        assert sorted(await reader.lines(2)) == [b"b1\n", b"two\n"]
        append(log, b"three\n")
        await reader.tail.set_patterns([str(tmp_path / "a*"), str(log), str(third)])
        assert set(reader.tail.sources()) == {str(log), str(third)}
        assert reader.tail.patterns_of(str(log)) == {str(log), str(tmp_path / "a*")}
        chunks = [await reader.chunk() for _ in range(2)]
        assert sorted((chunk.data, chunk.live) for chunk in chunks) == [(b"c2\n", False), (b"three\n", True)]
        append(other, b"b2\n")
        append(third, b"c3\n")
        assert await reader.lines(1) == [b"c3\n"]


async def test_reload_wakes_whoever_waits(log, follow, append):
    """A new pattern is followed at once."""
    append(log, b"one\n")
    async with follow() as reader:
        waiting = asyncio.create_task(anext(reader.tail))
        await asyncio.sleep(0)
        await reader.tail.set_patterns([str(log)])
        assert (await asyncio.wait_for(waiting, 20)).data == b"one\n"


async def test_patterns_can_be_set_before_it_is_opened(log):
    """Then those count."""
    log.write_bytes(b"one\n")
    tail = Tail([])
    await tail.set_patterns([str(log)])
    async with tail:
        assert (await anext(tail)).data == b"one\n"


async def test_resume(log, follow, append):
    """Each file goes on where its position says, whatever it was called then; others are looked back into."""
    append(log, b"one\ntwo\n")
    status = log.stat()
    async with follow(log, resume={"another name": Position(status.st_dev, status.st_ino, 4)}) as reader:
        chunk = await reader.chunk()
        assert (chunk.data, chunk.start, chunk.live) == (b"two\n", 4, False)
        assert chunk.position[:3] == (status.st_dev, status.st_ino, 8)


async def test_the_position_of_a_chunk_is_where_to_resume(log, follow, append):
    """Stopped after any chunk and started again, with the position of the last: each line once."""
    append(log, b"".join(b"%d\n" % number for number in range(200)))
    resume, lines = {}, []
    for _ in range(20):
        async with follow(log, chunk_bytes=40, resume=resume) as reader:
            chunk = await reader.chunk()
            lines += chunk.data.split()
            resume = {chunk.source: chunk.position}
            append(log, b"%d\n" % (200 + len(lines)))
    assert lines[:200] == [b"%d" % number for number in range(200)]


async def test_state_of_a_file_that_is_behind(log, follow, append):
    """What is not yet handed out as lines, and whether it is old."""
    log.write_bytes(b"one\ntwo\n")
    async with follow(log) as reader:
        state = reader.tail.sources()[str(log)]
        assert (state.source, state.opened, state.live, state.behind) == (str(log), True, False, 8)
        await reader.chunk()
        append(log, b"three")
        state = reader.tail.sources()[str(log)]
        assert (state.live, state.behind, state.counters.chunks, state.counters.bytes) == (True, 5, 1, 8)


async def test_counters_survive_a_gap(log, follow, append):
    """A path that leads nowhere for a while keeps what it counted."""
    async with follow(log) as reader:
        append(log, b"one\n")
        await reader.chunk()
        log.rename(f"{log}.1")
        append(log.with_name("a.log.1"), b"two\n")
        await reader.chunk()
        state = reader.tail.sources()[str(log)]
        assert (state.opened, state.error, state.counters.chunks) == (False, "no such file or directory (errno 2)", 2)
        append(log, b"three\n")
        await reader.chunk()
        assert reader.tail.sources()[str(log)].counters.chunks == 3


async def test_an_idle_tail_sleeps(log, follow, hand, append, idle):
    """With nothing to do there is no timer at all."""
    async with follow(log, log.with_name("missing"), log.with_name("*.txt"), waker=hand, patience=None) as reader:
        append(log, b"one\n")
        hand.wrote(log)
        await reader.chunk()
        with pytest.raises(idle):
            await reader.chunk()
        assert hand.waits == [None]


async def test_a_line_arrives_at_once(log, follow):
    """Written to handed out: a fraction of a millisecond in the middle of the field."""
    delays = []
    async with follow(log) as reader:
        with log.open("ab", buffering=0) as file:
            for _ in range(200):
                waiting = asyncio.create_task(anext(reader.tail))
                for _ in range(3):
                    await asyncio.sleep(0)
                begin = time.perf_counter()
                file.write(b"one\n")
                await waiting
                delays.append(time.perf_counter() - begin)
    assert sorted(delays)[100] < 0.005


async def test_chunks_say_when_they_were_read(log, follow, append):
    """On the clock that was handed in."""
    async with follow(log, clock=lambda: 1234.5) as reader:
        append(log, b"one\n")
        assert (await reader.chunk()).read_at == 1234.5


def test_patience_is_bounded():
    """What the daemon waits for at most, in seconds."""
    assert Patience() == (5.0, 600.0, 1.0, 60.0)
