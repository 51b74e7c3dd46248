"""
The directories whose entries decide where a path leads, each watched once, for exactly the names that matter.
"""

import errno

from banwatch.sources.base import Event, Waker
from banwatch.sources.paths import fits


class Directories:
    """
    Watches on directories, renewed by every look at the paths.

    Attributes:
        unwatched: directories that have to be looked at from time to time instead, and the errno that says why.
    """

    def __init__(self, waker: Waker) -> None:
        self._waker = waker
        self._wanted: dict[int, set[str]] = {}
        self._before: dict[int, set[str]] = {}
        self._seen: dict[str, set[str] | None] = {}
        self.unwatched: dict[str, int] = {}

    def begin(self) -> None:
        """A new look: what is not wanted until settle() is let go of."""
        self._before, self._wanted = self._wanted, {}
        self._seen = {}
        self.unwatched = {}

    def want(self, directory: str, name: str) -> None:
        """Be woken when the entry (or those which fit the wildcard) of the directory changes."""
        if directory not in self._seen:
            self._seen[directory] = self._watch(directory)
        names = self._seen[directory]
        if names is not None:
            names.add(name)

    def settle(self) -> None:
        for watch in self._before.keys() - self._wanted.keys():
            self._waker.unwatch(watch)
        self._before = {}

    def concerns(self, event: Event) -> bool:
        """Whether a path may lead elsewhere now; an event without a name is about the directory itself."""
        names = self._wanted.get(event.watch)
        return names is not None and (not event.name or any(fits(event.name, wanted) for wanted in names))

    def _watch(self, directory: str) -> set[str] | None:
        try:
            watch = self._waker.watch_directory(directory)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):  # those two: it has just gone, its parent tells when it is back
                self.unwatched[directory] = error.errno or errno.EIO
            return None
        return self._wanted.setdefault(watch, set())  # one directory may have two names (bind mounts), but has one watch
