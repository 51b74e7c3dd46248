"""
Whether the services could read the files that are written for them: `banwatch check` warns where one could not.

A deny file that its service may not open is worse than none: Dovecot refuses everybody then.
"""

import os
import pwd
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from banwatch.config.model import FilesSpec, Problem
from banwatch.config.paths import DAEMON_FILE
from banwatch.logins.files import DOVECOT, EXIM

READERS: Final = (("dovecot", DOVECOT, "dovecot"), ("exim", EXIM, "Debian-exim"))
"""Key, file, and the user as whom the service reads it; PAM's is read as root."""


class User(NamedTuple):
    """Somebody who wants to read."""

    name: str
    uid: int
    groups: Collection[int]


def find_user(name: str) -> User | None:
    """The user of this host with that name, None if there is none."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return User(name, entry.pw_uid, os.getgrouplist(name, entry.pw_gid))


def warn_unreadable(spec: FilesSpec, find: Callable[[str], User | None] = find_user) -> Iterator[Problem]:
    """A warning for each file that the user of its service may not read; one that is not there yet is nobody's fault."""
    for key, name, reader in READERS:
        user = find(reader) if getattr(spec, key) else None
        path = Path(spec.directory) / name
        if user is not None and (closed := _closed(path, user)) is not None:
            note = f"{user.name} may not read {path}: {closed} is closed to it"
            where = f"doors.files.{key}"
            yield Problem(DAEMON_FILE, 0, where, "a file that the service may read", str(path), warning=True, note=note)


def _closed(path: Path, user: User) -> Path | None:
    """The first directory on the way to `path`, or the file itself, that keeps `user` out; None if nothing does."""
    for place in (*reversed(path.parents), path):
        try:
            status = place.stat()
        except FileNotFoundError:
            return None
        except OSError:
            return place
        wanted = stat.S_IROTH if place == path else stat.S_IXOTH
        shift = 6 if status.st_uid == user.uid else 3 if status.st_gid in user.groups else 0
        if user.uid != 0 and not status.st_mode & (wanted << shift):
            return place
    return None
