"""The rotated files beside logs, on the disk."""

import gzip
import os

import pytest

from banwatch.model import Position
from banwatch.sources import siblings as siblings_module
from banwatch.sources.file import LogFile
from banwatch.sources.packed import PackedFile
from banwatch.sources.siblings import Siblings, is_of, open_rest

BIG = bytearray(1 << 20)
LOG = b"".join(b"line %d of the log\n" % number for number in range(100))
READ = LOG.index(b"line 53")


@pytest.fixture
def place(tmp_path):
    """The place after 53 lines of the log."""
    (tmp_path / "app.log").write_bytes(LOG[:READ])
    file = LogFile.open(str(tmp_path / "app.log"))
    file.read(BIG)
    file.close()
    return file.places()[0]


@pytest.fixture
def one(tmp_path):
    """one(name, content) is that file as a sibling of app.log."""

    def one(name, content):
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return next(file for file in Siblings().find([str(tmp_path / "app.log")]) if file.path == str(path))

    return one


def names(files):
    return [file.path.rpartition("/")[2] for file in files]


def test_those_of_a_log(tmp_path, monkeypatch):
    """The oldest first; neither of other logs, nor what is no file or cannot be unpacked. A directory is read once."""
    for name in ("app.log", "app.log.1", "app.log.2.gz", "app.log.10.xz", "app.log.3.lz4", "app.log.bak", "other.log.1"):
        (tmp_path / name).touch()
    (tmp_path / "app.log.4").mkdir()
    (tmp_path / "app.log.5").symlink_to("app.log.1")
    os.mkfifo(tmp_path / "app.log.6")
    siblings = Siblings()
    found = siblings.find([str(tmp_path / "app.log")])
    assert names(found) == ["app.log.10.xz", "app.log.2.gz", "app.log.1"]
    assert [file.ending for file in found] == ["xz", "gz", ""]
    status = (tmp_path / "app.log.1").stat()
    assert (found[2].identity, found[2].written, found[2].size) == ((status.st_dev, status.st_ino), status.st_mtime_ns, 0)
    monkeypatch.setattr(siblings_module.os, "scandir", None)
    assert names(siblings.find([str(tmp_path / "other.log")])) == ["other.log.1"]
    assert siblings.find([str(tmp_path / "nothing.log")]) == []


def test_a_log_behind_a_link_has_them_in_both_places(tmp_path):
    """Each once."""
    (tmp_path / "real").mkdir()
    for name in ("app.log.1", "real/app.log.2"):
        (tmp_path / name).touch()
    paths = [str(tmp_path / "app.log"), str(tmp_path / "real" / "app.log"), str(tmp_path / "app.log")]
    assert names(Siblings().find(paths)) == ["app.log.2", "app.log.1"]


def test_a_directory_that_cannot_be_read_has_none(tmp_path):
    """The log itself is told of elsewhere."""
    assert Siblings().find([str(tmp_path / "missing" / "app.log")]) == []


@pytest.mark.parametrize("name", ["app.log.1", "app.log.1.gz"])
def test_what_has_the_content_that_was_read(place, one, name, monkeypatch):
    """Packed or not; not what begins otherwise, goes on otherwise or is shorter."""
    for content, has in (
        (LOG, True),
        (LOG[:READ], True),
        (LOG[: READ - 1], False),
        (b"L" + LOG[1:], False),
        (LOG[:990] + b"X" + LOG[991:], False),
        (b"", False),
    ):
        assert is_of(one(name, content), place) == has
    monkeypatch.setattr(siblings_module, "COMPARED", READ - 1)
    assert is_of(one(name, LOG[:990] + b"X" + LOG[991:]), place) == name.endswith(".gz")  # its start has to do


def test_what_is_damaged_is_what_it_begins_as(tmp_path, place, one):
    """Not one that came later, which would be read from its start."""
    path = tmp_path / "app.log.1.gz"
    file = one(path.name, os.urandom(200_000))
    path.write_bytes(path.read_bytes()[:-20_000])
    assert not is_of(file, place)
    path.write_bytes(gzip.compress(LOG[:READ] + os.urandom(200_000))[:-20_000])
    assert is_of(file, place._replace(offset=190_000))


def test_a_place_without_fingerprints_is_in_its_own_file(one):
    """A packed one is another."""
    plain, packed = one("app.log.1", LOG), one("app.log.2.gz", LOG)
    assert is_of(plain, Position(*plain.identity, 0))
    assert not is_of(plain, Position(0, 0, 0))
    assert not is_of(packed, Position(*packed.identity, 0))


def test_what_cannot_be_read_has_nothing(tmp_path, place, one):
    """It is gone, or is not packed as it says."""
    file = one("app.log.1.gz", LOG)
    (tmp_path / "app.log.1.gz").write_bytes(b"nothing of the kind")
    assert not is_of(file, place)
    (tmp_path / "app.log.1.gz").unlink()
    assert not is_of(file, place)


def test_the_rest_is_opened_at_its_place(place, one):
    """None of it is live."""
    for name, kind in (("app.log.1", LogFile), ("app.log.2.gz", PackedFile)):
        for content, begin in ((LOG, place), (LOG[READ:], None)):
            file = open_rest(one(name, content), begin)
            assert isinstance(file, kind)
            piece = file.read(BIG)
            assert (piece.data, piece.live) == (LOG[READ:], False)
            file.close()
