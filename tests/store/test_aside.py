"""store/aside.py: a damaged database is put out of the way."""

import pytest

from banwatch.errors import StoreError
from banwatch.store.aside import KEPT, set_aside


def test_all_of_it_is_moved(tmp_path):
    """Its journal goes with it, so that what is in there can still be found."""
    path = tmp_path / "banwatch.db"
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"banwatch.db{suffix}").write_text(suffix)
    assert set_aside(path, 1_700_000_000) == tmp_path / "banwatch.db.corrupt-20231114T221320Z"
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {
        "banwatch.db.corrupt-20231114T221320Z": "",
        "banwatch.db.corrupt-20231114T221320Z-wal": "-wal",
        "banwatch.db.corrupt-20231114T221320Z-shm": "-shm",
    }


def test_only_the_last_are_kept(tmp_path):
    """A disk that spoils each does not fill up with them."""
    path = tmp_path / "banwatch.db"
    for number in range(KEPT + 2):
        path.touch()
        (tmp_path / "banwatch.db-wal").touch()
        last = set_aside(path, 1_700_000_000 + number)
    found = sorted(one.name for one in tmp_path.iterdir())
    assert len(found) == 2 * KEPT
    assert last.name in found


def test_what_cannot_be_moved_is_told(tmp_path):
    """A directory in its place stays."""
    path = tmp_path / "banwatch.db"
    path.touch()
    (tmp_path / "banwatch.db.corrupt-20231114T221320Z").mkdir()
    with pytest.raises(StoreError, match=r"banwatch\.db is damaged and cannot be set aside: Is a directory"):
        set_aside(path, 1_700_000_000)
