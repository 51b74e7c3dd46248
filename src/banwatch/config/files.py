"""
The text of configuration files: what is in a directory, and what is in a file, or why it cannot be read.

Only regular files of a sane size are opened, and without waiting: a pipe or a device under a configuration file's name must
not hold the start up.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from banwatch.config.model import Problem
from banwatch.config.paths import DAEMON_FILE

SUFFIX = ".yaml"
LARGEST = 1 << 20


class UnreadableError(Exception):
    """A file or directory that cannot be read; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.expected)
        self.problem = problem


def read_text(path: Path, label: str) -> str:
    """
    The text of a file; a byte order mark is dropped.

    Args:
        label: how problems name the file.
    Raises:
        UnreadableError: it is no regular file, larger than LARGEST, not UTF-8, or the system refuses.
        FileNotFoundError: there is none.
    """
    try:
        data = _read_regular(path, label)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _refused(label, "a readable file", error) from None
    if len(data) > LARGEST:
        raise UnreadableError(Problem(label, 0, "", f"a file of at most {LARGEST} bytes", "more"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        wrong = repr(error.object[error.start : error.start + 1])[2:-1]
        raise UnreadableError(Problem(label, line, "", "UTF-8", wrong)) from None


def list_yaml(directory: Path, label: str) -> tuple[list[tuple[Path, str]], list[Problem]]:
    """
    The files NAME.yaml of a directory with their labels, in byte order of their names, and a warning for each entry that is
    never read because it is named otherwise. Names that begin with a dot are nobody's business; no directory is an empty one.

    Raises:
        UnreadableError: the directory is there, but cannot be listed.
    """
    try:
        names = sorted(os.fsencode(path.name) for path in directory.iterdir())
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise _refused(label, "a readable directory", error) from None
    files, problems = [], []
    for name in names:
        if name.startswith(b"."):
            continue
        shown = f"{label}/{name.decode('utf-8', 'backslashreplace')}"
        if name.endswith(SUFFIX.encode()):
            files.append((directory / os.fsdecode(name), shown))
        else:
            problems.append(never_read(shown))
    return files, problems


def never_read(label: str) -> Problem:
    """The warning about a file that an operator may take for configuration."""
    expected = f"a name that ends in {SUFFIX}"
    return Problem(label, 0, "", expected, Path(label).name, warning=True, note=f"never read; expected {expected}")


def strays(directory: Path) -> Iterator[Problem]:
    """Warnings for what stands directly in the configuration directory, looks like configuration and is never read."""
    with os.scandir(directory) as entries:
        for name in sorted(entry.name for entry in entries):
            if name in {"jails", "filters"}:
                yield Problem(name, 0, "", f"{name}.d", name, warning=True, note=f"never read; did you mean {name}.d?")
            elif name.endswith((SUFFIX, ".yml")) and name != DAEMON_FILE and not name.startswith("."):
                expected = DAEMON_FILE if name == "banwatch.yml" else "jails.d/ or filters.d/"
                yield Problem(name, 0, "", expected, name, warning=True, note=f"never read; did you mean {expected}?")


def _read_regular(path: Path, label: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise UnreadableError(Problem(label, 0, "", "a file", "a directory" if stat.S_ISDIR(mode) else "a pipe or device"))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(LARGEST + 1)
    finally:
        os.close(descriptor)


def _refused(label: str, expected: str, error: OSError) -> UnreadableError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return UnreadableError(Problem(label, 0, "", expected, f"{reason} (errno {error.errno})"))
