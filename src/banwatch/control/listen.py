"""The socket file: one daemon at a time, and only those may open it who may use it."""

import fcntl
import grp
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from banwatch.errors import ControlError

BACKLOG = 64


class Listener:
    """
    A bound, not yet listening unix socket at `path`, and the lock that keeps other daemons from it.

    `gid` is the group that may change things, None where there is no such group. `notes` is what the operator should know.
    """

    def __init__(self, path: str, group: str, ask: bool) -> None:
        self.path = path
        self.notes: list[str] = []
        self.gid = self._gid(group)
        _make_directory(Path(path).parent)
        self._lock = _lock(f"{path}.lock", path)
        try:
            _remove_stale(path)
            self.socket = self._bind(group, ask)
        except BaseException:
            self._unlock()
            raise

    def close(self) -> None:
        """Remove the socket file, then let others have the lock."""
        self.socket.close()
        with suppress(OSError):
            Path(self.path).unlink()
        self._unlock()

    def _gid(self, group: str) -> int | None:
        try:
            return grp.getgrnam(group).gr_gid
        except KeyError:
            self.notes.append(f"there is no group {group!r}: only root and the daemon's own user may use the control socket")
            return None

    def _bind(self, group: str, ask: bool) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            sock.bind(self.path)
            # Until listen(2) nobody can connect, so the mode that bind(2) gave has no time to do harm.
            # One that has its group already stays untouched: chown(2) may be out of reach of a confined daemon.
            if self.gid is not None and Path(self.path).stat().st_gid != self.gid:
                try:
                    os.chown(self.path, -1, self.gid)
                except PermissionError:
                    self.notes.append(f"cannot give {self.path} to the group {group!r}: only its own user and root may use it")
                    self.gid = None
            mode = 0o600 if self.gid is None else 0o660
            Path(self.path).chmod(0o666 if ask else mode)
        except BaseException:
            sock.close()
            raise
        return sock

    def _unlock(self) -> None:
        # Gone before it is free: whoever waits for the file that was locked here finds it replaced, see _lock.
        with suppress(OSError):
            Path(f"{self.path}.lock").unlink()
        os.close(self._lock)


def open_listener(path: str, group: str, ask: bool) -> Listener:
    """
    A socket at `path`, whose directory is made (0755) if it is missing: mode 0660 for the group `group`, 0600 where there
    is none, 0666 with `ask` (strangers have to be able to connect; what they may do is decided by who they are).

    Raises:
        ControlError: another daemon is alive there, something else is in the way, or the place cannot be written.
    """
    try:
        return Listener(path, group, ask)
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "run as root, or choose another place with --socket or BANWATCH_SOCKET"
        raise ControlError(f"cannot open the control socket {path}: {reason}", hint) from error


def _make_directory(directory: Path) -> None:
    if not directory.is_dir():
        directory.mkdir(parents=True)
        directory.chmod(0o755)  # whatever the umask says: the group has to get through


def _lock(path: str, name: str) -> int:
    """
    The descriptor of the locked file at `path`; the lock ends with the process, however it dies.

    Raises:
        ControlError: somebody else holds it.
    """
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have removed it between the two calls: then this lock keeps nobody out.
            if os.path.samestat(os.fstat(lock), Path(path).stat()):
                return lock
        except BlockingIOError:
            os.close(lock)
            raise _occupied(name) from None
        except FileNotFoundError:
            pass
        os.close(lock)


def _remove_stale(path: str) -> None:
    """
    Remove the socket that a daemon left behind when it died.

    Raises:
        ControlError: it answers, or it is no socket.
    """
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise ControlError(f"{path} is in the way: it is no socket", "remove it, or choose another place with --socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
        except BlockingIOError:  # alive and busy: its backlog is full
            raise _occupied(path) from None
        else:
            raise _occupied(path)


def _occupied(path: str) -> ControlError:
    return ControlError(f"another banwatch answers on {path}", "stop it first, or give this one another --socket")
