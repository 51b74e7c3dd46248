"""`banwatch logins --sync`: bans of logins end without a daemon."""

import json
import time

import pytest

from banwatch.cli.main import main
from banwatch.config.model import FilesSpec
from banwatch.logins.files import DenyFiles
from banwatch.logins.listing import HEAD, Refused


@pytest.fixture
def etc(tmp_path):
    """A configuration that has the files written below tmp_path."""
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "banwatch.yaml").write_text(f"doors: {{files: {{directory: {tmp_path}/logins, dovecot: true}}}}\n")
    return etc


def test_who_is_banned_no_more_is_taken_out(tmp_path, etc, capsys):
    """And who still is stays; a second time there is nothing to do."""
    now = time.time()
    bans = [Refused(("alice",), now - 100, now - 1), Refused(("bob",), now - 100, now + 1000)]
    DenyFiles(FilesSpec(f"{tmp_path}/logins", dovecot=True)).write(bans, now - 50)
    assert main(["logins", "--sync", "--config", str(etc)]) == 0
    assert (tmp_path / "logins/dovecot-deny").read_text() == f"{HEAD}bob\n"
    assert capsys.readouterr().out == f"{tmp_path}/logins/dovecot-deny written\n"
    assert main(["logins", "--sync", "--json", "--config", str(etc)]) == 0
    assert json.loads(capsys.readouterr().out) == {"changed": []}


def test_where_nothing_was_written(etc, capsys):
    """There is nothing to do."""
    assert main(["logins", "--sync", "--config", str(etc)]) == 0
    assert capsys.readouterr().out == ""


def test_what_cannot_be_read(tmp_path, etc, capsys):
    """It says so, and leaves everything as it is."""
    (tmp_path / "logins").mkdir()
    (tmp_path / "logins/bans.json").write_text("{")
    assert main(["logins", "--sync", "--config", str(etc)]) == 1
    assert f"{tmp_path}/logins is not up to date" in capsys.readouterr().err


def test_a_broken_configuration(etc, capsys):
    """Where the files are is not known then."""
    (etc / "banwatch.yaml").write_text("doors: 3\n")
    assert main(["logins", "--sync", "--config", str(etc)]) == 78
    assert "banwatch.yaml cannot be used" in capsys.readouterr().err
