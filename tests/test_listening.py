"""listening.py: log files and the journal together."""

import asyncio

import pytest
from tests.journals import DOVECOT, SSHD

from banwatch.config.model import Config, DaemonSpec, JailSpec, Limit, Rule, Watch
from banwatch.errors import SourceError
from banwatch.listening import Sources
from banwatch.model import Position

RULE = Rule("ip", frozenset({"auth"}), "ip", Limit(3, 600), None)
MATCHES = {"sshd": "SYSLOG_IDENTIFIER=sshd _UID=0", "dovecot": "SYSLOG_IDENTIFIER=dovecot _UID=0"}


def config(*watches):
    jails = {watch.filter: JailSpec(watch.filter, watch=(watch,), rules=(RULE,)) for watch in watches}
    return Config(DaemonSpec(), jails, {})


def both(name, tmp_path, **options):
    return Watch(name, logs=(str(tmp_path / f"{name}.log"),), journal=(MATCHES[name],), **options)


async def test_which_is_read(journal, tmp_path):
    """The journal for those who are in it; the others are listened to in both places, and each says what it is like."""
    journal.write("one", **SSHD)
    (tmp_path / "sshd.log").write_text("one\n")
    (tmp_path / "dovecot.log").write_text("two\n")
    wanted = config(both("sshd", tmp_path), both("dovecot", tmp_path))
    async with Sources(journal=journal.path.parent) as sources:
        await sources.follow(wanted)
        assert len(sources.sources()) == 4
        chosen = sources.choose(wanted)
        await sources.follow(chosen)
        assert {source: state.opened for source, state in sources.sources().items()} == {
            str(tmp_path / "dovecot.log"): True,
            "journal:SYSLOG_IDENTIFIER=dovecot+_UID=0": False,
            "journal:SYSLOG_IDENTIFIER=sshd+_UID=0": True,
        }
        chunks = [await asyncio.wait_for(anext(part), 10) for part in sources.parts]
        assert [(chunk.source, chunk.data.rpartition(b" ")[2]) for chunk in chunks] == [
            (str(tmp_path / "dovecot.log"), b"two\n"),
            ("journal", b"one\n"),
        ]
        assert [chunk.live for chunk in chunks] == [False, False]
        assert sources.problems() == []
        coming = asyncio.ensure_future(anext(sources.parts[1]))
        await asyncio.to_thread(journal.write, "three", **SSHD)
        assert (await asyncio.wait_for(coming, 10)).live


async def test_a_journal_that_is_not_read(journal, tmp_path, monkeypatch):
    """The logs are read instead, it is a problem all the same, and who wants nothing but the journal waits."""

    def closed(directory):
        raise SourceError("the journal is not read: permission denied", "mend it")

    monkeypatch.setattr("banwatch.sources.journal.check_rights", closed)
    journal.write("one", **SSHD)
    wanted = config(both("sshd", tmp_path), Watch("dovecot", journal=(MATCHES["dovecot"],)))
    async with Sources(journal=journal.path.parent) as sources:
        await sources.follow(wanted)
        chosen = sources.choose(wanted)
        assert [(watch.logs, watch.journal) for spec in chosen.jails.values() for watch in spec.watch] == [
            ((str(tmp_path / "sshd.log"),), ()),
            ((), (MATCHES["dovecot"],)),
        ]
        assert sources.problems() == ["the journal is not read: permission denied (mend it)"]
        assert sources.fault.hint == "mend it"
        assert sources.sources()["journal:SYSLOG_IDENTIFIER=dovecot+_UID=0"].error == "the journal is not read: permission denied"
        await sources.follow(config(both("sshd", tmp_path, source="logs")))
        assert len(sources.problems()) == 1


async def test_from_files_to_the_journal(journal, tmp_path):
    """What is read elsewhere from now on is not looked back for: it was read already. What is new is."""
    (tmp_path / "sshd.log").touch()
    journal.write("1", **SSHD)
    journal.write("2", **DOVECOT)
    before = config(both("sshd", tmp_path, source="logs"), Watch("dovecot", journal=(MATCHES["dovecot"],)))
    after = config(both("sshd", tmp_path, source="journal"), Watch("new", journal=("SYSLOG_IDENTIFIER=sshd _PID=812 _UID=0",)))
    async with Sources(journal=journal.path.parent) as sources:
        await sources.follow(before)
        before = sources.choose(before)
        await sources.follow(before)
        assert (await anext(sources.parts[1])).data.endswith(b": 2\n")
        journal.write("3", **SSHD)
        await sources.follow(before, after)
        await sources.follow(sources.choose(after))
        chunks = [await asyncio.wait_for(anext(sources.parts[1]), 10) for _ in range(2)]
        assert [(chunk.data[-2:], len(chunk.patterns)) for chunk in chunks] == [(b"1\n", 1), (b"3\n", 2)]


async def test_nobody_wants_the_journal(journal, tmp_path):
    """Then it is not looked for."""
    journal.write("one", **DOVECOT)
    async with Sources(journal=journal.path.parent) as sources:
        wanted = config(Watch("sshd", logs=(str(tmp_path / "x"),)))
        await sources.follow(wanted)
        assert sources.choose(wanted) is wanted
        assert sources.problems() == []
        assert list(sources.sources()) == [str(tmp_path / "x")]


@pytest.mark.parametrize(
    ("resume", "seen"),
    [
        ({}, b"old"),
        ({"/var/log/auth.log": Position(1, 2, 3, at=1.0)}, b"old"),
        ({"/var/log/auth.log": Position(1, 2, 3, at=2e9)}, None),
    ],
)
async def test_what_an_earlier_life_had_from_files(journal, resume, seen):
    """When the journal is read for the first time, it begins where that life ended."""
    journal.write("old", **SSHD)
    wanted = config(Watch("sshd", journal=(MATCHES["sshd"],)))
    async with Sources(journal=journal.path.parent, resume=resume) as sources:
        await sources.follow(wanted)
        coming = asyncio.ensure_future(anext(sources.parts[1]))
        for _ in range(20):
            await asyncio.sleep(0)
        got = (await coming).data.split()[-1] if coming.done() else coming.cancel() and None
    assert got == seen


async def test_another_life(journal):
    """The row of the journal is the journal's."""
    journal.write("1", "2", **SSHD)
    wanted = config(Watch("sshd", journal=(MATCHES["sshd"],)))
    async with Sources(journal=journal.path.parent) as sources:
        await sources.follow(wanted)
        chunk = await anext(sources.parts[1])
    journal.write("3", **SSHD)
    async with Sources(journal=journal.path.parent, resume={chunk.source: chunk.position}) as sources:
        await sources.follow(wanted)
        assert (await anext(sources.parts[1])).data.endswith(b"sshd[812]: 3\n")


async def test_another_life_of_a_file(tmp_path):
    """Nothing of what is remembered is lost while nobody follows it yet."""
    log = tmp_path / "sshd.log"
    log.write_text("1\n2\n")
    wanted = config(Watch("sshd", logs=(str(log),)))
    async with Sources(journal=tmp_path) as sources:
        await sources.follow(wanted)
        chunk = await anext(sources.parts[0])
    with log.open("a") as file:
        file.write("3\n")
    async with Sources(journal=tmp_path, resume={chunk.source: chunk.position}) as sources:
        await sources.follow(wanted)
        await sources.follow(sources.choose(wanted))
        assert (await anext(sources.parts[0])).data == b"3\n"
