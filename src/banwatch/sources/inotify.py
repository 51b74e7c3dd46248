"""
The kernel's inotify as a waker in the asyncio loop.

The descriptor stands in the loop only while somebody waits: when there is work to do anyway, events are fetched between
two reads, and a flood of them costs nothing but that. What happened is boiled down to what it happened to; equal events
become one.

Source: inotify(7). A directory tells about its entries by name. Writing is watched on the file itself, so that it is seen
through whatever name the writer has.
"""

import asyncio
import contextlib
import errno
from collections.abc import Iterable

from inotify_simple import INotify, flags

from banwatch.sources.base import Event
from banwatch.sources.polling import PollingWaker

FILE = flags.MODIFY | flags.ATTRIB
DIRECTORY = (
    flags.CREATE
    | flags.DELETE
    | flags.MOVED_FROM
    | flags.MOVED_TO
    | flags.ATTRIB
    | flags.DELETE_SELF
    | flags.MOVE_SELF
    | flags.ONLYDIR
)
OVER = int(flags.IGNORED)


class InotifyWaker(PollingWaker):
    """One inotify instance; opens nothing before open(). Where there is none to be had, it is a PollingWaker."""

    def __init__(self) -> None:
        super().__init__(errno.EMFILE)
        self._inotify: INotify | None = None

    def open(self) -> None:
        try:
            self._inotify = INotify(nonblocking=True)
        except OSError as error:  # EMFILE: the user has fs.inotify.max_user_instances already
            self.errno = error.errno or errno.EMFILE

    def close(self) -> None:
        super().close()
        if self._inotify is not None:
            if self._waiter is not None:
                self._waiter.get_loop().remove_reader(self._inotify.fileno())
            self._inotify.close()
            self._inotify = None

    def watch_file(self, descriptor: int) -> int:
        """The magic link leads to the very file that is open, also when it has no name any more."""
        return self._watch(f"/proc/self/fd/{descriptor}", FILE)

    def watch_directory(self, path: str) -> int:
        return self._watch(path, DIRECTORY)

    def _watch(self, path: str, mask: int) -> int:
        if self._inotify is None:
            return super().watch_directory(path)
        watch: int = self._inotify.add_watch(path, mask)
        return watch

    def unwatch(self, watch: int) -> None:
        if self._inotify is not None:
            with contextlib.suppress(OSError):  # EINVAL: the kernel took it away together with the thing
                self._inotify.rm_watch(watch)

    def drain(self) -> Iterable[Event]:
        """Everything that happened since the last time, each thing once."""
        if self._inotify is None:
            return ()
        return {Event(event.wd, event.name, bool(event.mask & OVER)) for event in self._inotify.read(timeout=0)}

    async def wait(self, seconds: float | None) -> None:
        """Until an event is there to be drained, wake() is called, or the time is up."""
        if self._inotify is None:
            await super().wait(seconds)
            return
        loop = asyncio.get_running_loop()
        descriptor = self._inotify.fileno()
        loop.add_reader(descriptor, self.wake)
        try:
            await super().wait(seconds)
        finally:
            if self._inotify is not None:
                loop.remove_reader(descriptor)
