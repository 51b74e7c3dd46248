"""Lines in which everything that a stranger may choose is as bad as it can be; see hostile.yaml."""

import json
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from banwatch.filter.scan import LONGEST

FILES = [yaml.load(path.read_text(), yaml.BaseLoader) for path in sorted(Path(__file__).parent.glob("hostile*.yaml"))]
HOSTILE = {
    "lines": {k: v for file in FILES for k, v in file["lines"].items()},
    "pieces": [p for file in FILES for p in file["pieces"]],
}
REAL = "192.0.2.7"
OTHERS = ("203.0.113.9", "2001:db8:bad::9", "::ffff:203.0.113.9")

PIECES = st.sampled_from([piece.replace("{ip}", ip) for piece in HOSTILE["pieces"] for ip in OTHERS])
ODD = st.sampled_from(["\r", "\t", "é", "\u2028", "\x85", "\udcff", "\\n"]) | st.text(st.characters(codec="ascii"), max_size=4)
TEXT = st.lists(PIECES | ODD, max_size=7).map("".join)
LINES = [
    pytest.param(name, line, id=f"{name}-{number}")
    for name, lines in HOSTILE["lines"].items()
    for number, line in enumerate(lines)
]


def fill(line, texts):
    """`line` with the texts, less what no service lets through: a line end or a NUL is escaped or cut by all of them."""
    first, *rest = line.split("{}")
    if '{"' in line:
        chosen = (json.dumps(text)[1:-1] for text in texts)
    else:
        chosen = (text.replace("\n", "\\n").replace("\0", "") for text in texts)
    return first + "".join(text + piece for text, piece in zip(chosen, rest, strict=False))


@pytest.mark.parametrize(("name", "line"), LINES)
@settings(max_examples=100)
@given(texts=st.lists(TEXT, min_size=5, max_size=5))
def test_nobody_else_is_blamed(shipped, name, line, texts):
    """Whatever a client chooses to say, a line blames its own address or nobody, and is never a good login."""
    match = shipped(name).match(fill(line, texts))
    if match is not None:
        assert (match.ip, match.kind == "success") == (REAL, False)


@pytest.mark.parametrize(("name", "line"), LINES)
def test_each_piece_alone_blames_nobody_else(shipped, name, line):
    """The same, without chance: every piece in every place."""
    for piece in HOSTILE["pieces"]:
        for place in range(line.count("{}")):
            match = shipped(name).match(fill(line, ["x"] * place + [piece.replace("{ip}", OTHERS[0])] + ["x"] * 5))
            assert match is None or (match.ip, match.kind == "success") == (REAL, False), piece


@pytest.mark.parametrize("name", HOSTILE["lines"])
@settings(max_examples=200)
@given(data=st.lists(st.binary(max_size=40) | PIECES.map(str.encode), max_size=12).map(b"".join))
def test_bytes_of_any_kind_are_read(shipped, name, data):
    """Whatever stands behind a header, or instead of one, gives matches or nothing, and no error."""
    one = shipped(name)
    heads = {line.partition("{}")[0].partition(": ")[0] + ": " for line in HOSTILE["lines"][name]} | {""}
    for match in one.scan(b"".join(head.encode() + data + b"\n" for head in heads)).values():
        assert match.ip is not None


def _long_lines(one):
    """Each example, with each of its pieces again and again up to the longest line, which then ends unlike any other."""
    for example in one.spec.examples:
        words = example.log.split(" ")
        for number in range(3, len(words)):
            before, piece, after = words[:number], words[number : number + 3], words[number:]
            many = LONGEST // (len(" ".join(piece)) + 1)
            yield " ".join([*before, *piece * many])
            yield " ".join([*before, *piece * (many // 2), *after]) + "\x7f"


def test_the_longest_lines_are_read_in_linear_time(shipped, filter_name):
    """A line of 64 KiB, made of whatever comes close to matching, is done in a moment; in square time it would take minutes."""
    one = shipped(filter_name)
    slowest = 0.0
    for line in _long_lines(one):
        begin = time.perf_counter()
        one.match(line)
        slowest = max(slowest, time.perf_counter() - begin)
    assert slowest < 1.0
