"""journal.py with real journal files."""

import asyncio
import errno
import time

import pytest
from tests.journals import DOVECOT, SSHD, JournalFile, export

from banwatch.errors import SourceError
from banwatch.model import Position
from banwatch.sources.journal import Journal

SSHD_PATTERN = "journal:SYSLOG_IDENTIFIER=sshd+_UID=0"
DOVECOT_PATTERN = "journal:SYSLOG_IDENTIFIER=dovecot+_UID=0"
PATIENCE = 20.0
HOUR = 3600.0


def follow(file, *patterns, lookback=HOUR, **options):
    return Journal(patterns or (SSHD_PATTERN,), directory=file.path.parent, lookback=lookback, **options)


async def take(reader, number):
    """So many lines without date, host and line end, and the last chunk."""
    lines = []
    while len(lines) < number:
        chunk = await asyncio.wait_for(anext(reader), PATIENCE)
        lines += [line.split(b" - ", 1)[1].decode() for line in chunk.data.splitlines()]
    return lines, chunk


async def is_at_end(reader):
    """Whether nothing comes any more."""
    coming = asyncio.ensure_future(anext(reader))
    for _ in range(50):
        await asyncio.sleep(0)
    at_end = not coming.done()
    coming.cancel()
    await asyncio.wait([coming])
    return at_end and reader.caught_up.is_set()


async def test_what_stands_there(journal):
    """Entries of the last findtime come as lines with their own time and pid, in one chunk, and are not live."""
    now = time.time()
    journal.write("too old", at=now - 2 * HOUR, **SSHD)
    journal.write("one", at=now - 60, **SSHD)
    journal.write("two", at=now - 50, _SOURCE_REALTIME_TIMESTAMP="1700000000123456", **SSHD)
    async with follow(journal) as reader:
        chunk = await anext(reader)
        first, second = chunk.data.splitlines()
        assert first.endswith(b"Z - sshd[812]: one")
        assert second == b"2023-11-14T22:13:20.123456Z - sshd[812]: two"
        assert (chunk.source, chunk.live, chunk.patterns) == ("journal", False, {SSHD_PATTERN})
        assert chunk.position.at == pytest.approx(now - 50, abs=1e-5)
        assert await is_at_end(reader)


async def test_new_entries_wake_it(journal):
    """They are live; the journal's own events tell of them."""
    journal.write("one", **SSHD)
    async with follow(journal) as reader:
        assert (await take(reader, 1))[0] == ["sshd[812]: one"]
        coming = asyncio.create_task(take(reader, 2))
        await asyncio.to_thread(journal.write, "two", "three", **SSHD)
        lines, chunk = await coming
        assert lines == ["sshd[812]: two", "sshd[812]: three"]
        assert chunk.live


async def test_forged_entries_do_not_come(journal):
    """The fields that journald sets decide, whatever the identifier says."""
    forged = SSHD | {"_UID": "1000", "_COMM": "sshd"}
    journal.write("forged", **forged)
    journal.write("real", **SSHD)
    async with follow(journal) as reader:
        assert (await take(reader, 1))[0] == ["sshd[812]: real"]
        assert await is_at_end(reader)


async def test_each_watch_has_its_own_lines(journal):
    """One handle for all; a chunk has what is for the same watches, in the order of the journal."""
    journal.write("a", "b", **SSHD)
    journal.write("c", **DOVECOT)
    journal.write("d", **SSHD)
    wide = "journal:_UID=0"
    async with follow(journal, SSHD_PATTERN, DOVECOT_PATTERN) as reader:
        chunks = [await anext(reader) for _ in range(3)]
        assert [chunk.patterns for chunk in chunks] == [{SSHD_PATTERN}, {DOVECOT_PATTERN}, {SSHD_PATTERN}]
        assert [chunk.data.count(b"\n") for chunk in chunks] == [2, 1, 1]
    async with follow(journal, DOVECOT_PATTERN, wide) as reader:
        chunks = [await anext(reader) for _ in range(3)]
        assert [chunk.patterns for chunk in chunks] == [{wide}, {wide, DOVECOT_PATTERN}, {wide}]


async def test_another_life_goes_on_where_one_ended(journal):
    """At whatever chunk it ended: no entry is lost, none comes twice."""
    journal.write("1", "2", **SSHD)
    journal.write("3", **DOVECOT)
    journal.write("4", **SSHD)
    expected = ["sshd[812]: 1", "sshd[812]: 2", "dovecot[99]: 3", "sshd[812]: 4", "sshd[812]: 5"]
    places = [(None, 0)]
    async with follow(journal, SSHD_PATTERN, DOVECOT_PATTERN) as reader:
        places += [((await anext(reader)).position, seen) for seen in (2, 3, 4)]
    journal.write("5", **SSHD)
    for place, seen in places:
        resume = place and Position.parse(place.render())
        async with follow(journal, SSHD_PATTERN, DOVECOT_PATTERN, resume=resume) as reader:
            assert (await take(reader, 5 - seen))[0] == expected[seen:]
            assert await is_at_end(reader)


async def test_entries_that_move_to_another_file(journal):
    """As from /run to /var when journald is flushed: they are the same ones, also the last that was read."""
    now = time.time()
    first = export("1", now - 30, **SSHD) + export("2", now - 20, **SSHD)
    journal.feed(first)
    async with follow(journal) as reader:
        assert (await take(reader, 2))[0] == ["sshd[812]: 1", "sshd[812]: 2"]
        moved = JournalFile(journal.path.with_name("x.journal"))
        moved.feed(first + export("3", now - 10, **SSHD))
        journal.path.unlink()
        assert (await take(reader, 1))[0] == ["sshd[812]: 3"]
        assert await is_at_end(reader)


async def test_a_place_whose_entry_is_gone(journal, tmp_path):
    """After a vacuum it goes on with the first entry that is left and newer."""
    now = time.time()
    journal.write("1", at=now - 30, **SSHD)
    async with follow(journal) as reader:
        place = (await anext(reader)).position
    journal.path.unlink()
    journal.write("2", at=now - 20, **SSHD)
    async with follow(journal, resume=place) as reader:
        assert (await take(reader, 1))[0] == ["sshd[812]: 2"]


@pytest.mark.parametrize(
    ("place", "lines"),
    [
        (Position(0, 0, 0, cursor="nonsense", at=2e9), ["sshd[812]: old", "sshd[812]: new"]),
        (Position(0, 0, 0, cursor="s=0;i=0", at=1e9), ["sshd[812]: old", "sshd[812]: new"]),
    ],
)
async def test_a_place_that_is_of_no_use(journal, place, lines):
    """One that is none, or so old that nothing after it counts any more: it looks back one findtime."""
    now = time.time()
    journal.write("older", at=now - 2 * HOUR, **SSHD)
    journal.write("old", at=now - 60, **SSHD)
    journal.write("new", at=now - 20, **SSHD)
    async with follow(journal, resume=place) as reader:
        assert (await take(reader, 2))[0] == lines


async def test_what_an_earlier_life_had_elsewhere(journal):
    """It does not come again from the journal."""
    now = time.time()
    journal.write("had", at=now - 60, **SSHD)
    journal.write("news", at=now - 20, **SSHD)
    async with follow(journal, since=now - 40) as reader:
        assert (await take(reader, 1))[0] == ["sshd[812]: news"]


async def test_rotation(journal):
    """The file gets another name, and a new one takes its place: each entry comes once, also those that nobody saw in time."""
    journal.write("1", **SSHD)
    async with follow(journal) as reader:
        assert (await take(reader, 1))[0] == ["sshd[812]: 1"]
        journal.write("2", **SSHD)
        journal.path.rename(journal.path.with_name("system@1.journal"))
        journal.write("3", **SSHD)
        assert (await take(reader, 2))[0] == ["sshd[812]: 2", "sshd[812]: 3"]
        journal.path.with_name("system@1.journal").unlink()
        journal.write("4", **SSHD)
        assert (await take(reader, 1))[0] == ["sshd[812]: 4"]
        assert await is_at_end(reader)


async def test_old_entries_that_turn_up_late(journal):
    """They are not taken for new ones, whose dates would be wrong then."""
    now = time.time()
    journal.write("1", at=now - 300, **SSHD)
    async with follow(journal) as reader:
        assert (await take(reader, 1))[0] == ["sshd[812]: 1"]
        assert await is_at_end(reader)
        journal.write("2", at=now - 200, **SSHD)
        lines, chunk = await take(reader, 1)
        assert (lines, chunk.live) == (["sshd[812]: 2"], False)
        journal.write("3", **SSHD)
        lines, chunk = await take(reader, 1)
        assert (lines, chunk.live) == (["sshd[812]: 3"], True)


async def test_damaged_files(journal):
    """What is broken is passed over, the rest is read."""
    journal.write("1", **SSHD)
    journal.path.with_name("system@2.journal").write_bytes(b"LPKSHHRH" + bytes(5000))
    journal.path.with_name("system@3.journal").write_bytes(journal.path.read_bytes()[:70_000])
    journal.path.with_name("system@4.journal").touch()
    async with follow(journal) as reader:
        assert (await take(reader, 1))[0] == ["sshd[812]: 1"]
        journal.write("2", **SSHD)
        assert (await take(reader, 1))[0] == ["sshd[812]: 2"]
        assert reader.problems() == []


async def test_a_library_that_fails(journal, monkeypatch):
    """It is told while it lasts, and all is opened again after a while, at the same place."""
    journal.write("1", **SSHD)
    monkeypatch.setattr("banwatch.sources.journal.RETRY_SECONDS", 0.01)
    async with follow(journal) as reader:
        assert (await take(reader, 1))[0] == ["sshd[812]: 1"]
        with monkeypatch.context() as patch:
            patch.setattr("banwatch.sources.journal_library.Handle.next", fail)
            journal.write("2", **SSHD)
            assert await is_at_end(reader)
            state = reader.sources()[SSHD_PATTERN]
            assert (state.opened, state.error) == (False, "the journal cannot be read: Input/output error")
            assert state.counters.errors >= 1
            assert reader.holds(SSHD_PATTERN) is None
        assert (await take(reader, 1))[0] == ["sshd[812]: 2"]
        assert reader.sources()[SSHD_PATTERN].error is None


def fail(*_):
    raise OSError(errno.EIO, "no")


async def test_files_that_come_later(journal):
    """Neither the directory nor a file is there at first; it is no fault, and it is waited for."""
    async with follow(journal) as reader:
        assert reader.caught_up.is_set()
        assert reader.holds(SSHD_PATTERN) is False
        assert reader.problems() == []
        state = reader.sources()[SSHD_PATTERN]
        assert (state.opened, state.missing, state.error) == (False, True, "no entry of it yet")
        coming = asyncio.create_task(take(reader, 1))
        await asyncio.to_thread(journal.path.parent.mkdir)
        await asyncio.to_thread(journal.write, "1", **SSHD)
        lines, chunk = await coming
        assert (lines, chunk.live) == (["sshd[812]: 1"], True)
        assert reader.holds(SSHD_PATTERN) is True
        assert reader.sources()[SSHD_PATTERN].opened


async def test_no_message_forges_a_line(journal):
    """What is in it, it is one line; an entry without a message is none, and a long one ends at the bound."""
    journal.write(b"a\nNov 20 10:00:00 mx sshd[1]: b\0\xff\n", None, "x" * 70000, **SSHD)
    async with follow(journal) as reader:
        chunk = await anext(reader)
        first, second = chunk.data.split(b"\n")[:-1]
        assert first.endswith(b"sshd[812]: a#012Nov 20 10:00:00 mx sshd[1]: b#000\xff")
        assert len(second) == 65536
        assert reader.sources()[SSHD_PATTERN].counters.too_long == 1
        assert await is_at_end(reader)


async def test_a_flood(journal):
    """A hundred thousand entries while it reads, some of others between them, and a rotation: all come, in their order."""
    journal.write("begin", **SSHD)
    at = time.time()
    flood = [export(str(n), at + n * 1e-5, **(SSHD if n % 10 else DOVECOT)) for n in range(100_000)]

    def write():
        journal.feed(b"".join(flood[:60_000]))
        journal.path.rename(journal.path.with_name("system@1.journal"))
        journal.feed(b"".join(flood[60_000:]))

    seen = []
    async with follow(journal) as reader:
        await take(reader, 1)
        writing = asyncio.create_task(asyncio.to_thread(write))
        while len(seen) < 90_000:
            chunk = await asyncio.wait_for(anext(reader), PATIENCE)
            seen += [int(line.rpartition(b" ")[2]) for line in chunk.data.splitlines()]
        await writing
        assert await is_at_end(reader)
    assert seen == [n for n in range(100_000) if n % 10]


async def test_other_patterns_while_it_runs(journal):
    """What is new is looked back for as far as a findtime; the rest goes on where it was, and what is not wanted is not read."""
    journal.write("1", **SSHD)
    journal.write("2", **DOVECOT)
    journal.write("3", **SSHD)
    async with follow(journal) as reader:
        assert (await take(reader, 2))[0] == ["sshd[812]: 1", "sshd[812]: 3"]
        await reader.set_patterns([SSHD_PATTERN, DOVECOT_PATTERN], HOUR)
        lines, chunk = await take(reader, 1)
        assert (lines, chunk.live, chunk.patterns) == (["dovecot[99]: 2"], False, {DOVECOT_PATTERN})
        journal.write("4", **DOVECOT)
        assert (await take(reader, 1))[0] == ["dovecot[99]: 4"]
        await reader.set_patterns([SSHD_PATTERN, DOVECOT_PATTERN, "journal:_PID=812"], HOUR)
        await reader.set_patterns([DOVECOT_PATTERN, "journal:_PID=812"], HOUR)
        lines, chunk = await take(reader, 2)
        assert (lines, chunk.patterns) == (["sshd[812]: 1", "sshd[812]: 3"], {"journal:_PID=812"})
        await reader.set_patterns([DOVECOT_PATTERN, "journal:_PID=99"], HOUR, had=frozenset({"journal:_PID=99"}))
        assert await is_at_end(reader)
        await reader.set_patterns([DOVECOT_PATTERN], HOUR)
        journal.write("5", **SSHD)
        journal.write("6", **DOVECOT)
        assert (await take(reader, 1))[0] == ["dovecot[99]: 6"]
        await reader.set_patterns([], HOUR)
        assert reader.sources() == {}
        assert await is_at_end(reader)


async def test_without_the_library(journal):
    """It says what is missing, and nothing comes."""

    def missing():
        raise SourceError("no library", "install it")

    journal.write("1", **SSHD)
    async with follow(journal, library=missing) as reader:
        assert reader.problems() == ["no library (install it)"]
        assert reader.holds(SSHD_PATTERN) is None
        state = reader.sources()[SSHD_PATTERN]
        assert (state.opened, state.missing, state.error) == (False, False, "no library")
        assert await is_at_end(reader)
        await reader.set_patterns([], HOUR)
        assert reader.problems() == ["no library (install it)"]
