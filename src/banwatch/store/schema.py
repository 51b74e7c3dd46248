"""
The tables, as the steps that lead to them: each makes one version out of the one before. Pure.

    meta        one row: when the last transaction was taken
    bans        the book
    history     every ban and every unban, with the lines that led to it
    tallies     the rules that have a window, and what they count
    windows     a journal: what changed in a window with each transaction; the last word on a key counts
    positions   how far each source has been read
"""

APPLICATION = 0x62776368
"""Marks a database as one of ours (PRAGMA application_id): "bwch"."""

_FIRST = (
    "CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), at REAL NOT NULL)",
    """
    CREATE TABLE bans (
        jail TEXT NOT NULL, realm TEXT NOT NULL CHECK (realm IN ('net', 'login')), who TEXT NOT NULL,
        by TEXT NOT NULL CHECK (by IN ('ip', 'net', 'login')), at REAL NOT NULL, until REAL, rule TEXT,
        origin TEXT NOT NULL, failures INTEGER NOT NULL, enforce INTEGER NOT NULL, why TEXT NOT NULL,
        forced INTEGER NOT NULL, PRIMARY KEY (jail, realm, who)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE history (
        id INTEGER PRIMARY KEY, happened REAL NOT NULL, action TEXT NOT NULL CHECK (action IN ('ban', 'unban')),
        reason TEXT NOT NULL,
        jail TEXT NOT NULL, realm TEXT NOT NULL, who TEXT NOT NULL, by TEXT NOT NULL, at REAL NOT NULL, until REAL, rule TEXT,
        origin TEXT NOT NULL, failures INTEGER NOT NULL, enforce INTEGER NOT NULL, why TEXT NOT NULL,
        forced INTEGER NOT NULL, evidence TEXT
    )
    """,
    "CREATE INDEX history_who ON history (who, realm)",
    "CREATE INDEX history_happened ON history (happened)",
    """
    CREATE TABLE tallies (
        id INTEGER PRIMARY KEY, jail TEXT NOT NULL, rule TEXT NOT NULL, counts TEXT NOT NULL, UNIQUE (jail, rule)
    )
    """,
    "CREATE TABLE windows (id INTEGER PRIMARY KEY, tally INTEGER NOT NULL, records TEXT NOT NULL)",
    "CREATE TABLE positions (source TEXT PRIMARY KEY, position TEXT NOT NULL) WITHOUT ROWID",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST,)
"""Step n makes version n + 1 out of version n; version 0 is an empty file. Steps that were released never change."""
