"""Files that are held open, or found again."""

import os

import pytest

from banwatch.errors import SourceError
from banwatch.sources.opened import OpenFile, identity, open_regular


@pytest.fixture
def path(tmp_path):
    (tmp_path / "a").write_bytes(b"one\n")
    return tmp_path / "a"


@pytest.fixture
def file(path):
    descriptor, status = open_regular(str(path))
    file = OpenFile(str(path), descriptor, identity(status))
    yield file
    file.close()


def test_a_parked_file_holds_nothing(file, descriptors):
    """And can be asked all the same; then it is parked again."""
    before = descriptors()
    file.park()
    assert (descriptors(), file.is_parked, file.is_open) == (before - 1, True, True)
    assert (file.peek(0, 3), file.size, file.deleted) == (b"one", 4, False)
    assert (descriptors(), file.is_parked) == (before - 1, True)
    file.unpark()
    assert (descriptors(), file.is_parked) == (before, False)
    file.close()
    assert (descriptors(), file.is_parked, file.is_open) == (before - 1, False, False)
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.peek(0, 1)


def test_it_is_found_under_another_name(path, file):
    """In the same directory, also when something else has its name."""
    file.park()
    path.rename(path.with_name("b"))
    assert file.peek(0, 4) == b"one\n"
    assert file.path == str(path.with_name("b"))
    path.with_name("b").rename(path.with_name("c"))
    for make in (lambda: path.with_name("b").write_bytes(b"two\n"), lambda: os.mkfifo(path.with_name("b"))):
        make()
        assert file.peek(0, 4) == b"one\n"
        path.with_name("b").unlink()


def test_it_is_gone(path, file):
    """Nothing else is taken for it."""
    file.park()
    keep = path.with_name("kept").open("wb")
    path.rename(path.with_name("kept"))
    (path.parent / "elsewhere").mkdir()
    path.with_name("kept").rename(path.parent / "elsewhere" / "a")
    path.write_bytes(b"two\n")
    with pytest.raises(OSError, match="No such file"):
        file.peek(0, 4)
    assert file.is_parked
    keep.close()


def test_only_regular_files_are_opened(path, descriptors):
    """Nothing is left open of others; a link is not followed."""
    before = descriptors()
    os.mkfifo(path.with_name("pipe"))
    path.with_name("link").symlink_to(path)
    for name, error in (("pipe", SourceError), ("", SourceError), ("link", OSError), ("missing", OSError)):
        with pytest.raises(error):
            open_regular(str(path.with_name(name) if name else path.parent))
    assert descriptors() == before
