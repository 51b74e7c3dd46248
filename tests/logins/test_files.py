"""logins/files.py: files that services read."""

import os
from pathlib import Path

import pytest

from banwatch.config.model import FilesSpec
from banwatch.logins.files import DenyFiles
from banwatch.logins.listing import HEAD, Refused

ALICE = Refused(("alice",), 0.0, 100.0)
BOB = Refused(("bob",), 0.0, 200.0)


@pytest.fixture
def files(tmp_path):
    return DenyFiles(FilesSpec(str(tmp_path / "logins"), pam=True, dovecot=True, exim=True))


def stat(files, name="dovecot-deny"):
    return (files.directory / name).stat()


def names(files, name="dovecot-deny"):
    return (files.directory / name).read_text().removeprefix(HEAD).split()


def test_everybody_may_read_them(files):
    """Whatever the umask is; what they are made of, only the group."""
    before = os.umask(0o077)
    try:
        assert files.write([ALICE], 10.0) == ["pam-access", "dovecot-deny", "exim-deny"]
    finally:
        os.umask(before)
    assert files.directory.stat().st_mode & 0o7777 == 0o755
    assert {path.name: path.stat().st_mode & 0o7777 for path in files.directory.iterdir()} == {
        "bans.json": 0o640, "dovecot-deny": 0o644, "exim-deny": 0o644, "pam-access": 0o644,
    }  # fmt: skip
    assert (names(files), names(files, "exim-deny")) == (["alice"], ["alice"])
    assert names(files, "pam-access") == ["-:alice:ALL", "EXCEPT", "LOCAL"]


def test_they_are_there_though_empty(files):
    """Dovecot refuses everybody if its file is missing."""
    files.write([], 10.0)
    assert names(files) == []


def test_the_time_always_moves(files):
    """By whole seconds, also when two changes come in one, or the clock was set back; and only when something changed."""
    files.write([], 1000.0)
    assert stat(files).st_mtime == 1000
    files.write([ALICE._replace(until=None)], 1000.2)
    assert stat(files).st_mtime == 1001
    files.write([BOB._replace(until=None)], 500.0)
    assert stat(files).st_mtime == 1002
    assert files.write([BOB._replace(until=None)], 2000.0) == []
    assert stat(files).st_mtime == 1002


def test_a_file_is_replaced_as_a_whole(files):
    """Whoever has the old one open goes on reading it."""
    files.write([ALICE], 10.0)
    with (files.directory / "dovecot-deny").open() as old:
        files.write([ALICE, BOB], 11.0)
        assert old.read() == f"{HEAD}alice\n"
    assert names(files) == ["alice", "bob"]
    assert not list(files.directory.glob(".*"))


def test_bans_end_without_a_daemon(files):
    """From what was written last, who is refused at another time is known."""
    files.write([ALICE, BOB], 10.0)
    assert files.sync(99.0) == []
    assert files.sync(100.0) == ["pam-access", "dovecot-deny", "exim-deny"]
    assert names(files) == ["bob"]
    files.sync(200.0)
    assert names(files) == []


def test_what_is_asked_for(tmp_path):
    """Only these files are made; one that is asked for no more refuses nobody any more."""
    directory = str(tmp_path / "logins")
    DenyFiles(FilesSpec(directory, exim=True)).write([ALICE], 10.0)
    assert sorted(path.name for path in Path(directory).iterdir()) == ["bans.json", "exim-deny"]
    files = DenyFiles(FilesSpec(directory, pam=True))
    files.write([ALICE], 11.0)
    assert names(files, "exim-deny") == []
    assert "-:alice:ALL" in names(files, "pam-access")


@pytest.mark.parametrize("text", ["", "{", "[3]", '[{"names": ["x"]}]', '{"a": 1}'])
def test_nonsense_where_the_bans_should_be(files, text):
    """Nothing is changed."""
    files.write([ALICE], 10.0)
    (files.directory / "bans.json").write_text(text)
    with pytest.raises(ValueError, match=r"."):
        files.sync(1000.0)
    assert names(files) == ["alice"]


def test_no_directory_to_put_them_in(tmp_path):
    """What is above it is not made: it would have the wrong owner."""
    with pytest.raises(FileNotFoundError):
        DenyFiles(FilesSpec(str(tmp_path / "no/such"), pam=True)).write([], 1.0)
    with pytest.raises(FileNotFoundError):
        DenyFiles(FilesSpec(str(tmp_path / "never"), pam=True)).sync(1.0)
