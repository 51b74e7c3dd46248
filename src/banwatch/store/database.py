"""
The database, open: every call blocks, and belongs into one thread.

WAL with synchronous=NORMAL loses no committed transaction when the daemon is killed; one that has to outlast a power failure
too is written with `durable`. A connection that met any error is of no use any more: close it and open another.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, Self

from banwatch.errors import StoreError
from banwatch.store.journal import Journal
from banwatch.store.opening import check_version, make_file, pragma, prepare, told, understood
from banwatch.store.rows import BAN_COLUMNS, ban_row, bans_of, event_of, event_row, evidence_text, text_of
from banwatch.store.schema import MIGRATIONS
from banwatch.store.values import Batch, Event, Line, Saved

BUSY_SECONDS = 2.0
"""How long another connection is waited for that has the database locked: a backup, an administrator's sqlite3."""

PRUNED = 2000
"""Rows of the history that one transaction deletes at most."""

SORTED = 5000
"""Bans that are made rows of at once; a hundred thousand would take 30 MB."""

PAGES = 64
"""Free pages that one transaction gives back to the file system at most."""

DAY = 86400.0

_EVENT_COLUMNS = f"happened, action, reason, {BAN_COLUMNS}, evidence"

# ruff: noqa: S608 (what is put into SQL texts are our own names of columns; values are bound)


class Bounds(NamedTuple):
    """How much of the history is kept: seconds, and rows."""

    seconds: float = 30 * DAY
    rows: int = 100_000


BOUNDS = Bounds()


class Missing(NamedTuple):
    """An event whose evidence is not there yet: the file that it is in, its row, and by what its evidence is found."""

    file: tuple[int, int]
    row: int
    clue: Any


Reader = Callable[[Sequence[Any]], Sequence[Sequence[Line]]]
"""Gives the lines that belong to each of some clues."""


class Database:
    """Use `open`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, bounds: Bounds, identity: tuple[int, int]) -> None:
        self._path = path
        self._connection = connection
        self._run = connection.execute
        self._bounds = bounds
        self._identity = identity
        self._journal = Journal(connection)

    @classmethod
    def open(
        cls,
        path: Path,
        bounds: Bounds = BOUNDS,
        migrations: Sequence[Sequence[str]] = MIGRATIONS,
        busy: float = BUSY_SECONDS,
    ) -> Self:
        """
        The database at `path`, made if it is not there, brought to the newest version.

        Raises:
            StoreError: it cannot be; `damaged` if that is because of what is in it.
        """
        with told(path, "opened"):
            identity = make_file(path)
            connection = sqlite3.connect(path, timeout=busy, isolation_level=None)
            try:
                prepare(path, connection, migrations)
                return cls(path, connection, bounds, identity)
            except BaseException:
                connection.close()
                raise

    @classmethod
    def open_to_read(cls, path: Path, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> Self:
        """
        The database at `path` on a file system that cannot be written.

        Raises:
            StoreError: it cannot be read either.
        """
        with told(path, "opened"):
            # Without its journal the file has everything; with one, SQLite needs to know that there is one.
            still = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro{still}", uri=True, timeout=0.0, isolation_level=None
            )
            try:
                check_version(path, connection, migrations)
                if pragma(connection, "user_version") != len(migrations):
                    raise StoreError(f"{path} is of an older version, and cannot be changed to this one")
                return cls(path, connection, BOUNDS, (0, 0))
            except BaseException:
                connection.close()
                raise

    @property
    def wants_all_windows(self) -> bool:
        """The journal of the windows is far longer than what it says: the next batch should have `all_windows`."""
        return self._journal.is_long

    def close(self) -> None:
        """Closed; a last checkpoint leaves one file behind, if nobody else has it open."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def load(self) -> Saved:
        """
        All that was written but the history.

        Raises:
            StoreError: it cannot be read.
        """
        with told(self._path, "read"), understood(self._path):
            written = self._run("SELECT at FROM meta").fetchone()
            bans = list(bans_of(self._run(f"SELECT {BAN_COLUMNS} FROM bans ORDER BY at")))
            positions = dict(self._run("SELECT source, position FROM positions"))
            return Saved(bans, self._journal.load(), positions, None if written is None else written[0])

    def write(self, batch: Batch, durable: bool = False) -> list[Missing]:
        """
        All of `batch`, or nothing: the events whose evidence is not there yet.

        Args:
            durable: return when it is on the disk.
        Raises:
            StoreError: nothing was written.
        """
        with told(self._path, "written"):
            self._check_place()
            self._run(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._run("BEGIN IMMEDIATE")
            try:
                self._write_book(batch)
                self._journal.write(batch)
                self._write_positions(batch)
                missing = self._write_events(batch.events)
                self._prune(batch.at)
                self._run("INSERT OR REPLACE INTO meta (id, at) VALUES (1, ?)", (batch.at,))
                self._run("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._run("ROLLBACK")
                raise
            self._run(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
        return missing

    def fill(self, missing: Sequence[Missing], read: Reader) -> None:
        """
        Put the evidence of events in its place, as far as it is still to be had; those of another file are left out.

        Raises:
            StoreError: it cannot be written.
        """
        missing = [one for one in missing if one.file == self._identity]
        found = read([one.clue for one in missing]) if missing else ()
        rows = [(evidence_text(lines), one.row) for one, lines in zip(missing, found, strict=False) if lines]
        with told(self._path, "written"):
            self._connection.executemany("UPDATE history SET evidence = ? WHERE id = ?", rows)

    def history(self, who: Sequence[tuple[str, str]] | None, since: float, most: int) -> list[Event]:
        """
        What happened, oldest first; of more than `most` the newest.

        Args:
            who: (realm, who) of those that are asked for; None is everybody.
        Raises:
            StoreError: it cannot be read.
        """
        if who is not None and not who:
            return []
        where, values = "happened >= ?", [since, *chain.from_iterable(who or ()), most]
        if who is not None:
            where += f" AND (who, realm) IN (SELECT column2, column1 FROM (VALUES {', '.join(['(?, ?)'] * len(who))}))"
        with told(self._path, "read"), understood(self._path):
            query = f"SELECT {_EVENT_COLUMNS} FROM history WHERE {where} ORDER BY id DESC LIMIT ?"
            return [event_of(row) for row in reversed(self._run(query, values).fetchall())]

    def _write_book(self, batch: Batch) -> None:
        if batch.whole:
            self._run("DELETE FROM bans")
        gone = [(jail, target.realm, text_of(target.who)) for jail, target in batch.gone]
        self._connection.executemany("DELETE FROM bans WHERE jail = ? AND realm = ? AND who = ?", gone)
        for start in range(0, len(batch.bans), SORTED):
            # In the order of the table a page is touched once.
            rows = sorted(map(ban_row, batch.bans[start : start + SORTED]), key=itemgetter(0, 1, 2))
            self._insert(f"bans ({BAN_COLUMNS})", 12, rows)

    def _write_events(self, events: Sequence[Event]) -> list[Missing]:
        first = 1 + self._run("SELECT coalesce(max(id), 0) FROM history").fetchone()[0]
        rows = ((number, *event_row(event)) for number, event in enumerate(events, first))
        self._insert(f"history (id, {_EVENT_COLUMNS})", 17, rows)
        return [Missing(self._identity, row, event.clue) for row, event in enumerate(events, first) if event.clue is not None]

    def _write_positions(self, batch: Batch) -> None:
        if batch.whole:
            self._run("DELETE FROM positions")
        rows = ((text_of(source), position) for source, position in batch.positions.items())
        self._insert("positions (source, position)", 2, rows)

    def _insert(self, table: str, columns: int, rows: Iterable[tuple[Any, ...]]) -> None:
        self._connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * columns)})", rows)

    def _prune(self, now: float) -> None:
        """A piece of what is too old or too much in the history; more of it with the next transaction."""
        old = "SELECT id FROM history WHERE happened < ? ORDER BY happened LIMIT ?"
        self._run(f"DELETE FROM history WHERE id IN ({old})", (now - self._bounds.seconds, PRUNED))
        oldest, newest = self._run("SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM history").fetchone()
        if newest - oldest >= self._bounds.rows:
            self._run("DELETE FROM history WHERE id < ?", (min(newest - self._bounds.rows + 1, oldest + PRUNED),))

    def _check_place(self) -> None:
        """
        Raises:
            StoreError: the file that is open is not the one at the path any more.
        """
        try:
            status = self._path.stat()
        except FileNotFoundError:
            raise StoreError(f"{self._path} was removed") from None
        if (status.st_dev, status.st_ino) != self._identity:
            raise StoreError(f"{self._path} was replaced")
