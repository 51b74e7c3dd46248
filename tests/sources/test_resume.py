"""Killed at any moment and started again: each line is handed over once, whatever became of the log meanwhile."""

import asyncio
import bz2
import gzip
import lzma
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sources.conftest import HandWaker, Idle

from banwatch.model import Position
from banwatch.sources.base import EVERYTHING, Event
from banwatch.sources.tail import Tail
from banwatch.sources.turns import FAILURES


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-q"], input=data, stdout=subprocess.PIPE, check=True).stdout


PACK = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
if shutil.which("zstd"):
    PACK["zst"] = zstd


def what(path: Path) -> tuple[int, int]:
    """A file as long as nobody writes to it."""
    status = path.stat()
    return status.st_ino, status.st_size


class World:
    """
    A log that is written, rotated and packed in every way, and its reader, who is killed now and then.

    Attributes:
        time: of the files and of the reader; it passes with each act.
        written: every line that has to come, in order; those in `anytime` come in no order.
        committed: what the reader remembers; `pending` is what he would lose if killed now.
    """

    def __init__(self, directory: Path, pattern: str, dated: bool, chunk_bytes: int) -> None:
        self.log = directory / "app.log"
        self.pattern = str(directory / pattern)
        self.dated = dated
        self.chunk_bytes = chunk_bytes
        self.time = 1_795_000_000.0
        self.written: list[bytes] = []
        self.anytime: set[bytes] = set()
        self.committed: list[bytes] = []
        self.pending: list[bytes] = []
        self.rows: dict[str, object] = {}
        self.news: dict[str, object] = {}
        self.rotated: list[Path] = []  # the newest first
        self.consumed: set[tuple[int, int]] = set()
        self.unknown: set[int] = set()
        self.half = b""
        self.number = 0
        self.tail: Tail | None = None
        self.log.touch()
        self._stamp(self.log)

    # The log

    def _stamp(self, path: Path) -> None:
        os.utime(path, (self.time, self.time))

    def _append(self, path: Path, data: bytes) -> None:
        with path.open("ab") as file:
            file.write(data)
        self._stamp(path)

    def _line(self) -> bytes:
        self.number += 1
        return b"%d %s\n" % (self.number, b"x" * (self.number * 37 % 150))

    def write(self, count: int) -> None:
        lines = [self._line() for _ in range(count)]
        self._append(self.log, b"".join(lines))
        if self.half:
            lines[0] = self.half + lines[0]
            self.half = b""
        self.written += lines

    def write_half(self, _: int) -> None:
        """A line whose end comes with the next one, or never."""
        half = self._line().strip() + b";"
        self._append(self.log, half)
        self.half += half

    def write_late(self, count: int) -> None:
        """Somebody was not told of the rotation."""
        if self.rotated and self.rotated[0].suffix[1:] not in PACK and self._may_be_late:
            lines = [self._line() for _ in range(count)]
            data = b"".join(lines)
            self._append(self.rotated[0], data)
            self.written += lines
            self.anytime.update(lines)

    _may_be_late = is_unseen = False

    def _make_room(self) -> Path:
        if self.dated:
            return self.log.with_name(f"app.log-{int(self.time)}")
        for number, path in reversed(list(enumerate(self.rotated, 1))):
            ending = path.suffix if path.suffix[1:] in PACK else ""
            self.rotated[number - 1] = path.rename(f"{self.log}.{number + 1}{ending}")
        return Path(f"{self.log}.1")

    def _give_up_half(self) -> bytes:
        half, self.half = self.half, b""
        if half:
            self.written.append(half + b"\n")
            self.anytime.add(half + b"\n")
        return half

    def rotate(self, create: int) -> None:
        if self.log.exists():
            to = self._make_room()
            self.rotated.insert(0, self.log.rename(to))
            self.is_unseen = True
            self._may_be_late = not self._give_up_half()
            if b"\n" not in self.rotated[0].read_bytes():
                self.unknown.add(self.rotated[0].stat().st_ino)
            if create % 2:
                self.log.touch()
                self._stamp(self.log)

    async def copytruncate(self, _: int) -> None:
        if not self.log.exists():
            return
        while self.log.stat().st_size < 600:  # what is shorter than its fingerprints cannot be known for sure
            self.write(3)
        if self.tail is not None:  # whoever truncates loses what nobody has read yet; not our doing
            self.notice()
            await self.read_all()
        to = self._make_room()
        shutil.copyfile(self.log, to)
        if what(self.log) in self.consumed:
            self.consumed.add(what(to))
        self._stamp(to)
        self.rotated.insert(0, to)
        os.truncate(self.log, 0)
        self._stamp(self.log)
        self._give_up_half()
        self._may_be_late = False
        if self.tail is not None:  # he is told of it before the next thing happens
            self.notice()
            await self.read_all()

    def pack(self, which: int) -> None:
        # What had no whole line when it was rotated has nothing by which it could be known again when packed.
        plain = [path for path in self.rotated if path.suffix[1:] not in PACK and path.stat().st_ino not in self.unknown]
        if plain and not (self.tail is not None and self.is_unseen):  # what was not seen before it was packed is not known
            path = plain[which % len(plain)]
            if path == self.rotated[0]:
                self._may_be_late = False
            ending = list(PACK)[which % len(PACK)]
            status = path.stat()
            packed = path.with_name(f"{path.name}.{ending}")
            packed.write_bytes(PACK[ending](path.read_bytes()))
            os.utime(packed, ns=(status.st_mtime_ns, status.st_mtime_ns))
            if what(path) in self.consumed:
                self.consumed.add(what(packed))
            self._unlink(path)
            self.rotated[self.rotated.index(path)] = packed

    def expire(self, _: int) -> None:
        """Old files are deleted, of which everything was read."""
        while self.rotated and what(self.rotated[-1]) in self.consumed:
            self._unlink(self.rotated.pop())

    def _unlink(self, path: Path) -> None:
        self.consumed.discard(what(path))
        self.unknown.discard(path.stat().st_ino)
        path.unlink()

    # The reader

    async def start(self, _: int = 0) -> None:
        if self.tail is None:
            self.waker = HandWaker()
            self.tail = Tail(
                [self.pattern], waker=self.waker, clock=lambda: self.time, chunk_bytes=self.chunk_bytes, resume=dict(self.rows)
            )
            await self.tail.__aenter__()

    def notice(self) -> None:
        if self.tail is not None:
            self.is_unseen &= not self.log.exists()
            self.waker.events.add(Event(EVERYTHING, ""))
            self.tail._notice()  # the kernel would have told

    async def read(self, count: int) -> None:
        if self.tail is not None:
            for _ in range(count):
                try:
                    chunk = await anext(self.tail)
                except Idle:
                    break
                self.pending += chunk.data.splitlines(keepends=True)
                self.news[chunk.source] = chunk.position

    async def read_all(self) -> None:
        before = -1
        while before != len(self.pending):
            before = len(self.pending)
            await self.read(1000)

    def commit(self, _: int = 0) -> None:
        self.committed += self.pending
        self.rows |= self.news
        self.pending, self.news = [], {}
        if not self.half and sorted(self.committed) == sorted(self.written):
            self.consumed.update(what(path) for path in (self.log, *self.rotated) if path.exists())

    async def kill(self, _: int = 0) -> None:
        if self.tail is not None:
            await self.tail.__aexit__(None, None, None)
            self.tail = None
        self.pending, self.news = [], {}

    async def end(self) -> None:
        await self.start()
        self.write(1)
        self.notice()
        await self.read_all()
        self.commit()
        await self.kill()


ACTS = ("write", "write", "write_half", "write_late", "rotate", "rotate", "copytruncate", "pack", "pack", "expire")
READER = ("start", "start", "read", "read", "commit", "commit", "kill")
ACT = st.tuples(st.sampled_from(ACTS + READER), st.integers(1, 4))


async def live(world: World, acts: list[tuple[str, int]]) -> None:
    await world.start()
    await world.read(1)
    world.commit()
    for name, number in acts:
        world.time += 1.0
        done = getattr(world, name)(number)
        if done is not None:
            await done
        if name != "rotate" or number > 2:  # several rotations may come before he looks
            world.notice()
    await world.end()


@settings(max_examples=150)
@given(
    st.lists(ACT, max_size=40),
    st.sampled_from(["app.log", "app.log*"]),
    st.booleans(),
    st.sampled_from([16, 200, 1 << 18]),
)
def test_each_line_is_committed_once(acts, pattern, dated, chunk_bytes):
    """Of any log, by its path or by a glob that finds its rotated files too."""
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory), pattern, dated, chunk_bytes)
        asyncio.run(live(world, acts))
    assert sorted(world.committed) == sorted(world.written)
    assert [line for line in world.committed if line not in world.anytime] == [
        line for line in world.written if line not in world.anytime
    ]


# In words


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "app.log"
    path.touch()
    return path


@pytest.fixture
def rows(log, follow, append):
    """await rows(*lines) reads these lines from the log, and gives what a store remembers then."""

    async def rows(*lines):
        append(log, b"".join(lines))
        async with follow(log) as reader:
            assert await reader.lines(len(lines)) == list(lines)
        return reader.rows

    return rows


def pack(path):
    """As logrotate does: the time of the last line stays."""
    status = path.stat()
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.unlink()


async def test_rotated_and_packed_meanwhile(log, rows, follow, append):
    """The rest of what was read, what nobody saw, and the log of now, in this order; only what comes then is live."""
    before = await rows(b"one\n")
    append(log, b"two\n")
    log.rename(f"{log}.2")
    pack(log.with_name("app.log.2"))
    append(log.with_name("app.log.1"), b"three\n")
    append(log, b"four\n")
    async with follow(log, resume=before) as reader:
        assert reader.tail.sources()[str(log)].behind > 5
        chunks = [await reader.chunk() for _ in range(3)]
        assert [(chunk.data, chunk.live, chunk.source) for chunk in chunks] == [
            (b"two\n", False, str(log)),
            (b"three\n", False, str(log)),
            (b"four\n", False, str(log)),
        ]
        assert not reader.tail.caught_up.is_set()
        append(log, b"five\n")
        chunk = await reader.chunk()
        assert (chunk.data, chunk.live, reader.tail.caught_up.is_set()) == (b"five\n", True, True)
        append(log.with_name("app.log.1"), b"late\n")
        assert await reader.lines(1) == [b"late\n"]
    after = reader.rows[str(log)]
    assert (after.offset, [place.offset for place in after.older]) == (
        10,
        [8, 11],
    )  # the packed one is let go of when it is still
    async with follow(log, resume=reader.rows) as reader:
        append(log.with_name("app.log.1"), b"late\n")
        assert await reader.lines(1) == [b"late\n"]
        assert reader.rows[str(log)].at == after.at  # of the log itself, which was not read since
        append(log, b"six\n")
        assert await reader.lines(1) == [b"six\n"]


async def test_rotated_and_no_new_log_yet(log, rows, follow, append):
    """The rest is read; the new log is one when it comes."""
    before = await rows(b"one\n")
    append(log, b"two\n")
    log.rename(f"{log}.1")
    async with follow(log, resume=before) as reader:
        assert await reader.lines(1) == [b"two\n"]
        assert reader.tail.sources()[str(log)].missing
        append(log, b"three\n")
        assert await reader.lines(1) == [b"three\n"]
    assert reader.rows[str(log)].older[0].offset == 8


async def test_emptied_meanwhile_without_a_copy(log, rows, follow, append):
    """What was not read is lost; what is there now is new, be it more or less than there was."""
    before = await rows(b"one\n")
    log.write_bytes(b"")
    append(log, b"three\nfour\n")
    async with follow(log, resume=before) as reader:
        assert await reader.lines(2) == [b"three\n", b"four\n"]


async def test_a_log_that_was_not_written_to(log, rows, follow, append):
    """Nothing is said of it, and nothing is read."""
    before = await rows(b"one\n")
    append(log.with_name("app.log.1"), b"old\n")
    async with follow(log, resume=before) as reader:
        append(log, b"two\n")
        chunk = await reader.any_chunk()
        assert (chunk.data, chunk.live) == (b"two\n", True)


async def test_a_log_that_was_never_seen(log, follow, append):
    """Is looked back into, and its rotated files are nobody's; that it stood there empty is remembered at once."""
    other = log.with_name("other.log")
    append(other, b"%099d\n" % 1 + b"%099d\n" % 2)
    append(other.with_name("other.log.1"), b"old\n")
    async with follow(log, other, lookback_bytes=150, clock=lambda: 5.0) as reader:
        assert await reader.lines(1) == [b"%099d\n" % 2]
    status = log.stat()
    assert reader.rows[str(log)] == Position(status.st_dev, status.st_ino, 0, at=5.0)


async def test_rotation_within_a_glob_is_told(log, follow, append):
    """The file has a row of its own under its new name, before its successor takes the one it had."""
    append(log, b"one\n")
    async with follow(f"{log}*") as reader:
        assert await reader.lines(1) == [b"one\n"]
        log.rename(f"{log}.1")
        append(log, b"two\n")
        chunk = await reader.any_chunk()
        assert (chunk.data, chunk.source, chunk.start, chunk.position.offset) == (b"", f"{log}.1", 4, 4)
        assert await reader.lines(1) == [b"two\n"]
        assert {name: row.offset for name, row in reader.rows.items()} == {str(log): 4, f"{log}.1": 4}


async def test_permission_that_comes_back_later(unprivileged, follow, append):
    """It was taken away while nobody read: reading goes on where it was, not at a look back."""
    path = unprivileged / "app.log"
    append(path, b"one\n")
    async with follow(path) as reader:
        assert await reader.lines(1) == [b"one\n"]
    append(path, b"two\n")
    path.chmod(0)
    async with follow(path, resume=reader.rows) as reader:
        assert reader.tail.sources()[str(path)].error == "permission denied (errno 13)"
        path.chmod(0o600)
        assert await reader.lines(1) == [b"two\n"]


async def test_a_file_that_was_let_go_of_comes_back(log, rows, follow, append):
    """A jail that was switched off and on again, say: it goes on where it was."""
    async with follow(log) as reader:
        append(log, b"one\n")
        assert await reader.lines(1) == [b"one\n"]
        await reader.tail.set_patterns([])
        append(log, b"two\n")
        await reader.tail.set_patterns([str(log)])
        chunk = await reader.chunk()
        assert (chunk.data, chunk.live) == (b"two\n", False)


async def test_a_damaged_packed_file(log, rows, follow, append, hand, idle):
    """It is told, tried again, and given up; the log goes on."""
    before = await rows(*[b"%099d\n" % number for number in range(2000)])
    append(log, b"two\n")
    log.rename(f"{log}.1")
    pack(log.with_name("app.log.1"))
    packed = log.with_name("app.log.1.gz")
    data = packed.read_bytes()
    packed.write_bytes(data[: len(data) // 2])
    append(log, b"three\n")
    async with follow(log, resume=before, waker=hand) as reader:
        assert await reader.lines(1) == [b"three\n"]
        with pytest.raises(idle):
            await reader.chunk()
        assert reader.tail.sources()[str(log)].counters.errors == FAILURES + 1


async def test_packed_files_are_unpacked_one_after_the_other(tmp_path, follow, append, descriptors):
    """However many logs were rotated meanwhile: neither descriptors nor programs pile up."""
    logs = [tmp_path / f"{number}.log" for number in range(10)]
    for path in logs:
        append(path, b"one\n")
    async with follow(*logs) as reader:
        await reader.lines(10)
    for path in logs:
        append(path, b"0123456789\n" * 100)
        path.rename(f"{path}.1")
        pack(path.with_name(f"{path.name}.1"))
        append(path, b"last\n")
    async with follow(*logs, resume=reader.rows, chunk_bytes=100) as reader:
        before, lines, most = descriptors(), [], 0
        while len(lines) < 1010:
            lines += (await reader.chunk()).data.splitlines()
            most = max(most, descriptors() - before)
        assert most == 1
        assert lines.count(b"last") == 10


async def test_a_log_behind_a_link(tmp_path, follow, append):
    """Its rotated files are beside what the link leads to."""
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "app.log", tmp_path / "app.log"
    append(real, b"one\n")
    link.symlink_to(real)
    async with follow(link) as reader:
        assert await reader.lines(1) == [b"one\n"]
    append(real, b"two\n")
    real.rename(f"{real}.1")
    append(real, b"three\n")
    async with follow(link, resume=reader.rows) as reader:
        assert await reader.lines(2) == [b"two\n", b"three\n"]


async def test_lines_that_come_while_others_are_caught_up_with(log, rows, follow, append):
    """Are not live either: they are read late."""
    before = await rows(b"one\n")
    append(log, b"two\n" * 100)
    log.rename(f"{log}.1")
    append(log, b"three\n")
    async with follow(log, resume=before, chunk_bytes=100) as reader:
        assert (await reader.chunk()).data == b"two\n" * 25
        append(log, b"four\n")
        lines = b""
        while len(lines) < 311:
            chunk = await reader.chunk()
            assert not chunk.live
            lines += chunk.data
        assert lines == b"two\n" * 75 + b"three\nfour\n"
