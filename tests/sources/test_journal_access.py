"""Whether there is a journal, and whether it may be read."""

import os

import pytest

from banwatch.errors import SourceError
from banwatch.sources import journal_access
from banwatch.sources.journal_access import check_rights, is_there, nearest


@pytest.fixture
def strange():
    """The test has the rights of nobody, as far as files are concerned."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.fixture
def directory(tmp_path):
    """A directory that everybody may look into."""
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    (tmp_path / "journal").mkdir(mode=0o755)
    return tmp_path / "journal"


def write(path, mode):
    path.touch()
    path.chmod(mode)


def test_where_it_may_come(tmp_path):
    """The innermost directory that is there is what tells of the next one."""
    wanted = tmp_path / "a" / "b"
    assert (is_there(wanted), list(nearest(wanted))) == (False, [str(tmp_path)])
    wanted.parent.mkdir()
    assert (is_there(wanted), list(nearest(wanted))) == (False, [str(tmp_path / "a")])
    wanted.mkdir()
    assert (is_there(wanted), list(nearest(wanted))) == (True, [str(wanted)])


@pytest.mark.parametrize(
    ("modes", "may"),
    [
        ({}, True),
        ({"system.journal": 0o644, "user-1000.journal": 0o600}, True),
        ({"system.journal": 0o600, "user-1000.journal": 0o644}, False),
        ({"system@1.journal": 0o600}, False),
        ({"other": 0o600}, True),
    ],
)
def test_rights(directory, strange, modes, may):
    """It is the system's entries that count; other users' may be closed."""
    os.seteuid(0)
    for name, mode in modes.items():
        write(directory / name, mode)
    os.seteuid(65534)
    if may:
        check_rights(directory)
        return
    with pytest.raises(SourceError, match=r"^the journal is not read: permission denied$") as caught:
        check_rights(directory)
    assert caught.value.hint == "add the daemon's user to the group systemd-journal"


def test_this_host(directory, strange, monkeypatch, tmp_path):
    """Its files are in a directory named by its machine ID, which may be missing, or may not even be listed."""
    os.seteuid(0)
    (tmp_path / "machine-id").write_text("abc\n")
    monkeypatch.setattr(journal_access, "_MACHINE_ID", tmp_path / "machine-id")
    monkeypatch.setattr(journal_access, "ROOTS", (tmp_path / "none", directory))
    check_rights(None)
    (directory / "abc").mkdir(mode=0o700)
    os.seteuid(65534)
    with pytest.raises(SourceError):
        check_rights(None)
    os.seteuid(0)
    (directory / "abc").chmod(0o755)
    write(directory / "abc" / "system.journal", 0o644)
    os.seteuid(65534)
    check_rights(None)
    assert is_there(None)
