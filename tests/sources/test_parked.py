"""More logs than descriptors: some are opened only to be read, and nothing else is different."""

import errno
import os
import resource

import pytest

from banwatch.sources import opened as opened_module
from banwatch.sources.handles import PARKED, RESERVE, find_room
from banwatch.sources.opened import FLAGS


@pytest.fixture
def logs(tmp_path):
    paths = [tmp_path / f"{number}.log" for number in range(5)]
    for path in paths:
        path.touch()
    return paths


def test_a_reserve_is_left():
    """To the other rooms; of a limit that is very low they get half."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (RESERVE * 3, hard))
        assert find_room() == RESERVE * 2
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
        assert find_room() == 50
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_all_are_heard(tmp_path, logs, follow, append, descriptors):
    """With room for two, five give their lines, by events and not by the clock; the state says which are parked, and why."""
    before = descriptors()
    async with follow(tmp_path / "*.log", room=2, patience=None) as reader:
        for turn in range(3):
            for path in logs:
                append(path, b"%d\n" % turn)
            assert sorted(await reader.named(5)) == [(path.name, b"%d\n" % turn) for path in logs]
            assert descriptors() == before + 1 + 2  # inotify
        states = reader.tail.sources()
        assert [states[str(path)].parked for path in logs] == [False, False, True, True, True]
        assert [states[str(path)].note for path in logs] == [None, None, PARKED, PARKED, PARKED]
        assert all(states[str(path)].opened and states[str(path)].behind == 0 for path in logs)
        assert reader.tail.problems() == [f"3 log files: {PARKED}"]
    assert descriptors() == before


async def test_what_stood_there_is_read_in_turn(tmp_path, logs, follow, append, descriptors):
    """Also in many pieces; no piece leaves a descriptor behind, and lines under way are finished."""
    for path in logs:
        append(path, b"".join(b"%d\n" % number for number in range(100)) + b"hal")
    async with follow(tmp_path / "*.log", room=1, chunk_bytes=16) as reader:
        before = descriptors()
        assert reader.tail.sources()[str(logs[4])].behind == 293
        lines = await reader.named(500)
        assert descriptors() == before
        for path in logs:
            assert [line for name, line in lines if name == path.name] == [b"%d\n" % number for number in range(100)]
            append(path, b"f\n")
        assert sorted(await reader.named(5)) == [(path.name, b"half\n") for path in logs]


async def test_rotation(tmp_path, logs, follow, append):
    """The rest of a parked file is found under its new name, before its successor; so is what a late writer adds."""
    async with follow(*logs, room=0) as reader:
        append(logs[0], b"one\n")
        assert await reader.named(1) == [("0.log", b"one\n")]
        late = logs[0].open("ab", buffering=0)
        late.write(b"two\n")
        logs[0].rename(tmp_path / "0.log.1")
        append(logs[0], b"three\n")
        assert await reader.lines(2) == [b"two\n", b"three\n"]
        late.write(b"late\n")
        late.close()
        assert await reader.lines(1) == [b"late\n"]


async def test_truncation(logs, follow, append):
    """Seen as ever."""
    async with follow(*logs, room=0) as reader:
        append(logs[0], b"one\ntwo\n")
        assert await reader.lines(2) == [b"one\n", b"two\n"]
        logs[0].write_bytes(b"three\n")
        assert await reader.lines(1) == [b"three\n"]
        assert reader.tail.sources()[str(logs[0])].counters.truncations == 1


async def test_a_parked_file_gets_the_room_of_another(tmp_path, logs, follow, append):
    """As soon as it is read next."""
    async with follow(*logs[:2], room=1) as reader:
        await reader.tail.set_patterns([str(logs[1])])
        append(logs[1], b"one\n")
        assert await reader.lines(1) == [b"one\n"]
        assert not reader.tail.sources()[str(logs[1])].parked
        assert reader.tail.problems() == []


async def test_a_parked_file_is_deleted(logs, follow, hand, append, idle):
    """Its rest is lost, which is counted as an error; nobody waits for it."""
    async with follow(logs[0], room=0, waker=hand) as reader:
        writer = logs[0].open("ab")  # while it is open nobody gets its inode
        logs[0].unlink()
        append(logs[0].with_name("new"), b"two\n")
        logs[0].with_name("new").rename(logs[0])
        hand.changed(logs[0])
        assert await reader.lines(1) == [b"two\n"]
        with pytest.raises(idle):
            await reader.chunk()
        assert reader.tail.sources()[str(logs[0])].counters.errors >= 1
        writer.close()


async def test_something_else_at_its_place_is_not_opened(tmp_path, logs, follow, hand, idle):
    """A pipe would block, a link may lead anywhere: neither is it."""
    async with follow(logs[0], logs[1], room=0, waker=hand) as reader:
        files = {followed.source: followed for followed in reader.tail._handles.files.values()}
        for path, make in ((logs[0], os.mkfifo), (logs[1], lambda path: path.symlink_to("/dev/zero"))):
            path.unlink()
            make(path)
            reader.tail._turns.add(files[str(path)])
        with pytest.raises(idle):
            await reader.chunk()
        assert {state.opened for state in reader.tail.sources().values()} == {False}


async def test_a_stale_handle(logs, follow, hand, append, monkeypatch):
    """
    ESTALE stays with the descriptor for ever: the file is closed, opened by its name again, and goes on where it was,
    or its successor is read. The other logs do not notice.
    """
    stale = set()
    real = {name: getattr(os, name) for name in ("preadv", "pread", "fstat")}

    def guard(name):
        def call(descriptor, *args):
            if descriptor in stale:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
            return real[name](descriptor, *args)

        return call

    def open_fresh(path, flags):
        descriptor = os_open(path, flags)
        stale.discard(descriptor)
        return descriptor

    os_open = os.open
    async with follow(logs[0], logs[1], waker=hand) as reader:
        append(logs[0], b"one\n")
        hand.wrote(logs[0])
        assert await reader.lines(1) == [b"one\n"]
        for name in real:
            monkeypatch.setattr(os, name, guard(name))
        monkeypatch.setattr(opened_module.os, "open", open_fresh)
        [followed] = [one for one in reader.tail._handles.files.values() if one.source == str(logs[0])]
        stale.add(followed.file.descriptor)
        append(logs[0], b"two\n")
        assert reader.tail.sources()[str(logs[0])].behind == 0  # it cannot be asked
        hand.wrote(logs[0])
        hand.script.append(lambda: (append(logs[1], b"other\n"), hand.wrote(logs[1])))
        assert await reader.lines(1) == [b"other\n"]
        state = reader.tail.sources()[str(logs[0])]
        assert (state.error, state.counters.errors) == ("stale file handle (errno 116)", 1)
        assert await reader.lines(1) == [b"two\n"]
        assert reader.tail.sources()[str(logs[0])].error is None
        stale.add(followed.file.descriptor)
        logs[0].unlink()
        append(logs[0], b"three\n")
        hand.touch(followed.watch)
        assert await reader.lines(1) == [b"three\n"]


def test_the_flags_of_opening():
    """Nothing can make the daemon wait, follow a link, or get a terminal."""
    assert FLAGS == os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | os.O_NOFOLLOW
