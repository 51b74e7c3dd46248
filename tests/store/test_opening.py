"""store/opening.py: versions, foreign files, damage."""

import sqlite3

import pytest
from tests.store.conftest import ban, batch, delta

from banwatch.errors import StoreError
from banwatch.store.database import Database
from banwatch.store.schema import APPLICATION, MIGRATIONS

FIRST = MIGRATIONS[:1]


def test_an_old_one_is_brought_forward(tmp_path):
    """From the first version to a later one in one transaction, with all that is in it."""
    path = tmp_path / "db"
    database = Database.open(path, migrations=FIRST)
    database.write(batch(bans=[ban()], windows=[delta(("a", (1.0, None)))], positions={"/a": "1"}))
    saved = database.load()
    database.close()
    later = [*MIGRATIONS, ["ALTER TABLE bans ADD COLUMN more TEXT DEFAULT 'x'"], ["CREATE TABLE another (id INTEGER)"]]
    database = Database.open(path, migrations=later)
    assert database.load() == saved
    assert database._connection.execute("SELECT more FROM bans").fetchall() == [("x",)]
    assert database._connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 2,)
    database.close()


def test_a_step_that_fails_changes_nothing(tmp_path):
    """The old version goes on to be whole, and can be opened by the old program."""
    path = tmp_path / "db"
    Database.open(path, migrations=FIRST).close()
    broken = [*FIRST, ["ALTER TABLE bans ADD COLUMN more TEXT", "NONSENSE"]]
    with pytest.raises(StoreError, match='cannot be opened: near "NONSENSE"'):
        Database.open(path, migrations=broken)
    database = Database.open(path, migrations=FIRST)
    assert "more" not in [row[1] for row in database._connection.execute("PRAGMA table_info(bans)")]
    database.close()


def test_a_newer_one_is_refused(tmp_path):
    """It is left as it is: the newer program may come back."""
    path = tmp_path / "db"
    Database.open(path, migrations=[*MIGRATIONS, ["CREATE TABLE future (id INTEGER)"]]).close()
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        Database.open(path)
    version = len(MIGRATIONS)
    assert caught.value.message == (f"{path} was written by a newer banwatch (version {version + 1}, this one knows {version})")
    assert caught.value.hint == "install the newer one again, or move the file away"
    assert not caught.value.damaged
    assert path.read_bytes() == before


def test_a_foreign_one_is_refused(tmp_path):
    """Somebody named the wrong file."""
    path = tmp_path / "db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (id INTEGER)")
    connection.close()
    with pytest.raises(StoreError, match="is the database of another program") as caught:
        Database.open(path)
    assert not caught.value.damaged


@pytest.mark.parametrize("garbage", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_garbage_is_damage(tmp_path, garbage):
    """No trying again can help."""
    path = tmp_path / "db"
    path.write_bytes(garbage)
    with pytest.raises(StoreError, match=f"^{path} cannot be opened: ") as caught:
        Database.open(path)
    assert caught.value.damaged


def test_a_link_is_not_followed(tmp_path):
    """What stands in a directory of ours is a file of ours."""
    (tmp_path / "db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=r"db cannot be opened: Too many levels of symbolic links$"):
        Database.open(tmp_path / "db")


def test_its_settings(tmp_path):
    """Ours by its mark, a write-ahead log, and room that is given back."""
    database = Database.open(tmp_path / "db")
    asked = {
        name: database._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "journal_mode", "auto_vacuum")
    }
    assert asked == {"application_id": APPLICATION, "journal_mode": "wal", "auto_vacuum": 2}
    database.close()
