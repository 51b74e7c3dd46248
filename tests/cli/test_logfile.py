"""cli/logfile.py: old logs, however they are packed."""

import bz2
import gzip
import lzma
import os
import shutil
import subprocess
import sys

import pytest
from tests.journals import SSHD

from banwatch.cli.logfile import Dates, LogFile, parse_now, read_chunks
from banwatch.errors import BanwatchError, SourceError

needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="not installed: zstd")


def zstd(data):
    return subprocess.run(["zstd", "-q"], input=data, stdout=subprocess.PIPE, check=True).stdout


LINES = b"".join(b"line %d\n" % number for number in range(300_000)) + b"no end"


@pytest.mark.parametrize(
    ("ending", "pack"),
    [
        ("", bytes),
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        pytest.param(".zst", zstd, marks=needs_zstd),
    ],
)
def test_every_line_comes_once(tmp_path, ending, pack):
    """In pieces that together are the log; the last line gets the end that it lacks."""
    path = tmp_path / f"log{ending}"
    path.write_bytes(pack(LINES))
    chunks = list(read_chunks(str(path), 5.0))
    assert b"".join(chunk.data for chunk in chunks) == LINES + b"\n"
    assert len(chunks) > 2
    assert all(chunk.data.endswith(b"\n") and chunk.patterns is None and chunk.read_at == 5.0 for chunk in chunks)
    offset = 0
    for chunk in chunks:
        assert chunk.start == offset
        offset += len(chunk.data)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.gz", b"plain", "a.gz: Not a gzipped file (b'pl')"),
        ("a.gz", gzip.compress(b"x" * 99)[:-9], "a.gz: Compressed file ended before the end-of-stream marker was reached"),
        pytest.param("a.zst", b"plain", "a.zst: zstd: ", marks=needs_zstd),
        (None, b"", "absent: No such file or directory"),
        (".", None, ".: Is a directory"),
    ],
)
def test_what_cannot_be_read(tmp_path, name, content, why):
    """A name that promises another packing, a file that was cut off, one that is not there, and what is no file."""
    path = tmp_path / (name or "absent")
    if name and content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        list(read_chunks(str(path), 0.0))
    assert why in caught.value.message or caught.value.message.endswith(why.removeprefix("."))


def test_without_zstd(tmp_path, monkeypatch):
    """Where the program is missing that unpacks .zst, it is named, and how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "a.zst"
    path.touch()
    with pytest.raises(SourceError, match="zstd, which unpacks it, is not installed") as caught:
        LogFile(str(path))
    assert caught.value.hint == "apt install zstd"


@pytest.mark.parametrize(("ending", "pack"), [("", bytes), (".gz", gzip.compress), pytest.param(".zst", zstd, marks=needs_zstd)])
def test_how_far_it_is(tmp_path, ending, pack):
    """What was taken from the file adds up to its size, packed or not."""
    path = tmp_path / f"log{ending}"
    path.write_bytes(pack(LINES))
    notes = []
    for _ in read_chunks(str(path), 0.0, notes.append):
        pass
    with LogFile(str(path)) as log:
        assert (sum(notes), log.position) == (log.size, 0 if ending != ".zst" else log.position)


def test_a_pipe_has_no_size():
    """`<(…)` of a shell is read like a file of which nothing is known."""
    reader, writer = os.pipe()
    os.write(writer, b"line\n")
    os.close(writer)
    try:
        with LogFile(f"/dev/fd/{reader}") as log:
            assert (log.size, log.position, log.read(), log.position) == (0, 0, b"line\n", 0)
    finally:
        os.close(reader)


def test_standard_input_stays_open(monkeypatch):
    """It is not ours to close."""
    with LogFile("-") as log:
        assert log.size == 0
    assert not sys.stdin.closed


def test_a_reader_that_goes_early_ends_the_child(tmp_path):
    """Nobody waits for the rest of a packed log that is not read to its end."""
    path = tmp_path / "a.zst"
    path.write_bytes(b"x")
    log = LogFile(str(path))
    log.close()
    assert log._file._child.returncode is not None


test_a_reader_that_goes_early_ends_the_child = needs_zstd(test_a_reader_that_goes_early_ends_the_child)


def test_dates():
    """The first date there is, in whatever form; what only looks like one is passed over."""
    dates = Dates(1795168800.0)
    assert dates.first(b"header\n2026-11-20T10:00:00+00:00 mx\n2026-11-21T10:00:00+00:00 mx\n") == 1795168800.0
    assert dates.first(b'2026-02-31 10:00:00 x\n{"ts": 1795168800.5}') == 1795168800.5
    assert dates.first(b"nothing \xff\n") is None


def test_parse_now():
    """ISO 8601 or seconds."""
    assert parse_now("1795168800.5") == 1795168800.5
    assert parse_now("2026-11-20T11:00:00+01:00") == 1795168800.0
    with pytest.raises(BanwatchError, match="expected a time like"):
        parse_now("yesterday")


def test_a_journal_file(journal):
    """Its entries are the lines."""
    journal.write("one", "two", **SSHD)
    notes = []
    (chunk,) = read_chunks(str(journal.path), 7.0, notes.append)
    assert [line.rpartition(b" ")[2] for line in chunk.data.splitlines()] == [b"one", b"two"]
    assert sum(notes) == 0
