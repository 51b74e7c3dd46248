"""Where paths and globs lead."""

import errno
import os
from pathlib import Path

import pytest

from banwatch.sources.paths import Found, find, fits


def look(pattern: Path | str) -> tuple[list[Found], set[tuple[str, str]]]:
    watched: set[tuple[str, str]] = set()
    return list(find(str(pattern), lambda directory, name: watched.add((directory, name)))), watched


def paths(pattern: Path | str) -> list[str]:
    return [found.path for found in look(pattern)[0]]


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_path_leads_to_itself(tmp_path: Path) -> None:
    """A plain file is found, and each directory on its way is watched for the next component."""
    path = touch(tmp_path / "a.log")
    [found], watched = look(path)
    assert (found.path, found.real, found.errno) == (str(path), str(path), 0)
    assert found.status is not None
    assert found.status.st_ino == path.stat().st_ino
    assert watched == {(str(parent.parent), parent.name) for parent in (path, *path.parents[:-1])}


def test_an_absent_path_is_awaited_in_its_nearest_parent(tmp_path: Path) -> None:
    """The first component that is missing is what to wait for."""
    [found], watched = look(tmp_path / "not" / "yet" / "a.log")
    assert found == Found(f"{tmp_path}/not/yet/a.log", f"{tmp_path}/not", None, errno.ENOENT)
    assert (str(tmp_path), "not") in watched
    assert not any(directory.startswith(f"{tmp_path}/not") for directory, _ in watched)


def test_a_file_on_the_way_is_no_directory(tmp_path: Path) -> None:
    """A path through a file leads nowhere until the file is replaced."""
    touch(tmp_path / "a")
    [found], watched = look(tmp_path / "a" / "b.log")
    assert (found.path, found.errno) == (f"{tmp_path}/a/b.log", errno.ENOTDIR)
    assert (str(tmp_path), "a") in watched


def test_links_are_followed_and_watched_where_they_stand(tmp_path: Path) -> None:
    """A link to a directory, then a relative link to a file: both can be turned, so both are watched."""
    path = touch(tmp_path / "real" / "today.log")
    (tmp_path / "real" / "current").symlink_to("today.log")
    (tmp_path / "logs").symlink_to(tmp_path / "real")
    [found], watched = look(tmp_path / "logs" / "current")
    assert (found.path, found.real) == (f"{tmp_path}/logs/current", str(path))
    assert {
        (str(tmp_path), "logs"),
        (str(tmp_path), "real"),
        (str(tmp_path / "real"), "current"),
        (str(tmp_path / "real"), "today.log"),
    } <= watched


def test_a_link_to_nothing_waits_for_its_target(tmp_path: Path) -> None:
    """It is absent, under the name that was configured."""
    (tmp_path / "a.log").symlink_to("later/a.log")
    [found], watched = look(tmp_path / "a.log")
    assert (found.path, found.errno) == (f"{tmp_path}/a.log", errno.ENOENT)
    assert (str(tmp_path), "later") in watched


def test_a_link_to_itself_ends(tmp_path: Path) -> None:
    """As many links are followed as the kernel would."""
    (tmp_path / "a.log").symlink_to("a.log")
    [found], _ = look(tmp_path / "a.log")
    assert found.errno == errno.ELOOP


def test_dots_and_double_slashes_are_passed(tmp_path: Path) -> None:
    """`..` goes up from where the link led to, not from where it stood."""
    path = touch(tmp_path / "real" / "a.log")
    (tmp_path / "real" / "sub").mkdir()
    (tmp_path / "link").symlink_to("real/sub")
    [found], _ = look(f"{tmp_path}//link/./../a.log")
    assert found.real == str(path)


def test_a_path_that_ends_in_a_dot_is_a_directory(tmp_path: Path) -> None:
    """There is no file to be expected."""
    assert [found.errno for found in look(f"{tmp_path}/.")[0]] == [errno.EISDIR]
    assert [found.errno for found in look("/")[0]] == [errno.EISDIR]


def test_a_relative_path_starts_at_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown in full."""
    touch(tmp_path / "a.log")
    monkeypatch.chdir(tmp_path)
    assert paths("a.log") == [f"{tmp_path}/a.log"]


def test_a_glob_gives_what_is_there_in_order(tmp_path: Path) -> None:
    """Wildcards in directories and files; no hidden entries, no packed logs."""
    for name in ("b/y.log", "a/x.log", "a/w.log", "a/x.log.1", "a/x.log.2.gz", "a/.h.log", ".c/z.log", "a/n.txt"):
        touch(tmp_path / name)
    assert paths(tmp_path / "*" / "*.log*") == [f"{tmp_path}/{name}" for name in ("a/w.log", "a/x.log", "a/x.log.1", "b/y.log")]
    assert paths(tmp_path / ".?" / "[xyz].log") == [f"{tmp_path}/.c/z.log"]


def test_a_glob_without_matches_gives_nothing(tmp_path: Path) -> None:
    """The directory is watched for what would match."""
    found, watched = look(tmp_path / "*.log")
    assert found == []
    assert (str(tmp_path), "*.log") in watched


def test_a_glob_behind_an_absent_directory_tells_of_it(tmp_path: Path) -> None:
    """The fixed part of a glob is a path like any other."""
    [found], _ = look(tmp_path / "later" / "*.log")
    assert (found.path, found.errno) == (f"{tmp_path}/later/*.log", errno.ENOENT)


def test_a_glob_passes_over_files_that_vanish_and_links_to_nothing(tmp_path: Path) -> None:
    """What is not there is not among what is there."""
    (tmp_path / "a.log").symlink_to("nothing")
    assert paths(tmp_path / "*.log") == []


def test_a_directory_that_vanishes_meanwhile_has_nothing(tmp_path: Path) -> None:
    """Between the look at it and the look into it."""
    (tmp_path / "a").mkdir()

    def vanish(directory: str, name: str) -> None:
        if directory == str(tmp_path / "a"):
            Path(directory).rmdir()

    assert list(find(str(tmp_path / "a" / "*.log"), vanish)) == []


def test_a_name_with_brackets_is_found_to_the_letter(tmp_path: Path) -> None:
    """A file that is called like a wildcard is that file."""
    touch(tmp_path / "a[1].log")
    assert paths(tmp_path / "a[1].log") == [f"{tmp_path}/a[1].log"]


def test_a_directory_that_cannot_be_read_is_told_of(unprivileged: Path) -> None:
    """It may hide logs: for a path, for a glob, and for a glob with more behind it."""
    (unprivileged / "shut").mkdir(mode=0)
    (unprivileged / "mute").mkdir(mode=0o300)
    touch(unprivileged / "mute" / "a.log")
    assert [(one.path, one.errno) for one in look(unprivileged / "shut" / "a.log")[0]] == [
        (f"{unprivileged}/shut/a.log", errno.EACCES)
    ]
    assert [(one.path, one.errno) for one in look(unprivileged / "*" / "a.log")[0]] == [
        (f"{unprivileged}/mute/a.log", 0),
        (f"{unprivileged}/shut/a.log", errno.EACCES),
    ]
    assert [(one.path, one.errno) for one in look(unprivileged / "mute" / "*.log")[0]] == [
        (f"{unprivileged}/mute/*.log", errno.EACCES)
    ]


@pytest.mark.parametrize(
    ("name", "wanted", "answer"),
    [
        ("a.log", "a.log", True),
        ("a.log", "b.log", False),
        ("a.log", "*.log", True),
        (".a.log", "*.log", False),
        (".a.log", ".*.log", True),
        ("a[1].log", "a[1].log", True),
        ("a1.log", "a[1].log", True),
        ("A.log", "a.*", False),
    ],
)
def test_fits(name: str, wanted: str, answer: bool) -> None:
    """A name fits itself, or a wildcard as in the shell."""
    assert fits(name, wanted) is answer


def test_a_directory_is_watched_before_it_is_looked_at(tmp_path: Path) -> None:
    """What comes between the watch and the look is seen: nothing falls into a gap."""

    def make(directory: str, name: str) -> None:
        Path(directory, name.replace("*", "new")).mkdir(exist_ok=True)

    [found] = find(str(tmp_path / "x" / "*" / "y"), make)
    assert (found.path, found.errno) == (f"{tmp_path}/x/new/y", 0)
    assert os.listdir(tmp_path / "x") == ["new"]  # noqa: PTH208
