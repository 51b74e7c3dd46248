from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.config.model import FilterSpec
from banwatch.filter import Lens, Scanner, compile_filter
from banwatch.filter.scan import LONGEST, check_encoding, count_lines
from banwatch.model import Chunk, Position

NOW = 1.8e9
SPEC = FilterSpec("x", program="prog", failregex={"auth": ("^failed for <F-USER>.*</F-USER> from <HOST>$",)})
FILTER = compile_filter(SPEC)
LINE = b"Nov 20 10:00:00 mx prog[1]: failed for bob from 192.0.2.7\n"
OTHER = b"Nov 20 10:00:00 mx cron[1]: nothing\n"


def scan(data, scanner=None, encoding="utf-8"):
    scanner = scanner or Scanner([Lens(FILTER, UTC, encoding)])
    return list(scanner.scan(Chunk("log", data, 0, Position(0, 0, len(data)), True, 0.0), NOW))


def test_counters():
    """Lines, candidates and matches are counted, and what was cut."""
    scanner = Scanner([Lens(FILTER, UTC)])
    scan(LINE + OTHER + LINE.replace(b"from", b"form") + LINE[:-1], scanner)
    assert (scanner.lines, scanner.candidates, scanner.matches, scanner.unmatched, scanner.cut) == (4, 3, 2, 1, 0)


def test_where_a_match_stands():
    """A match has its place in the chunk, and the line without its end."""
    (first, second) = scan(OTHER + LINE + OTHER + LINE)
    assert (first.start, second.start) == (len(OTHER), 2 * len(OTHER) + len(LINE))
    assert first.line == LINE[:-1].decode()


@pytest.mark.parametrize("line", [LINE[:-1] + b"\r\n", b"\0" * 5000 + LINE, LINE[:-1] + b"\r"])
def test_ends_and_holes(line):
    """The CR of a line end, and the zeros of a hole before the line, are no part of it."""
    assert [match.ip for match in scan(LINE + line)] == ["192.0.2.7"] * 2


@pytest.mark.parametrize(("encoding", "login"), [("utf-8", "\\xe9"), ("latin-1", "é")])
def test_encoding(encoding, login):
    """Bytes are text of the lens' encoding; what is none is escaped."""
    (match,) = scan(LINE.replace(b"bob", b"\xe9"), encoding=encoding)
    assert match.login == login


def test_long_lines():
    """A line is looked at as far as LONGEST, and its tail is nobody's."""
    scanner = Scanner([Lens(FILTER, UTC)])
    assert scan(LINE[:-1] + b" " * LONGEST + b"\n", scanner) == []
    assert scanner.cut == 1
    assert scan(OTHER[:-1] + b" " * LONGEST + LINE) == []


def test_several_filters():
    """The matches of all lenses come in the order of the lines, and for one line in the order of the lenses."""
    other = compile_filter(FilterSpec("y", failregex={"scan": ("nothing|from <HOST>$",)}, header=("none",)))
    found = scan(LINE + OTHER + LINE, Scanner([Lens(FILTER, UTC), Lens(other, UTC)]))
    assert [(match.lens, match.filter) for match in found] == [(0, "x"), (1, "y"), (0, "x"), (1, "y")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-7", "hz", "iso2022_jp", "cp037", "nonsense"])
def test_encodings_without_ascii(encoding):
    """Where ASCII is not written as itself no line could be found."""
    with pytest.raises(ValueError, match="expected an encoding that contains ASCII"):
        check_encoding(encoding)


@given(st.binary())
def test_count_lines(data):
    """As many as there are pieces that end, and a last one that does not."""
    assert count_lines(data) == len(data.split(b"\n")) - (data.endswith(b"\n") or not data)


PIECES = st.sampled_from(
    [LINE, OTHER, LINE[:30], LINE[30:], b"\n", b"\r\n", b"\0", b"\xff", b"\xe2\x82", b" from 192.0.2.9\n", "ſé".encode()]
)
MIXED = st.lists(PIECES | st.binary(max_size=20), max_size=20).map(b"".join)


@given(MIXED, st.sampled_from(["utf-8", "latin-1", "cp1252", "gbk"]))
def test_any_bytes(data, encoding):
    """Whatever stands in a log, there are matches or none, and never an exception; nobody but those named is blamed."""
    assert {match.ip for match in scan(data, encoding=encoding)} <= {"192.0.2.7", "192.0.2.9"}


@given(MIXED, st.integers(0, 400))
def test_chunks_do_not_show(data, cut):
    """However the lines are divided into chunks, the matches are the same."""
    cut = data.find(b"\n", min(cut, len(data))) + 1
    scanner = Scanner([Lens(FILTER, UTC)])
    pieces = [*scan(data[:cut], scanner), *(match._replace(start=match.start + cut) for match in scan(data[cut:], scanner))]
    assert pieces == scan(data)


@given(st.lists(st.sampled_from([LINE, OTHER]), max_size=12))
def test_looking_at_all_lines_changes_nothing(lines):
    """A scanner that found many matches, and so looks at every line, finds what one finds that looks for candidates."""
    scanner = Scanner([Lens(FILTER, UTC)])
    scan(LINE * 10, scanner)
    assert scan(b"".join(lines), scanner) == scan(b"".join(lines))
