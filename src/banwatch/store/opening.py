"""
Opens databases: a file that nobody else may read, its settings, its version, and errors in our words.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from banwatch.errors import StoreError
from banwatch.store.schema import APPLICATION

WAL_BYTES = 1 << 22
"""A write-ahead log that has grown longer is cut back to this."""

_SETTINGS = ("journal_mode = WAL", "synchronous = NORMAL", f"journal_size_limit = {WAL_BYTES}", "temp_store = MEMORY")
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def make_file(path: Path) -> tuple[int, int]:
    """A file that nobody else may read; its identity."""
    path.parent.mkdir(mode=0o750, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        with suppress(PermissionError):
            os.fchmod(descriptor, 0o600)
        status = os.fstat(descriptor)
        return status.st_dev, status.st_ino
    finally:
        os.close(descriptor)


def prepare(path: Path, connection: sqlite3.Connection, migrations: Sequence[Sequence[str]]) -> None:
    if pragma(connection, "page_count") == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    check_version(path, connection, migrations)
    for setting in _SETTINGS:
        connection.execute(f"PRAGMA {setting}").fetchall()
    if pragma(connection, "user_version") == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = pragma(connection, "user_version")  # another connection may have been quicker
        for number, statements in enumerate(migrations[version:], version + 1):
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def check_version(path: Path, connection: sqlite3.Connection, migrations: Sequence[Sequence[str]]) -> None:
    version, application = pragma(connection, "user_version"), pragma(connection, "application_id")
    is_new = version == 0 and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION and not is_new:
        raise StoreError(f"{path} is the database of another program", "name another file in `store`")
    if version > len(migrations):
        raise StoreError(
            f"{path} was written by a newer banwatch (version {version}, this one knows {len(migrations)})",
            "install the newer one again, or move the file away",
        )


def pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


@contextmanager
def told(path: Path, done: str) -> Iterator[None]:
    """
    Raises:
        StoreError: what else is raised within.
    """
    try:
        yield
    except sqlite3.Error as error:
        damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE
        raise StoreError(f"{path} cannot be {done}: {error}", damaged=damaged) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be {done}: {error.strerror}") from error


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """
    Raises:
        StoreError: what was read makes no sense; a file that SQLite takes for whole may hold anything.
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        raise StoreError(f"{path} holds what banwatch never wrote", damaged=True) from error
