"""
A regular file that is held open, or was let go of for a while and is found again when it is wanted.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from banwatch.errors import SourceError

FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | os.O_NOFOLLOW


class Identity(NamedTuple):
    """What makes two paths lead to the same file."""

    device: int
    inode: int


def identity(status: os.stat_result) -> Identity:
    return Identity(status.st_dev, status.st_ino)


def check_regular(status: os.stat_result) -> None:
    """
    Raises:
        SourceError: reading it could block, or makes no sense.
    """
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"not a file but a {_KINDS.get(stat.S_IFMT(status.st_mode), 'thing of another kind')}")


_KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def open_regular(path: str) -> tuple[int, os.stat_result]:
    """
    A descriptor and what it is of; a pipe is not waited for.

    Args:
        path: never a link that has still to be followed.
    Raises:
        OSError: as open(2).
        SourceError: it is not a regular file.
    """
    descriptor = os.open(path, FLAGS)
    try:
        status = os.fstat(descriptor)
        check_regular(status)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status


class OpenFile:
    """
    A file by its identity.

    Attributes:
        descriptor: negative while it is parked, or closed.
        path: by which it was opened; it may have another name by now.
        is_open: whoever follows it has not closed it.
    """

    def __init__(self, path: str, descriptor: int, identity: Identity) -> None:
        self.path = path
        self.descriptor = descriptor
        self.identity = identity
        self.is_open = True

    @property
    def is_parked(self) -> bool:
        """It holds no descriptor until somebody needs it at hand."""
        return self.is_open and self.descriptor < 0

    @property
    def size(self) -> int:
        with self.at_hand():
            return os.fstat(self.descriptor).st_size

    @property
    def deleted(self) -> bool:
        """No name of it is left anywhere."""
        with self.at_hand():
            return os.fstat(self.descriptor).st_nlink == 0

    def peek(self, offset: int, size: int) -> bytes:
        """Bytes from any place, as they are now."""
        with self.at_hand():
            return os.pread(self.descriptor, size, offset)

    def park(self) -> None:
        """Let go of the descriptor."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def unpark(self) -> None:
        """
        Hold it open again.

        Raises:
            OSError: no name of it is where it was or beside that, or as open(2).
        """
        if self.is_parked:
            self.descriptor = self._find()

    @contextmanager
    def at_hand(self) -> Iterator[None]:
        """While it lasts there is a descriptor; OSError as of unpark()."""
        if not self.is_parked:
            yield
            return
        self.unpark()
        try:
            yield
        finally:
            self.park()

    def close(self) -> None:
        self.park()
        self.is_open = False

    def _find(self) -> int:
        """Open the very file: by its path, or by another name in the same directory if it was renamed."""
        try:
            return self._open(self.path)
        except (OSError, SourceError):
            directory = os.path.dirname(self.path)  # noqa: PTH120  the path is of the kernel's form already
            with os.scandir(directory) as entries:
                names = [entry.path for entry in entries if entry.inode() == self.identity.inode]
            for name in names:
                if name != self.path:
                    found = self._open(name)
                    self.path = name
                    return found
            raise

    def _open(self, path: str) -> int:
        try:
            descriptor, status = open_regular(path)
        except SourceError as error:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT)) from error
        if identity(status) != self.identity:
            os.close(descriptor)
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        return descriptor
