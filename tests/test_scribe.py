"""scribe.py: what happens is written down, and the store may fail as it likes."""

import asyncio
import os
import sqlite3
from contextlib import suppress

import pytest
from tests.store.conftest import NOW, ban, delta, unread

from banwatch.model import Chunk, Position, Unban
from banwatch.scribe import CLUES, WAITING, Scribe
from banwatch.store.null import NullStore
from banwatch.store.schema import APPLICATION
from banwatch.store.store import FileStore
from banwatch.store.values import Line, Saved

LINE = Line("/var/log/auth.log", 7, NOW, "Failed password")


class Desk:
    """A book and a window that the test fills."""

    def __init__(self):
        self.book, self.window, self.dirty, self.late = {}, {}, {}, []

    def enter(self, *bans):
        self.book.update({(ban.jail, ban.target): ban for ban in bans})
        return list(bans)

    def end(self, ban):
        del self.book[ban.jail, ban.target]
        return [Unban(ban, NOW + 1, "by command")]

    def count(self, key, *record):
        self.window[key] = self.dirty[key] = record

    def bans(self):
        return self.book.values()

    def ban(self, key):
        return self.book.get(key)

    def windows(self, everything):
        taken, self.dirty = self.window if everything else self.dirty, {}
        return [delta(*taken.items())]

    def clue(self, ban):
        return "clue" if ban.origin == "rule" else None

    def reads(self, chunk):
        self.read = chunk

    def ends(self, unban):
        self.ended = unban

    def found(self, saved):
        self.late.append(saved)


class Log:
    """What was said, with its level."""

    def __init__(self):
        self.said = []

    def __getattr__(self, level):
        return lambda text, **fields: self.said.append((level, text, fields.get("error", "")))


class Home:
    """A desk, a store in a file, and scribes as many as there are lives."""

    def __init__(self, path):
        self.path, self.desk, self.log, self.failures = path, Desk(), Log(), 0
        self.stores, self.tasks = [], []

    def scribe(self, store=None, desk=None):
        if store is None:
            store = FileStore(self.path, lambda clues: [(LINE,)] * len(clues), busy=0.02)
        self.stores.append(store)
        return Scribe(store, desk or self.desk, lambda: NOW, self.log, self._fail)

    def run(self, scribe):
        self.tasks.append(asyncio.create_task(scribe.run()))
        return self.tasks[-1]

    def _fail(self):
        self.failures += 1

    async def saved(self):
        store = FileStore(self.path, unread)
        try:
            return await store.load()
        finally:
            await store.close()

    async def end(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for store in self.stores:
            await store.close()


@pytest.fixture
async def home(tmp_path):
    home = Home(tmp_path / "banwatch.db")
    yield home
    await home.end()


@pytest.fixture
def hasty(monkeypatch):
    """What is due, is due at once."""
    for name in ("BEHIND", "IDLY_BEHIND"):
        monkeypatch.setattr(f"banwatch.scribe.{name}", 0.0)
    monkeypatch.setattr("banwatch.scribe.RETRIES", (0.01,))


def chunk(offset=100, source="/var/log/auth.log"):
    return Chunk(source, b"x\n", 0, Position(1, 2, offset, at=NOW), True, NOW)


async def until(condition):
    """Waits for what another thread brings about."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_command_is_on_the_disk(home):
    """flush() returns when another life would find it."""
    scribe = home.scribe()
    assert await scribe.load() == Saved()
    scribe.changed(home.desk.enter(ban(), ban("192.0.2.8")))
    assert await scribe.flush() is None
    assert (await home.saved()).bans == [ban(), ban("192.0.2.8")]
    scribe.changed(home.desk.end(ban()))
    assert await scribe.flush() is None
    assert (await home.saved()).bans == [ban("192.0.2.8")]
    events = await home.stores[0].history(None, 0.0, 10)
    assert [(event.action, event.ban.target.who, event.why, event.evidence) for event in events] == [
        ("ban", "192.0.2.7", "3 attempts in 600 s", (LINE,)),
        ("ban", "192.0.2.8", "3 attempts in 600 s", (LINE,)),
        ("unban", "192.0.2.7", "by command", ()),
    ]


async def test_what_is_due_is_written(home, hasty):
    """Bans, windows and positions, without anybody asking for it; then nothing wakes up."""
    scribe = home.scribe()
    await scribe.load()
    home.run(scribe)
    async with scribe.reading(chunk()):
        home.desk.count("192.0.2.9", NOW, "root")
        scribe.counted()
        scribe.changed(home.desk.enter(ban()))
    await until(lambda: scribe._due is None and not scribe._turn.locked())
    saved = await home.saved()
    assert saved.bans == [ban()]
    assert saved.windows == {("sshd", "ip"): ("auth by ip", {"192.0.2.9": (NOW, "root")})}
    assert saved.positions == {"/var/log/auth.log": chunk().position.render()}


async def test_a_log_is_known_at_once(home, monkeypatch):
    """
    Whoever is killed within the first second has to know in the next life which file he had read: of a log that was
    never seen the rotated ones are nobody's.
    """
    monkeypatch.setattr("banwatch.scribe.BEHIND", 3600.0)
    monkeypatch.setattr("banwatch.scribe.IDLY_BEHIND", 3600.0)
    scribe = home.scribe()
    await scribe.load()
    home.run(scribe)
    for source in ("/var/log/auth.log", "/var/log/mail.log"):
        async with scribe.reading(chunk(source=source)):
            pass
        await until(lambda: scribe._due is None and not scribe._turn.locked())
        assert source in (await home.saved()).positions
    async with scribe.reading(chunk(200)):
        pass
    assert scribe._due is not None
    assert scribe._due > asyncio.get_running_loop().time() + 3000.0


async def test_nothing_is_taken_within_a_chunk(home):
    """Half of its lines with a position before all of them would count twice in another life."""
    scribe = home.scribe()
    await scribe.load()
    async with scribe.reading(chunk()):
        home.desk.count("192.0.2.9", NOW, "root")
        scribe.changed(home.desk.enter(ban()))
        flushing = asyncio.create_task(scribe.flush())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not flushing.done()
        home.desk.count("192.0.2.9", NOW, "root", NOW, "root")
    assert await flushing is None
    saved = await home.saved()
    assert saved.positions == {"/var/log/auth.log": chunk().position.render()}
    assert saved.windows["sshd", "ip"][1] == {"192.0.2.9": (NOW, "root", NOW, "root")}


async def test_two_readers_that_never_rest(home):
    """A log and the journal: there is always one in the middle of a chunk, and yet it is written, when there is none."""
    scribe = home.scribe()
    await scribe.load()
    working = set()

    async def read(source):
        for offset in range(10_000):
            async with scribe.reading(chunk(offset, source)):
                working.add(source)
                for _ in range(3):
                    await asyncio.sleep(0)
                working.remove(source)

    took = scribe._take
    scribe._take = lambda durable: took(durable) if not working else pytest.fail("within a chunk")
    readers = [asyncio.create_task(read(source)) for source in ("/log", "journal")]
    for number in range(3):
        await asyncio.sleep(0)
        scribe.changed(home.desk.enter(ban(f"192.0.2.{number}")))
        assert await scribe.flush() is None
    assert not any(reader.done() for reader in readers)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    assert len((await home.saved()).bans) == 3


async def test_positions_of_another_life(home):
    """They are at hand for the sources, without those that make no sense or are of a month ago."""
    scribe = home.scribe()
    await scribe.load()
    old = chunk(source="/old")
    for one in (chunk(), Chunk("/old", b"", 0, old.position._replace(at=NOW - 31 * 86400), True, NOW)):
        async with scribe.reading(one):
            pass
    await scribe.flush()
    connection = sqlite3.connect(home.path)
    connection.execute("INSERT INTO positions VALUES ('/wrong', 'garbage')")
    connection.commit()
    connection.close()
    again = home.scribe()
    await again.load()
    assert again.positions == {"/var/log/auth.log": chunk().position}
    assert [said[1] for said in home.log.said] == ["position in the store makes no sense"]


async def test_a_periodic_write_is_made_sure_by_a_command(home):
    """What was written without the disk is written to it with the next command, though nothing else happened."""
    scribe = home.scribe()
    await scribe.load()
    scribe.changed(home.desk.enter(ban()))
    await scribe._write()
    assert scribe._unsynced
    assert await scribe.flush() is None
    assert not scribe._unsynced
    assert scribe._take(durable=True) is None


async def test_a_damaged_store_is_replaced_at_the_start(home, hasty):
    """Loudly, and all that is known by then is in the new one."""
    home.path.write_bytes(b"garbage" * 1000)
    scribe = home.scribe()
    assert await scribe.load() == Saved()
    assert scribe.fault is not None
    home.run(scribe)
    scribe.changed(home.desk.enter(ban()))
    await until(lambda: scribe.fault is None)
    assert (await home.saved()).bans == [ban()]
    assert [(level, text) for level, text, _ in home.log.said] == [
        ("error", "store is damaged"),
        ("warning", "store can be used again; all is written down"),
    ]
    assert home.failures == 1
    assert [one.name.partition("-")[0] for one in home.path.parent.glob("*corrupt*")] == ["banwatch.db.corrupt"]


async def test_a_store_that_is_damaged_meanwhile(home, hasty):
    """Nothing of what is known is lost, the history of that moment included."""
    scribe = home.scribe()
    await scribe.load()
    home.run(scribe)
    home.desk.count("192.0.2.9", NOW, "root")
    scribe.changed(home.desk.enter(*(ban(f"198.51.100.{number}", why="x" * 400) for number in range(100))))
    assert await scribe.flush() is None
    await home.stores[0].close()
    size = home.path.stat().st_size
    with home.path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    scribe.changed(home.desk.enter(ban()))
    await until(lambda: home.failures and scribe.fault is None)
    saved = await home.saved()
    assert len(saved.bans) == 101
    assert saved.windows["sshd", "ip"][1] == {"192.0.2.9": (NOW, "root")}
    assert [event.ban.target.who for event in await home.stores[0].history(None, 0.0, 10)] == ["192.0.2.7"]


async def test_a_locked_store_comes_back(home, hasty):
    """Until then commands get the reason at once, and what happened meanwhile is written in one go."""
    scribe = home.scribe()
    await scribe.load()
    scribe.changed(home.desk.enter(ban()))
    assert await scribe.flush() is None
    other = sqlite3.connect(home.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    scribe.changed(home.desk.enter(ban("192.0.2.8")))
    fault = f"nothing is remembered over a restart: {home.path} cannot be written: database is locked"
    assert await scribe.flush() == fault
    scribe.changed(home.desk.end(ban()))
    assert await scribe.flush() == fault
    assert home.failures == 1
    other.execute("ROLLBACK")
    home.run(scribe)
    await until(lambda: scribe.fault is None)
    assert (await home.saved()).bans == [ban("192.0.2.8")]
    events = await home.stores[0].history(None, 0.0, 10)
    assert [event.action for event in events] == ["ban", "ban", "unban"]
    other.close()


async def test_a_store_that_cannot_be_read_at_the_start(home, hasty):
    """It is read when that is possible, before anything is written over it."""
    first = home.scribe()
    await first.load()
    first.changed(home.desk.enter(ban()))
    await first.close()
    other = sqlite3.connect(home.path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    desk = Desk()
    scribe = home.scribe(desk=desk)
    assert await scribe.load() == Saved()
    assert "locked" in scribe.fault
    scribe.changed(desk.enter(ban("192.0.2.8")))
    other.close()
    home.run(scribe)
    await until(lambda: scribe.fault is None)
    [late] = desk.late
    assert late.bans == [ban()]
    assert (await home.saved()).bans == [ban("192.0.2.8")]


async def test_a_newer_store_is_left_alone(home, hasty):
    """The newer program may come back; until then nothing is written."""
    connection = sqlite3.connect(home.path)
    connection.executescript(f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = 99; CREATE TABLE x (y)")
    connection.close()
    scribe = home.scribe()
    await scribe.load()
    home.run(scribe)
    scribe.changed(home.desk.enter(ban()))
    await until(lambda: home.failures > 2)
    assert "was written by a newer banwatch (version 99" in scribe.fault
    connection = sqlite3.connect(home.path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("x",)]
    connection.close()


async def test_what_waits_for_the_history_has_a_bound(home):
    """An attack on a host with a full disk does not fill its memory."""
    home.path.mkdir()
    scribe = home.scribe()
    await scribe.load()
    scribe._unread = False
    scribe.changed([ban(f"10.0.{number >> 8}.{number & 255}") for number in range(WAITING + 5)])
    await scribe._write()
    assert (len(scribe._events), scribe.lost) == (WAITING, 5)
    assert scribe._events[0].ban.target.who == "10.0.0.5"


async def test_a_burst_is_written_without_its_lines(home):
    """To look for those of ten thousand bans would take the processor from the next ones; `why` finds them all the same."""
    scribe = home.scribe()
    await scribe.load()
    for _ in range(2):
        scribe.changed(home.desk.enter(*(ban(f"10.0.{number >> 8}.{number & 255}") for number in range(CLUES + 3))))
        assert await scribe.flush() is None
    events = await home.stores[0].history(None, 0.0, 10_000)
    assert [len(event.evidence) for event in events] == ([1] * CLUES + [0] * 3) * 2


async def test_a_fault_of_ours_ends_nothing(home, hasty):
    """What cannot be written because of ourselves is told, with where; the rest is written when it is out of the way."""
    scribe = home.scribe()
    await scribe.load()
    home.run(scribe)
    scribe.changed(home.desk.enter(ban(), ban("192.0.2.8", jail=object())))
    assert "a fault of banwatch" in await scribe.flush()
    scribe.changed(home.desk.end(ban("192.0.2.8", jail=next(key[0] for key in home.desk.book if key[0] != "sshd"))))
    scribe._events.clear()
    await until(lambda: scribe.fault is None)
    assert (await home.saved()).bans == [ban()]
    assert ("error", "store cannot be used; all goes on in memory") in [said[:2] for said in home.log.said]


async def test_who_is_cancelled_tears_nothing(home, hasty):
    """The end comes while a write is under way: it is finished, and what came after it is written too."""
    scribe = home.scribe()
    await scribe.load()
    task = home.run(scribe)
    scribe.changed(home.desk.enter(*(ban(f"10.0.{number >> 8}.{number & 255}") for number in range(3000))))
    await until(scribe._turn.locked)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    scribe.changed(home.desk.enter(ban()))
    await scribe.close()
    assert len((await home.saved()).bans) == 3001
    assert len(await home.stores[0].history(None, 0.0, 10_000)) == 3001


async def test_a_clock_that_was_set(home):
    """Every ban has another end, and all are written."""
    scribe = home.scribe()
    await scribe.load()
    scribe.changed(home.desk.enter(ban(), ban("192.0.2.8")))
    await scribe.flush()
    home.desk.enter(ban(until=NOW + 60), ban("192.0.2.8", until=NOW + 70))
    scribe.everything_changed()
    await scribe.flush()
    assert [saved.until for saved in (await home.saved()).bans] == [NOW + 60, NOW + 70]


async def test_a_store_that_remembers_nothing(home):
    """Is written to all the same, and is content."""
    scribe = home.scribe(NullStore())
    await scribe.load()
    scribe.changed(home.desk.enter(ban()))
    assert await scribe.flush() is None
    await scribe.close()
    assert not home.path.exists()
