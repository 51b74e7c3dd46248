"""cli/logfile.py: old logs, however they are packed."""

import bz2
import gzip
import lzma
from math import inf

import pytest

from banwatch.cli.logfile import first_date, parse_now, read_chunks
from banwatch.errors import BanwatchError, SourceError

LINES = b"".join(b"line %d\n" % number for number in range(300_000)) + b"no end"


@pytest.mark.parametrize(
    ("ending", "pack"), [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
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
    ("name", "content", "why"), [("a.gz", b"plain", "a.gz"), ("a.zst", b"", "zstd -dc"), (None, b"", "No such file")]
)
def test_what_cannot_be_read(tmp_path, name, content, why):
    """A name that promises another packing, one that is not known, and a file that is not there."""
    path = tmp_path / (name or "absent")
    if name:
        path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        list(read_chunks(str(path), 0.0))
    assert why in caught.value.message + caught.value.hint


def test_first_date(tmp_path):
    """The first date in the log, whatever stands before it; a log without one comes last."""
    path = tmp_path / "log"
    path.write_text("header\n2026-11-20T10:00:00+00:00 mx sshd[1]: x\n2026-11-21T10:00:00+00:00 mx sshd[1]: x\n")
    assert first_date(str(path), 0.0) == 1795168800.0
    path.write_text("nothing\n")
    assert first_date(str(path), 0.0) == inf
    assert first_date("-", 0.0) == inf


def test_parse_now():
    """ISO 8601 or seconds."""
    assert parse_now("1795168800.5") == 1795168800.5
    assert parse_now("2026-11-20T11:00:00+01:00") == 1795168800.0
    with pytest.raises(BanwatchError, match="expected a time like"):
        parse_now("yesterday")
