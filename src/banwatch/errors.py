"""
Every error banwatch raises on purpose.

    BanwatchError
    ├── ConfigError      the operator's: files, keys, regexes, arguments
    ├── SourceError      the world's: a log that cannot be read
    ├── FirewallError    the world's: the kernel refused, or lacks something
    ├── StoreError       the world's: the database cannot be opened, read or written
    ├── ControlError     the peer's: a request that cannot be honoured
    └── UnreachableError no daemon answers on the control socket

Whose fault it is decides the type. A plain exception is a fault of ours and keeps its traceback.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from banwatch.config.model import Problem
    from banwatch.model import Target

EXIT_DONE = 0
EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 69
EXIT_CONFIG = 78


class BanwatchError(Exception):
    """
    What went wrong, in one line, and how the operator gets out of it.

    Args:
        message: lower case, no full stop.
        hint: what to do about it; empty when the message says it all.
    """

    code = EXIT_REFUSED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(BanwatchError):
    """The configuration cannot be used; `problems` holds all of them, sorted by file and line."""

    code = EXIT_CONFIG

    def __init__(self, message: str, hint: str = "", problems: "Sequence[Problem]" = ()) -> None:
        super().__init__(message, hint)
        self.problems = tuple(problems)


class SourceError(BanwatchError):
    """A log cannot be read."""


class FirewallError(BanwatchError):
    """
    The kernel, or a program that speaks to it, refused.

    Args:
        errno: the kernel's number when there is one; ipset's own start at 4096.
        failed: of many bans those that were refused, (jail, target) each, and why; the others are done.
    """

    code = EXIT_UNREACHABLE

    def __init__(
        self, message: str, hint: str = "", errno: int | None = None, failed: "Mapping[tuple[str, Target], str] | None" = None
    ) -> None:
        super().__init__(message, hint)
        self.errno = errno
        self.failed = dict(failed or {})


class StoreError(BanwatchError):
    """
    The database cannot be opened, read or written.

    Args:
        damaged: what is in the file is no database, or not a whole one; trying again cannot help.
    """

    def __init__(self, message: str, hint: str = "", damaged: bool = False) -> None:
        super().__init__(message, hint)
        self.damaged = damaged


class ControlError(BanwatchError):
    """
    A request on the control socket that is refused; `code` is the client's exit code.

    Args:
        problems: what is wrong with the configuration, if that is what it is about.
    """

    def __init__(self, message: str, hint: str = "", code: int = EXIT_REFUSED, problems: "Sequence[Problem]" = ()) -> None:
        super().__init__(message, hint)
        self.code = code
        self.problems = tuple(problems)


class UnreachableError(BanwatchError):
    """Nobody answers on the control socket, or not in time, or not in its language."""

    code = EXIT_UNREACHABLE
