"""Lines in which a client says what stands in other lines of the same service: a piece of an example, cut out anywhere."""

import re

import pytest
from tests.filters.test_hostile import HOSTILE, REAL, fill

SOMEBODY = "203.0.113.9"
ADDRESSES = re.compile(r"(?:::ffff:)?192\.0\.2\.(?:100|7)\b|2001:db8:7::7|198\.51\.100\.\d+")
FEW = 8
"""Cuts on each side of the address: those next to it, where what is not yet said may be completed by the service."""


def pieces(spec):
    """Pieces of the examples that count, with somebody else's address in them."""
    found = set()
    for example in spec.examples:
        if example.kind is None:
            continue
        log = ADDRESSES.sub(SOMEBODY, example.log)
        begin = log.index(SOMEBODY)
        end = begin + len(SOMEBODY)
        cuts = [at for at in range(1, len(log)) if not (log[at - 1].isalnum() and log[at].isalnum())]
        before = [at for at in cuts if at < begin]
        after = [at for at in cuts if at > end]
        for left in {*before[-FEW:], begin}:
            found.update(log[left:right] for right in (end, *after[:FEW], *after[-2:], len(log)))
    return sorted(found)


@pytest.mark.parametrize("name", HOSTILE["lines"])
def test_what_one_line_says_is_nothing_in_another(shipped, name):
    """Whatever piece of a line that counts a client says, and wherever, its own address is blamed or nobody's."""
    one = shipped(name)
    said = pieces(one.spec)
    assert said
    for line in HOSTILE["lines"][name]:
        places = line.count("{}")
        for place in range(places):
            for piece in said:
                match = one.match(fill(line, ["x"] * place + [piece] + ["x"] * (places - place)))
                assert match is None or (match.ip, match.kind == "success") == (REAL, False), (line, piece)
