"""Whether there is a journal on this host, and whether we may read it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from banwatch.errors import SourceError

ROOTS: Final = (Path("/run/log/journal"), Path("/var/log/journal"))
"""Where journald keeps its files, each host's in a directory named by its machine ID: until the next start, and for good."""

_SYSTEM: Final = "system.journal"
_MACHINE_ID: Final = Path("/etc/machine-id")


def is_there(directory: Path | None) -> bool:
    """Whether there is a place in which journal files are, or may appear."""
    return any(root.is_dir() for root in _roots(directory))


def nearest(directory: Path | None) -> Iterator[str]:
    """For each place where one may appear, the innermost directory on the way that is there."""
    for root in _roots(directory):
        yield str(next(parent for parent in (root, *root.parents) if parent.is_dir()))


def check_rights(directory: Path | None) -> None:
    """
    Raises:
        SourceError: there are files that may not be read, those of the system's services among them.
    """
    readable, closed = set[str](), set[str]()
    for place in [directory] if directory else [root / _machine_id() for root in ROOTS]:
        try:
            files = [path for path in place.iterdir() if path.suffix == ".journal"]
        except FileNotFoundError:
            continue
        except PermissionError:
            closed.add(_SYSTEM)
            continue
        for path in files:
            (readable if _opens(path) else closed).add(path.name)
    if _SYSTEM in closed or (closed and not readable):
        raise SourceError("the journal is not read: permission denied", "add the daemon's user to the group systemd-journal")


def _roots(directory: Path | None) -> Sequence[Path]:
    return (directory,) if directory else ROOTS


def _machine_id() -> str:
    with suppress(OSError):
        return _MACHINE_ID.read_text(encoding="ascii", errors="replace").strip() or "-"
    return "-"


def _opens(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    except PermissionError:
        return False
    except OSError:  # it has just been vacuumed, or is broken: that is no question of rights
        pass
    return True
