"""The socket file."""

import fcntl
import grp
import os
import socket
import stat
from pathlib import Path

import pytest

from banwatch.control.listen import Listener, open_listener
from banwatch.errors import ControlError

NOBODY = "banwatch-nobody"


def mode(path: Path) -> str:
    return stat.filemode(path.lstat().st_mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "banwatch.sock"


def refusal(path: Path) -> str:
    with pytest.raises(ControlError) as caught:
        open_listener(str(path), NOBODY, ask=False)
    assert caught.value.code == 1
    return caught.value.message


def dead_socket(path: Path) -> None:
    """What a daemon that was killed leaves behind."""
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    path.with_name(path.name + ".lock").touch()


def test_the_directory_is_made_and_nothing_is_left(path: Path) -> None:
    """A missing directory is made for all to enter, whatever the umask; socket and lock are gone after closing."""
    before = os.umask(0o077)
    try:
        listener = open_listener(str(path), NOBODY, ask=False)
    finally:
        os.umask(before)
    assert mode(path.parent) == "drwxr-xr-x"
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["banwatch.sock", "banwatch.sock.lock"]
    listener.close()
    assert list(path.parent.iterdir()) == []


def test_without_the_group_the_socket_is_its_owners_alone(path: Path) -> None:
    """No such group: 0600, and a note that says so."""
    listener = open_listener(str(path), NOBODY, ask=False)
    assert mode(path) == "srw-------"
    assert listener.gid is None
    assert listener.notes == [
        "there is no group 'banwatch-nobody': only root and the daemon's own user may use the control socket"
    ]
    listener.close()


def test_the_group_gets_the_socket(path: Path, some_group: grp.struct_group) -> None:
    """The group exists: 0660, and it is the group's."""
    if os.geteuid() != 0:
        pytest.skip("needs root: gives a file to another group")
    listener = open_listener(str(path), some_group.gr_name, ask=False)
    assert (mode(path), path.stat().st_gid) == ("srw-rw----", some_group.gr_gid)
    assert (listener.gid, listener.notes) == (some_group.gr_gid, [])
    listener.close()


def test_a_group_it_may_not_give_to_is_a_note(path: Path, some_group: grp.struct_group, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that is not in the group keeps the socket for itself and says so."""

    def refuse(path: str, uid: int, gid: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    listener = open_listener(str(path), some_group.gr_name, ask=False)
    assert (mode(path), listener.gid) == ("srw-------", None)
    assert listener.notes == [f"cannot give {path} to the group {some_group.gr_name!r}: only its own user and root may use it"]
    listener.close()


def test_its_own_group_needs_no_giving(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that is the group's from the beginning is not given to it again, so that nobody has to allow chown(2)."""
    monkeypatch.delattr(os, "chown")
    group = grp.getgrgid(os.getegid())
    listener = open_listener(str(path), group.gr_name, ask=False)
    assert (mode(path), listener.gid, listener.notes) == ("srw-rw----", group.gr_gid, [])
    listener.close()


def test_with_ask_everybody_may_connect(path: Path) -> None:
    """Connecting needs the right to write; what a stranger may do is decided later."""
    listener = open_listener(str(path), NOBODY, ask=True)
    assert mode(path) == "srw-rw-rw-"
    listener.close()


def test_a_dead_daemons_socket_is_replaced(path: Path) -> None:
    """A socket that nobody answers on, and the lock file beside it, are no obstacle."""
    dead_socket(path)
    listener = open_listener(str(path), NOBODY, ask=False)
    listener.socket.listen()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
    listener.close()


def test_a_second_daemon_is_refused(path: Path) -> None:
    """The first one is not disturbed, whether it listens yet or not."""
    first = open_listener(str(path), NOBODY, ask=False)
    assert refusal(path) == f"another banwatch answers on {path}"
    first.socket.listen()
    assert refusal(path) == f"another banwatch answers on {path}"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
    first.close()
    open_listener(str(path), NOBODY, ask=False).close()


@pytest.mark.parametrize("backlog", [16, 0])
def test_a_daemon_that_holds_no_lock_is_refused_too(path: Path, backlog: int) -> None:
    """Whatever answers on the path is alive, also if it is too busy to accept; our own lock is given back."""
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as alive, socket.socket(socket.AF_UNIX) as caller:
        alive.bind(str(path))
        alive.listen(backlog)
        caller.connect(str(path))
        assert refusal(path) == f"another banwatch answers on {path}"
        assert [entry.name for entry in path.parent.iterdir()] == ["banwatch.sock"]


def test_the_lock_of_a_removed_file_keeps_nobody_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock file that its last holder removed while we waited for it is opened anew."""
    path.parent.mkdir()
    lock = path.with_name(path.name + ".lock")
    real = fcntl.flock
    removed = []

    def flock(fd: int, operation: int) -> None:
        real(fd, operation)
        if len(removed) < 2:
            removed.append(lock.stat().st_ino)
            lock.unlink()
            if len(removed) == 2:
                lock.touch()

    monkeypatch.setattr(fcntl, "flock", flock)
    listener = open_listener(str(path), NOBODY, ask=False)
    monkeypatch.undo()
    assert refusal(path) == f"another banwatch answers on {path}"
    listener.close()


@pytest.mark.parametrize("kind", ["file", "symlink", "directory"])
def test_what_is_no_socket_is_left_alone(path: Path, kind: str) -> None:
    """A file in the way is the operator's; it is never removed."""
    path.parent.mkdir()
    match kind:
        case "file":
            path.write_text("precious")
        case "symlink":
            dead_socket(path.with_name("other"))
            path.symlink_to("other")
        case _:
            path.mkdir()
    assert refusal(path) == f"{path} is in the way: it is no socket"
    assert path.exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error says where and why, and what else to try."""
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "banwatch.sock"
    with pytest.raises(ControlError) as caught:
        open_listener(str(path), NOBODY, ask=False)
    assert caught.value.message in (
        f"cannot open the control socket {path}: Not a directory",
        f"cannot open the control socket {path}: File exists",
    )
    assert caught.value.hint == "run as root, or choose another place with --socket or BANWATCH_SOCKET"


def test_a_path_that_is_too_long_leaves_no_lock(tmp_path: Path) -> None:
    """Unix sockets have paths of at most 107 bytes."""
    path = tmp_path / ("x" * 120)
    assert refusal(path) == f"cannot open the control socket {path}: AF_UNIX path too long"
    assert list(tmp_path.iterdir()) == []


def test_a_failed_start_closes_its_socket(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error after binding leaves neither lock nor descriptor behind, so that the next try can succeed."""

    def refuse(path: Path, mode: int) -> None:
        raise OSError(30, "Read-only file system")

    path.parent.mkdir()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(Path, "chmod", refuse)
    assert refusal(path) == f"cannot open the control socket {path}: Read-only file system"
    monkeypatch.undo()
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    Listener(str(path), NOBODY, ask=False).close()
