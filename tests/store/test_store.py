"""store/store.py: the store as the event loop sees it, and what a broken disk does to it."""

import asyncio
import errno
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from tests.store.conftest import NOW, ban, batch, unread

from banwatch.errors import StoreError
from banwatch.store.database import Database
from banwatch.store.store import REST, WAITING, FileStore
from banwatch.store.values import Event, Line, Saved


@pytest.fixture
def path(tmp_path):
    return tmp_path / "banwatch.db"


@pytest.fixture
async def store(path):
    store = FileStore(path, unread, clock=lambda: NOW)
    yield store
    await store.close()


async def test_another_life_finds_it(store, path):
    """What was written is there after a clean end, in one file."""
    assert await store.load() == Saved()
    await store.write(batch(bans=[ban()]))
    await store.write(batch(events=[Event(NOW, "ban", ban(), "")]), durable=True)
    await store.close()
    assert [one.name for one in path.parent.iterdir()] == ["banwatch.db"]
    again = FileStore(path, unread)
    assert (await again.load()).bans == [ban()]
    assert [event.ban for event in await again.history(None, 0.0, 10)] == [ban()]
    await again.close()


async def test_evidence_is_looked_for_after_the_write(path):
    """A write does not wait for it; it comes by itself, or at once when somebody asks for the history, or at the end."""
    looking, line = threading.Event(), Line("/var/log/auth.log", 7, NOW, "Failed password")
    asked = []

    def read(clues):
        asked.append(list(clues))
        looking.wait(10)
        return [(line,)] * len(clues)

    store = FileStore(path, read)
    event = Event(NOW, "ban", ban(), "")
    await store.write(batch(events=[event._replace(clue="one"), event]))
    assert asked == []
    looking.set()
    assert [one.evidence for one in await store.history(None, 0.0, 10)] == [(line,), ()]
    await store.write(batch(events=[event._replace(clue="two")]))
    await store.close()
    assert asked == [["one"], ["two"]]
    again = FileStore(path, unread)
    assert [one.evidence for one in await again.history(None, 0.0, 10)] == [(line,), (), (line,)]
    await again.close()


async def test_evidence_takes_a_tenth_of_the_time(path):
    """After each look there is a rest; of more than a few hundred bans that come meanwhile the newest have theirs found."""
    done, asked = asyncio.Event(), []
    loop = asyncio.get_running_loop()

    def read(clues):
        asked.append(list(clues))
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass
        loop.call_soon_threadsafe(done.set)
        return [()] * len(clues)

    store = FileStore(path, read)
    event = Event(NOW, "ban", ban(), "")
    await store.write(batch(events=[event._replace(clue=0)]))
    await asyncio.wait_for(done.wait(), 10)
    began = loop.time()
    done.clear()
    await store.write(batch(events=[event._replace(clue=number) for number in range(WAITING + 50)]))
    await asyncio.wait_for(done.wait(), 10)
    assert loop.time() - began >= 0.02 * REST * 0.5
    assert asked == [[0], list(range(50, WAITING + 50))]
    await store.close()


async def test_it_has_its_name_and_its_wish(store, path):
    """For messages, and to be asked before each batch."""
    assert store.name == str(path)
    assert store.wants_all_windows is False
    await store.load()
    assert store.wants_all_windows is False


@pytest.mark.parametrize("garbage", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_a_damaged_one_is_set_aside_at_the_start(store, path, garbage):
    """The error says where it is; the next call finds a new one."""
    path.write_bytes(garbage)
    with pytest.raises(StoreError, match=r"it was set aside as .*\.corrupt-20231114T221320Z") as caught:
        await store.load()
    assert (caught.value.damaged, caught.value.hint) == (True, "a new one is begun")
    assert path.with_name("banwatch.db.corrupt-20231114T221320Z").read_bytes() == garbage
    assert await store.load() == Saved()
    await store.write(batch(bans=[ban()], whole=True))
    assert (await store.load()).bans == [ban()]


async def test_one_that_is_damaged_while_it_is_open(store, path):
    """Bytes of the disk went bad: the write fails, the file is set aside, the next whole batch is in a new one."""
    await store.write(batch(bans=[ban(f"198.51.100.{number}", why="x" * 500) for number in range(200)], whole=True))
    await store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    store = FileStore(path, unread, clock=lambda: NOW)
    with pytest.raises(StoreError, match="set aside") as caught:
        await store.write(batch(bans=[ban()]))
    assert caught.value.damaged
    await store.write(batch(bans=[ban()], whole=True))
    assert (await store.load()).bans == [ban()]
    await store.close()


async def test_a_lock_of_another_is_waited_for_and_then_told(path):
    """A backup that takes long: what is there stays, and the next try succeeds when it is over."""
    store = FileStore(path, unread, busy=0.05)
    await store.write(batch(bans=[ban()]))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"banwatch\.db cannot be written: database is locked$") as caught:
        await store.write(batch(bans=[ban("192.0.2.8")]))
    assert not caught.value.damaged
    other.execute("ROLLBACK")
    await store.write(batch(bans=[ban("192.0.2.8")]))
    assert len((await store.load()).bans) == 2
    other.close()
    await store.close()


async def test_a_lost_file_is_begun_anew(store, path):
    """Somebody deleted it: told once, and written anew."""
    await store.write(batch(bans=[ban()]))
    path.unlink()
    with pytest.raises(StoreError, match="was removed"):
        await store.write(batch(bans=[ban("192.0.2.8")]))
    await store.write(batch(bans=[ban(), ban("192.0.2.8")], whole=True))
    assert len((await store.load()).bans) == 2


async def test_no_directory(tmp_path):
    """The last part of the path is made; more is a mistake."""
    store = FileStore(tmp_path / "a" / "b" / "banwatch.db", unread)
    with pytest.raises(StoreError, match="cannot be opened: No such file or directory"):
        await store.load()
    await store.close()


async def test_the_loop_goes_on(store):
    """While the disk works, other tasks do."""
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(count())
    await store.write(batch(bans=[ban(f"10.0.{number >> 8}.{number & 255}") for number in range(20_000)]))
    task.cancel()
    assert turns > 3


def in_small_file_system(path, work, options="size=256k"):
    """Runs `work` (the text of a coroutine's body, with `path`) in a mount namespace in which `path` is a tmpfs of its own."""
    program = textwrap.dedent(
        """
        import asyncio, os, subprocess, sys
        from pathlib import Path
        from banwatch.errors import StoreError
        from banwatch.store.database import Database
        from banwatch.store.store import FileStore
        from banwatch.store.values import Event
        from tests.store.conftest import NOW, ban, batch, unread
        path = Path(sys.argv[1])
        subprocess.run(["mount", "-t", "tmpfs", "-o", sys.argv[2], "none", path], check=True)
        async def main():
        """
    ) + textwrap.indent(textwrap.dedent(work), "    ")
    program += "\nasyncio.run(main())\n"
    argv = ("unshare", "--mount", "--propagation", "private", sys.executable, "-c", program, str(path), options)
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.kernel
def test_a_full_disk(tmp_path):
    """Nothing of the batch is written, what was there stays; with room again the next one is."""
    result = in_small_file_system(
        tmp_path,
        """
        store = FileStore(path / "banwatch.db", unread)
        await store.write(batch(bans=[ban()]))
        (path / "filler").write_bytes(b"x" * (os.statvfs(path).f_bavail * os.statvfs(path).f_bsize))
        many = [ban(f"10.0.{number >> 8}.{number & 255}") for number in range(2000)]
        try:
            await store.write(batch(bans=many), durable=True)
        except StoreError as error:
            print(error.damaged, error.message)
        try:
            await store.write(batch(bans=many, whole=True))
        except StoreError as error:
            print(error.damaged, error.message)
        (path / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,size=4m", path], check=True)
        print((await store.load()).bans == [ban()])
        await store.write(batch(bans=many, whole=True))
        print(len((await store.load()).bans), sorted(os.listdir(path)))
        await store.close()
        """,
    )
    assert result.stderr == ""
    first, second, *rest = result.stdout.splitlines()
    assert first.startswith("False ")
    assert second.startswith("False ")
    assert "full" in first or "disk I/O error" in first
    assert rest == ["True", "2000 ['banwatch.db', 'banwatch.db-shm', 'banwatch.db-wal']"]


@pytest.mark.kernel
def test_a_file_system_that_became_read_only(tmp_path):
    """What is there is known at the start, also beside the journal of a killed daemon; nothing can be written, and it is told."""
    result = in_small_file_system(
        tmp_path,
        """
        if os.fork() == 0:
            Database.open(path / "banwatch.db").write(batch(bans=[ban()]))
            os._exit(0)
        os.wait()
        subprocess.run(["mount", "-o", "remount,ro", path], check=True)
        store = FileStore(path / "banwatch.db", unread)
        print((await store.load()).bans == [ban()])
        try:
            await store.write(batch(bans=[ban("192.0.2.8")]))
        except StoreError as error:
            print(error.damaged, error.message)
        subprocess.run(["mount", "-o", "remount,rw", path], check=True)
        await store.write(batch(bans=[ban("192.0.2.8")]))
        print(len((await store.load()).bans))
        """,
        options="size=4m",
    )
    assert result.stderr == ""
    found, refused, later = result.stdout.splitlines()
    assert found == "True"
    assert refused == f"False {tmp_path}/banwatch.db cannot be opened: {os.strerror(errno.EROFS)}"
    assert later == "2"


@pytest.mark.kernel
def test_a_killed_one_has_what_was_committed(tmp_path):
    """SIGKILL in the middle of writing: each batch is there as a whole or not at all, and none before the last one is missing."""
    program = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from banwatch.store.store import FileStore
        from tests.store.conftest import ban, batch, unread
        async def main():
            store = FileStore(Path(sys.argv[1]), unread)
            for number in range(100_000):
                pair = [ban(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", jail=jail) for jail in ("one", "two")]
                await store.write(batch(bans=pair, positions={"/log": str(number)}))
                print(number, flush=True)
        asyncio.run(main())
        """
    )
    path = tmp_path / "banwatch.db"
    with subprocess.Popen((sys.executable, "-c", program, str(path)), stdout=subprocess.PIPE, text=True) as child:
        while (told := int(child.stdout.readline())) < 200:
            pass
        child.kill()
        told = int(f"{told} {child.stdout.read()}".split()[-1])
    database = Database.open(path)
    saved = database.load()
    database.close()
    last = int(saved.positions["/log"])
    assert last in (told, told + 1)
    assert len(saved.bans) == 2 * (last + 1)
