"""The kernel's inotify in the loop."""

import asyncio
import errno
import os

import pytest

from banwatch.sources.base import Event
from banwatch.sources.inotify import InotifyWaker


@pytest.fixture
def waker():
    waker = InotifyWaker()
    waker.open()
    yield waker
    waker.close()


async def wait(waker, seconds=None):
    await asyncio.wait_for(waker.wait(seconds), 20)


async def test_writing_is_an_event_of_the_file(tmp_path, waker, append):
    """Through whatever name it was written, and also when it has none; many events are one."""
    path = tmp_path / "a.log"
    path.touch()
    (tmp_path / "b.log").hardlink_to(path)
    descriptor = os.open(path, os.O_RDONLY)
    watch = waker.watch_file(descriptor)
    assert waker.watch_file(descriptor) == watch
    for name in ("a.log", "b.log", "a.log"):
        append(tmp_path / name, b"one\n")
    await wait(waker)
    assert set(waker.drain()) == {Event(watch, "")}
    assert set(waker.drain()) == set()
    with path.open("ab", buffering=0) as writer:
        (tmp_path / "b.log").unlink()
        path.unlink()
        waker.drain()
        writer.write(b"two\n")
        await wait(waker)
        assert set(waker.drain()) == {Event(watch, "")}
    os.close(descriptor)


async def test_the_kernel_takes_a_watch_away(tmp_path, waker, append):
    """When the last name goes that a file has, and it was opened by another; a new watch can be had."""
    path, link = tmp_path / "a.log", tmp_path / "b.log"
    path.touch()
    link.hardlink_to(path)
    with path.open("ab", buffering=0) as writer:
        watch = waker.watch_file(writer.fileno())
        path.unlink()
        waker.drain()
        link.unlink()
        assert Event(watch, "", over=True) in waker.drain()
        again = waker.watch_file(writer.fileno())
        writer.write(b"one\n")
        assert set(waker.drain()) == {Event(again, "")}


async def test_entries_are_events_of_their_directory(tmp_path, waker, append):
    """Made, renamed, deleted, given other rights: the name is told. Written to: not."""
    watch = waker.watch_directory(str(tmp_path))
    append(tmp_path / "made", b"")
    (tmp_path / "made").rename(tmp_path / "renamed")
    assert set(waker.drain()) == {Event(watch, "made"), Event(watch, "renamed")}
    (tmp_path / "renamed").chmod(0o600)
    assert set(waker.drain()) == {Event(watch, "renamed")}
    append(tmp_path / "renamed", b"one\n")
    assert set(waker.drain()) == set()
    (tmp_path / "renamed").unlink()
    assert set(waker.drain()) == {Event(watch, "renamed")}


async def test_a_directory_tells_of_its_own_end(tmp_path, waker):
    """Deleted or moved: an event without a name."""
    (tmp_path / "a").mkdir()
    watch = waker.watch_directory(str(tmp_path / "a"))
    (tmp_path / "a").rmdir()
    assert set(waker.drain()) == {Event(watch, ""), Event(watch, "", over=True)}
    waker.unwatch(watch)


async def test_what_is_no_directory_is_refused(tmp_path, waker):
    """A file in the place of a directory is not watched as one."""
    (tmp_path / "a").touch()
    for path, number in ((tmp_path / "a", errno.ENOTDIR), (tmp_path / "b", errno.ENOENT)):
        with pytest.raises(OSError, match=rf"^\[Errno {number}\]"):
            waker.watch_directory(str(path))


async def test_waiting_ends_when_the_time_is_up_or_somebody_calls(waker):
    """Also without any event."""
    await wait(waker, 0.001)
    await wait(waker, -1.0)
    waiting = asyncio.create_task(waker.wait(None))
    await asyncio.sleep(0)
    waker.wake()
    waker.wake()
    await asyncio.wait_for(waiting, 20)
    waker.wake()


async def test_an_event_before_the_wait_ends_it(tmp_path, waker):
    """What happened between the last look and going to sleep is not slept over."""
    waker.watch_directory(str(tmp_path))
    (tmp_path / "a").touch()
    await wait(waker)


async def test_nothing_stays_in_the_loop(waker):
    """Only somebody who waits costs the loop anything; closing frees him."""
    loop = asyncio.get_running_loop()
    waiting = asyncio.create_task(waker.wait(None))
    await asyncio.sleep(0)
    assert waker._inotify.fileno() in loop._selector.get_map()
    waker.close()
    await asyncio.wait_for(waiting, 20)
    assert len(loop._selector.get_map()) == 1  # the loop's own
    waker.close()
    waker.unwatch(1)


async def test_without_inotify_time_passes(monkeypatch, tmp_path):
    """Everybody who wants something watched is told why it cannot be."""

    def refuse(**_):
        raise OSError(errno.ENFILE, "")

    monkeypatch.setattr("banwatch.sources.inotify.INotify", refuse)
    waker = InotifyWaker()
    waker.open()
    for watch in (lambda: waker.watch_directory(str(tmp_path)), lambda: waker.watch_file(0)):
        with pytest.raises(OSError, match=rf"^\[Errno {errno.ENFILE}\]"):
            watch()
    await wait(waker, 0.001)
    assert list(waker.drain()) == []
    waker.unwatch(1)
    waker.close()
