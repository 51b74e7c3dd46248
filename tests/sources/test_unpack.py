"""Packed logs as streams."""

import bz2
import gzip
import lzma
import shutil
import subprocess

import pytest

from banwatch.errors import SourceError
from banwatch.sources.unpack import ENDINGS, PACKED, Unpacked

needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="not installed: zstd")
LINES = b"".join(b"line %d\n" % number for number in range(100_000))


def zstd(data):
    return subprocess.run(["zstd", "-q"], input=data, stdout=subprocess.PIPE, check=True).stdout


PACK = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}


@pytest.fixture
def unpack(tmp_path):
    def unpack(name, data):
        (tmp_path / name).write_bytes(data)
        return Unpacked((tmp_path / name).open("rb", buffering=0), str(tmp_path / name))

    return unpack


@pytest.mark.parametrize("ending", ["", *PACK, pytest.param("zst", marks=needs_zstd)])
def test_it_is_what_was_packed(unpack, ending):
    """In blocks of at most what was asked for; then all of the file was taken."""
    data = {"": bytes, "zst": zstd, **PACK}[ending](LINES)
    file = unpack(f"log.{ending}" if ending else "log", data)
    blocks = list(iter(lambda: file.read(10_000), b""))
    assert b"".join(blocks) == LINES
    assert max(map(len, blocks)) <= 10_000
    assert file.taken == len(data)
    file.close()


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", pytest.param("zst", marks=needs_zstd)])
@pytest.mark.parametrize("damage", ["cut", "garbage", "flipped"])
def test_damage_is_told(unpack, ending, damage):
    """With one kind of error, whatever is wrong."""
    data = {"zst": zstd, **PACK}[ending](LINES)
    half = len(data) // 2
    damaged = {"cut": data[:half], "garbage": b"garbage" * 9, "flipped": data[:half] + bytes(99) + data[half + 99 :]}[damage]
    file = unpack(f"log.{ending}", damaged)
    with pytest.raises(SourceError, match=f"log.{ending}: "):
        list(iter(lambda: file.read(10_000), b""))
    file.close()


def test_what_can_be_unpacked_is_no_log_itself():
    """No glob takes it for one."""
    assert {f".{ending}" for ending in ENDINGS} <= set(PACKED)
