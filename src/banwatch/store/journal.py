"""
The windows in the database, as a journal: each transaction adds what changed, and the last word on a key counts.

To overwrite a row for each key would touch a page of the file for nearly every key under a spray; this costs one long row for a
thousand of them. From time to time it has to be written anew, with what the windows hold then.
"""

import sqlite3
from collections.abc import Mapping

from banwatch.store.rows import records_of, records_texts
from banwatch.store.values import Batch, Delta, Record

ROOM = 1 << 22
"""Characters that may come to it before it has to be written anew; or three times what it had then, if that is more."""


class Journal:
    """
    The tables `windows` and `tallies` of an open database.

    Attributes:
        is_long: it should be written anew.
    """

    def __init__(self, connection: sqlite3.Connection, room: int = ROOM) -> None:
        self._run = connection.execute
        self._room = room
        self._settled = 0
        found = self._run("SELECT id, jail, rule, counts FROM tallies")
        self._tallies: dict[tuple[str, str], tuple[int, str]] = {
            (jail, rule): (ident, counts) for ident, jail, rule, counts in found
        }
        self._length: int = self._run("SELECT coalesce(sum(length(records)), 0) FROM windows").fetchone()[0]

    @property
    def is_long(self) -> bool:
        return self._length > self._settled * 3 + self._room

    def load(self) -> Mapping[tuple[str, str], tuple[str, Mapping[str, Record]]]:
        """
        By (jail, rule): what the rule counted, and the record of each key, oldest touch first.

        Raises:
            ValueError: a row makes no sense.
        """
        windows: dict[int, dict[str, Record]] = {}
        for tally, text in self._run("SELECT tally, records FROM windows ORDER BY id"):
            window = windows.setdefault(tally, {})
            for key, record in records_of(text):
                window.pop(key, None)
                if record:
                    window[key] = record
        found = {names: (counts, windows.get(ident, {})) for names, (ident, counts) in self._tallies.items()}
        return {names: value for names, value in found.items() if value[1]}

    def write(self, batch: Batch) -> None:
        """Its windows, within the transaction that is under way."""
        anew = batch.whole or batch.all_windows
        if anew:
            self._run("DELETE FROM windows")
            self._run("DELETE FROM tallies")
            self._tallies = {}
            self._length = 0
        for delta in batch.windows:
            tally = self._tally(delta)
            for text in records_texts(delta.records):
                self._length += len(text)
                self._run("INSERT INTO windows (tally, records) VALUES (?, ?)", (tally, text))
        if anew:
            self._settled = self._length

    def _tally(self, delta: Delta) -> int:
        """The number of a rule; what its window held is nothing any more when it counts something else now."""
        names = (delta.jail, delta.rule)
        known = self._tallies.get(names)
        if known is not None and known[1] == delta.counts:
            return known[0]
        if known is not None:
            self._run("DELETE FROM windows WHERE tally = ?", (known[0],))
            self._run("DELETE FROM tallies WHERE id = ?", (known[0],))
        values = (*names, delta.counts)
        ident = self._run("INSERT INTO tallies (jail, rule, counts) VALUES (?, ?, ?)", values).lastrowid
        assert isinstance(ident, int)
        self._tallies[names] = ident, delta.counts
        return ident
