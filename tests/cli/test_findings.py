"""cli/findings.py: the lines of a log that a filter matches, and those that it misses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.cli.findings import Sampled, Seen, Summary, describe, scan_lines
from banwatch.config.model import FilterSpec
from banwatch.filter import Lens, Scanner, compile_filter
from banwatch.model import Chunk, Position

SPEC = FilterSpec("own", header=(r"^prog ",), failregex={"auth": ("^a <HOST>$",)}, successregex=("^s <HOST>$",))
FILTER = compile_filter(SPEC)


def chunks(*texts):
    return [Chunk("log", text if isinstance(text, bytes) else text.encode(), 0, Position(0, 0, 0), False, 0.0) for text in texts]


def seen(*texts, missed=None):
    return list(scan_lines(Scanner([Lens(FILTER)]), chunks(*texts), 0.0, missed))


@given(st.lists(st.lists(st.sampled_from(["prog a 192.0.2.7", "prog x", "other", "prog s 2001:db8::7", ""]), min_size=1)))
def test_every_line_has_its_number(pieces):
    """However the log is cut: what matches, and what of the rest has the header, counted from 1."""
    lines = [line for piece in pieces for line in piece]
    found = seen(*("".join(f"{line}\n" for line in piece) for piece in pieces), missed="utf-8")
    expected = [(number, line) for number, line in enumerate(lines, 1) if line.startswith("prog")]
    assert [(each.line, each.text) for each in found] == expected
    matched = [each.line for each in found if each.match is not None]
    assert matched == [each.line for each in seen(*("".join(f"{line}\n" for line in piece) for piece in pieces))]


def test_what_is_missed_is_decoded():
    """As the log's encoding says; what is no text in it is escaped."""
    assert [each.text for each in seen(b"prog \xfc\r\n", missed="latin-1")] == ["prog ü"]
    assert [each.text for each in seen(b"prog \xfc\n", missed="utf-8")] == ["prog \\xfc"]


def test_objects():
    """All that is known of a match; of a missed line its text."""
    found, missed = seen("prog a 192.0.2.7\nprog x\n", missed="utf-8")
    assert describe(found, "own") == {
        "file": "log", "line": 1, "at": None, "filter": "own", "kind": "auth", "ip": "192.0.2.7", "login": None, "count": 1,
        "regex": "failregex.auth[0]", "tags": {"ip": "192.0.2.7"},
    }  # fmt: skip
    assert describe(missed, "own") == {"file": "log", "line": 2, "filter": "own", "kind": None, "text": "prog x"}


def test_summary():
    """Hits of each regex, those without any too, and the sums."""
    summary = Summary(SPEC, FILTER)
    for each in seen("prog a 192.0.2.7\nprog x\nprog a 192.0.2.7\n", missed="utf-8"):
        summary.add(each)
    assert list(summary.render(3)) == [
        "       2  failregex.auth[0]  ^a <HOST>$",
        "       0  successregex[0]    ^s <HOST>$",
        "own: 3 lines, 2 matched (2 auth), 1 missed",
    ]


@pytest.mark.parametrize(
    ("texts", "chosen"),
    [
        (("other\nprog x\n", "prog y\n"), Seen("log", 2, None, "prog x")),
        (("other\nmore\n",), Seen("log", 1, None, "other")),
        ((), None),
    ],
)
def test_a_sample(texts, chosen):
    """Of the first lines one that the filter would read, else the very first."""
    sampled = Sampled(chunks(*texts))
    assert len(list(sampled)) == len(texts)
    assert sampled.choose(Scanner([Lens(FILTER)])) == chosen
