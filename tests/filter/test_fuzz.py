"""What any bytes may be handed to: header, date and regex as an operator could write them, and lines as a stranger could."""

from contextlib import suppress
from datetime import UTC
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banwatch.config.load import load_config
from banwatch.config.model import FilterSpec
from banwatch.config.paths import shipped_dir
from banwatch.errors import ConfigError
from banwatch.filter import Lens, Scanner, compile_filter
from banwatch.filter.dates import KNOWN, DateReader, parse_format
from banwatch.filter.prefilter import RePrefilter
from banwatch.model import Chunk, Position

NOW = 1.8e9
YEARS_10000 = 253_402_300_800.0


@cache
def shipped():
    """All filters that are shipped."""
    return load_config(shipped_dir(), wanted=sorted(path.stem for path in (shipped_dir() / "jails").glob("*.yaml")))


def split(data):
    """Pieces of text, divided by zeros."""
    return [piece.decode("utf-8", "replace") for piece in data.split(b"\0")]


def fuzz_date(data):
    """A format is refused with a ValueError, or reads any text as an instant or None, whatever it has read before."""
    template, *texts = split(data)
    formats = [KNOWN]
    with suppress(ValueError):
        formats.append(parse_format(template))
    for each in formats:
        reader = DateReader(each, UTC)
        reader.begin(NOW)
        for text in texts:
            alone = DateReader(each, UTC)
            alone.begin(NOW)
            at = reader.read(text)
            assert at == alone.read(text)
            assert at is None or -YEARS_10000 < at < YEARS_10000


def fuzz_regex(data):
    """A filter is refused with a ConfigError, or finds the same with each engine, whatever the lines are."""
    header, program, regex, *lines = [*split(data), "", "", ""]
    spec = FilterSpec("x", header=(header or "syslog",), program=program or None, failregex={"auth": (regex,)})
    try:
        filter_ = compile_filter(spec)
    except ConfigError:
        return
    compare(
        Scanner([Lens(filter_, UTC)]), Scanner([Lens(filter_, UTC)], RePrefilter), "\n".join(lines).encode("utf-8", "replace")
    )


def fuzz_lines(data):
    """Each filter takes any bytes, and finds the same with each engine and by every way."""
    which, data = data[:1], data[1:]
    name = sorted(shipped().compiled)[(which or b"\0")[0] % len(shipped().compiled)]
    compare(*scanners(name), data)


@cache
def scanners(name):
    lens = Lens(shipped().compiled[name], UTC)
    return Scanner([lens]), Scanner([lens], RePrefilter)


def compare(one, other, data):
    """Both scanners find the same, tell the same, and find in each line alone what they find in all."""
    chunk = Chunk("log", data, 0, Position(0, 0, 0), True, 0.0)
    found = list(one.scan(chunk, NOW))
    assert found == list(other.scan(chunk, NOW))
    told = []
    one.tell(chunk, NOW, lambda *what: told.append(what))
    assert told == [(match[0], *match[2:10]) for match in found]
    for match in found:
        assert data[match.start :].startswith(match.line.encode("ascii", "ignore")[:1] or b"")
        assert match.ip or match.login
        assert one.match_line(0, match.line, NOW) == match._replace(start=0)


REGEX = st.text(st.sampled_from(list("^$.*+?|()[]{}\\-<>/ab01:,= ")), max_size=20).map(lambda text: f"^{text}<HOST>$".encode())
DATE = st.text(st.sampled_from(list("%YmdHMSbfzsTFpI -:/0129Jan")), max_size=24).map(str.encode)
HEAD = st.sampled_from([b"Nov 20 10:00:00 mx ", b"2026-11-20T10:00:00.5+01:00 mx ", b"", b"<13>Feb 30 10:00:61 mx "])
WORDS = [
    b"sshd[1]: ",
    b"Failed password for ",
    b" from ",
    b"192.0.2.7",
    b"::1",
    b" port 1 ssh2",
    b"\n",
    b"\r\n",
    b"\xff",
    b"{",
    b'"',
]
LINES = st.lists(st.sampled_from(WORDS) | st.binary(max_size=4), max_size=20).map(b"".join)


@given(st.lists(DATE, max_size=6).map(b"\0".join))
def test_dates(data):
    """Any format and any text."""
    fuzz_date(data)


@settings(max_examples=50)
@given(st.tuples(st.sampled_from([b"", b"none", b"^<DATE> "]), st.sampled_from([b"", b"sshd"]), REGEX, LINES).map(b"\0".join))
def test_regexes(data):
    """Any regex and any line."""
    fuzz_regex(data)


@pytest.mark.parametrize("which", range(32))
@settings(max_examples=8)
@given(st.lists(st.tuples(HEAD, LINES).map(b"".join), max_size=5).map(b"\n".join))
def test_lines(which, data):
    """Any line and every filter."""
    fuzz_lines(bytes([which]) + data)
