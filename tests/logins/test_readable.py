"""logins/readable.py: whether services could read what is written for them."""

import pytest

from banwatch.config.model import FilesSpec
from banwatch.config.problem import render_problem
from banwatch.logins.files import DenyFiles
from banwatch.logins.readable import User, find_user, warn_unreadable

SOMEBODY = User("dovecot", 4711, (4712,))


@pytest.fixture
def spec(tmp_path):
    """Files that are written, on a way that is open to everybody."""
    made = FilesSpec(str(tmp_path / "state/logins"), dovecot=True, exim=True)
    (tmp_path / "state").mkdir()
    for place in (tmp_path / "state", tmp_path, *tmp_path.parents[:2]):
        place.chmod(0o755)
    DenyFiles(made).write([], 1.0)
    return made


def said(spec, user=SOMEBODY):
    return [render_problem(problem) for problem in warn_unreadable(spec, lambda name: user if name == "dovecot" else None)]


def test_what_can_be_read(spec, tmp_path):
    """By everybody, by a member of the group, or by root: nothing to say; nor about users and files that are not there."""
    assert said(spec) == []
    assert said(FilesSpec(str(tmp_path / "none"), dovecot=True)) == []
    (tmp_path / "state").chmod(0o700)
    assert said(spec, User("root", 0, (0,))) == []
    assert said(spec, None) == []


@pytest.mark.parametrize(("place", "mode"), [("state", 0o750), ("state/logins", 0o754), ("state/logins/dovecot-deny", 0o640)])
def test_what_cannot(spec, tmp_path, place, mode):
    """The place that is closed is named."""
    (tmp_path / place).chmod(mode)
    file = tmp_path / "state/logins/dovecot-deny"
    told = f"banwatch.yaml: warning: doors.files.dovecot: dovecot may not read {file}: {tmp_path / place} is closed to it"
    assert said(spec) == [told]
    assert said(spec, User("dovecot", 4711, (tmp_path.stat().st_gid,))) == (
        [] if mode & 0o050 == 0o050 or mode == 0o640 else [told]
    )


def test_only_what_is_asked_for(spec, tmp_path):
    """A file that nobody asked for is nobody's."""
    (tmp_path / "state").chmod(0o700)
    assert said(FilesSpec(spec.directory, exim=True)) == []


def test_users():
    """root is there, and somebody else is not."""
    assert find_user("root").uid == 0
    assert find_user("no-such-user") is None
