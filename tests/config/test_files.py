"""What is read from the disk, and what cannot be."""

import os

import pytest

from banwatch.config.files import LARGEST, UnreadableError, list_yaml, read_text, strays
from banwatch.config.problem import render_problem


def refusal(path, label="x.yaml"):
    with pytest.raises(UnreadableError) as caught:
        read_text(path, label)
    return render_problem(caught.value.problem)


def test_text(tmp_path):
    """UTF-8, without its byte order mark, line ends as they are."""
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbfa: \xc3\xa4\r\n")
    assert read_text(tmp_path / "x", "x") == "a: ä\r\n"


def test_absent(tmp_path):
    """That there is no file is the caller's business."""
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "x", "x")


def test_not_utf8(tmp_path):
    """The line of the first wrong byte is told."""
    (tmp_path / "x").write_bytes(b"a: 1\nb: \xfc\n")
    assert refusal(tmp_path / "x") == 'x.yaml:2: expected UTF-8, got "\\\\xfc"'


def test_a_bound_on_size(tmp_path):
    """A file of exactly the bound is read, one byte more is not."""
    (tmp_path / "x").write_bytes(b"#" * LARGEST)
    assert len(read_text(tmp_path / "x", "x")) == LARGEST
    (tmp_path / "x").write_bytes(b"#" * (LARGEST + 1))
    assert refusal(tmp_path / "x") == 'x.yaml: expected a file of at most 1048576 bytes, got "more"'


def test_no_regular_file(tmp_path):
    """A pipe, a device or a directory is refused at once; nothing waits for a writer."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "directory").mkdir()
    assert refusal(tmp_path / "pipe") == 'x.yaml: expected a file, got "a pipe or device"'
    assert refusal(tmp_path / "device") == 'x.yaml: expected a file, got "a pipe or device"'
    assert refusal(tmp_path / "directory") == 'x.yaml: expected a file, got "a directory"'


def test_refused_by_the_system(tmp_path):
    """The system's reason is told with its errno."""
    (tmp_path / "x").symlink_to("x")
    assert refusal(tmp_path / "x") == 'x.yaml: expected a readable file, got "Too many levels of symbolic links (errno 40)"'


def test_listing(tmp_path):
    """NAME.yaml in byte order; others get a warning, hidden ones nothing."""
    for name in (
        b"b.yaml",
        b"B.yaml",
        b"\xc3\xa4.yaml",
        b"jail.yml",
        b"b.yaml~",
        b".#b.yaml",
        b"\xff.yaml",
        b"a-b.yaml",
        b"a.yaml",
    ):
        (tmp_path / os.fsdecode(name)).touch()
    files, problems = list_yaml(tmp_path, "jails.d")
    labels = ["B.yaml", "a-b.yaml", "a.yaml", "b.yaml", "ä.yaml", "\\xff.yaml"]
    assert [label for _, label in files] == [f"jails.d/{label}" for label in labels]
    assert all(read_text(path, label) == "" for path, label in files)
    assert [render_problem(problem) for problem in problems] == [
        "jails.d/b.yaml~: warning: never read; expected a name that ends in .yaml",
        "jails.d/jail.yml: warning: never read; expected a name that ends in .yaml",
    ]


def test_no_directory(tmp_path):
    """What is not there holds nothing; what is no directory is a problem."""
    assert list_yaml(tmp_path / "x", "x") == ([], [])
    (tmp_path / "x").touch()
    with pytest.raises(UnreadableError) as caught:
        list_yaml(tmp_path / "x", "jails.d")
    assert render_problem(caught.value.problem) == 'jails.d: expected a readable directory, got "Not a directory (errno 20)"'


def test_strays(tmp_path):
    """What looks like configuration and stands where it is never read gets a warning."""
    for name in ("banwatch.yaml", "banwatch.yml", "sshd.yaml", "notes.txt", ".x.yaml"):
        (tmp_path / name).touch()
    for name in ("jails", "jails.d", "filters.d"):
        (tmp_path / name).mkdir()
    assert [render_problem(problem) for problem in strays(tmp_path)] == [
        "banwatch.yml: warning: never read; did you mean banwatch.yaml?",
        "jails: warning: never read; did you mean jails.d?",
        "sshd.yaml: warning: never read; did you mean jails.d/ or filters.d/?",
    ]
