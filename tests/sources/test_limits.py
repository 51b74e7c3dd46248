"""What the kernel will not give, and what a stranger may not take."""

import errno
import os
import re
import resource
import shutil
import subprocess
import sys
import tracemalloc

import pytest

from banwatch.sources import file as file_module
from banwatch.sources import inotify as inotify_module
from banwatch.sources.base import EVERYTHING, Event
from banwatch.sources.turns import FAILURES, Patience


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "a.log"
    path.touch()
    return path


async def test_no_watches_left(log, follow, hand, append):
    """At the limit of inotify watches everything is looked at, at a bounded rate, and the state says so."""
    hand.refuse = errno.ENOSPC
    async with follow(log, waker=hand, patience=Patience(every=2.5)) as reader:
        assert reader.tail.sources()[str(log)].note == (
            "cannot be watched: no space left on device (errno 28); looked at every 2.5 s; raise fs.inotify.max_user_watches"
        )
        hand.script += [lambda: None, lambda: None, lambda: append(log, b"one\n")]
        assert await reader.lines(1) == [b"one\n"]
        assert hand.waits == [2.5] * 4
        log.rename(f"{log}.1")
        append(log, b"two\n")
        assert await reader.lines(1) == [b"two\n"]


FEW_WATCHES = """
import asyncio, sys
from pathlib import Path
from banwatch.sources.tail import Tail
from banwatch.sources.turns import Patience

async def main(directory):
    names = ["a.log", "b.log", "c.log", "d.log"]
    for name in names:
        (directory / name).touch()
    lines = []
    async with Tail([str(directory / "*.log")], patience=Patience(every=0.02)) as tail:
        for name in names:
            with (directory / name).open("a") as file:
                file.write(name + "\\n")
        while len(lines) < len(names):
            lines += (await anext(tail)).data.decode().split()
        print(*sorted(lines), *tail.problems(), sep="\\n")

Path("/proc/sys/user/max_inotify_watches").write_text(sys.argv[2])
asyncio.run(main(Path(sys.argv[1])))
"""


def test_the_kernel_gives_few_watches(tmp_path):
    """In a user namespace with one watch too few: every file is heard, and status says how many are polled."""
    unshare = ("unshare", "--user", "--map-root-user")
    if shutil.which("unshare") is None or subprocess.run((*unshare, "true"), capture_output=True, check=False).returncode:
        pytest.skip("no user namespaces are allowed here")
    done = subprocess.run(
        (*unshare, sys.executable, "-c", FEW_WATCHES, str(tmp_path), str(len(tmp_path.parts) + 3)),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    *lines, problem = done.stdout.splitlines()
    assert lines == ["a.log", "b.log", "c.log", "d.log"]
    assert re.fullmatch(
        r"1 log file: cannot be watched: no space left on device \(errno 28\); looked at every 0.02 s; "
        r"raise fs.inotify.max_user_watches",
        problem,
    )


async def test_watches_are_asked_for_again(log, follow, hand, append, idle):
    """When there is room again the next look takes it, and the clock is not needed any more."""
    hand.refuse = errno.ENOSPC
    async with follow(log, waker=hand, patience=None) as reader:
        hand.script.append(lambda: setattr(hand, "refuse", 0))
        with pytest.raises(idle):
            await reader.chunk()
        assert hand.waits == [1.0, 1.0, None]
        assert reader.tail.sources()[str(log)].note is None


async def test_no_inotify_at_all(log, follow, append, monkeypatch):
    """A user with too many instances gets none: then everything is looked at from time to time."""

    def refuse(**_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(inotify_module, "INotify", refuse)
    async with follow(log, log.with_name("b.log")) as reader:
        assert reader.tail.sources()[str(log)].note == (
            "cannot be watched: too many open files (errno 24); looked at every 0.02 s; raise fs.inotify.max_user_instances"
        )
        append(log, b"one\n")
        assert await reader.lines(1) == [b"one\n"]
        append(log.with_name("b.log"), b"two\n")
        assert await reader.lines(1) == [b"two\n"]


async def test_lost_events(log, follow, hand, append):
    """When the kernel's queue ran over, everything is looked at: names and contents."""
    async with follow(log, waker=hand) as reader:
        append(log, b"one\n")
        log.rename(f"{log}.1")
        append(log, b"two\n")
        hand.events.add(Event(EVERYTHING, ""))
        assert await reader.lines(2) == [b"one\n", b"two\n"]


async def test_a_real_flood_of_events(tmp_path, follow, append):
    """More events than the kernel's queue holds, while nobody asked: every line comes once all the same."""
    paths = [tmp_path / f"{number}.log" for number in range(4)]
    for path in paths:
        path.touch()
    async with follow(tmp_path / "*.log") as reader:
        files = [path.open("ab", buffering=0) for path in paths]
        rounds = 5000  # of four files in turn, so that the kernel cannot merge them
        for number in range(rounds):
            for file in files:
                file.write(b"%d\n" % number)
        for file in files:
            file.close()
        paths[0].rename(tmp_path / "away")
        append(paths[0], b"last\n")
        lines = await reader.named(4 * rounds + 1)
        for path in paths[1:]:
            assert [int(line) for name, line in lines if name == path.name] == list(range(rounds))
        assert [line for name, line in lines if name == "0.log"] == [b"%d\n" % number for number in range(rounds)] + [b"last\n"]


async def test_an_error_while_reading(log, follow, hand, append, monkeypatch):
    """EIO stands in the state and is tried again, later and later; the place is kept and nothing is lost."""
    async with follow(log, waker=hand, patience=None) as reader:
        append(log, b"one\n")
        hand.wrote(log)
        preadv, errors = os.preadv, [errno.EIO] * 8

        def broken(descriptor, buffers, offset):
            if errors:
                assert reader.tail.sources()[str(log)].error == (None if len(errors) == 8 else "input/output error (errno 5)")
                raise OSError(errors.pop(), "")
            return preadv(descriptor, buffers, offset)

        monkeypatch.setattr(file_module.os, "preadv", broken)
        assert await reader.lines(1) == [b"one\n"]
        assert hand.waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
        state = reader.tail.sources()[str(log)]
        assert (state.error, state.counters.errors) == (None, 8)


async def test_a_rotated_file_that_cannot_be_read_is_given_up(log, follow, hand, append, idle, monkeypatch):
    """Nobody will mend it; what took its place does not wait for it."""
    async with follow(log, waker=hand) as reader:
        append(log, b"one\n")
        preadv, inode = os.preadv, log.stat().st_ino

        def broken(descriptor, buffers, offset):
            if os.fstat(descriptor).st_ino == inode:
                raise OSError(errno.ESTALE, "")
            return preadv(descriptor, buffers, offset)

        monkeypatch.setattr(file_module.os, "preadv", broken)
        log.rename(f"{log}.1")
        append(log, b"two\n")
        hand.changed(log)
        assert await reader.lines(1) == [b"two\n"]
        with pytest.raises(idle):
            await reader.chunk()
        assert reader.tail.sources()[str(log)].counters.errors == FAILURES + 1
        assert len(hand.files) == 1


async def test_a_file_that_cannot_be_read_does_not_keep_the_daemon_waiting(log, follow, hand, idle, monkeypatch):
    """Catching up ends without it."""
    log.write_bytes(b"one\n")

    async with follow(log, waker=hand) as reader:

        def broken(descriptor, buffers, offset):
            if len(hand.waits) > 3:
                raise idle
            raise OSError(errno.EIO, "")

        monkeypatch.setattr(file_module.os, "preadv", broken)
        with pytest.raises(idle):
            await reader.chunk()
        assert reader.tail.caught_up.is_set()


async def test_too_many_open_files(log, follow, hand, append):
    """Without descriptors nothing can be opened; it is tried again until there are some."""
    other = log.with_name("b.log")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def give() -> None:
        assert reader.tail.sources()[str(other)].error == "too many open files (errno 24)"
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    async with follow(log, other, waker=hand, patience=None) as reader:
        append(other, b"one\n")
        hand.changed(other)
        hand.script += [lambda: None, give]
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            assert await reader.lines(1) == [b"one\n"]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert hand.waits == [1.0, 1.0, 1.0]


async def test_a_line_of_100_megabytes(log, follow, append):
    """Its first 64 KiB come, the rest is passed over without being held, and the next line is whole."""
    async with follow(log) as reader:
        with log.open("ab", buffering=0) as file:
            for _ in range(100):
                file.write(b"x" * 1_000_000)
            file.write(b"\nnext\n")
        tracemalloc.start()
        chunk = await reader.chunk()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert chunk.data == b"x" * 65_536 + b"\nnext\n"
        assert (chunk.start, chunk.position.offset) == (0, 100_000_006)
        assert peak < 3_000_000
        assert reader.tail.sources()[str(log)].counters.too_long == 1


async def test_any_bytes_are_passed_on(log, follow, append):
    """NUL, CR, invalid UTF-8 are for the filter to deal with."""
    data = bytes(range(256)) + b"\r\n\xff\xfe\n"
    async with follow(log) as reader:
        append(log, data)
        assert (await reader.chunk()).data == data
