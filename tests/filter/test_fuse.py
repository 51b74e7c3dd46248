import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.filter.fuse import ease_options, fuse, split_atoms


def first_by_trying(sources, text):
    """The model: one after the other."""
    for number, source in enumerate(sources):
        if (found := re.compile(source).match(text)) is not None:
            return number, found.end(), {name: value for name, value in found.groupdict().items() if value is not None}
    return None


def first_by_fusing(sources, text):
    fused = fuse(sources)
    regex = re.compile(f"(?:{fused.source})")
    found = regex.match(text)
    if found is None:
        return None
    name = {index: name for name, index in regex.groupindex.items()}[found.lastindex]
    tags = {
        key.removeprefix(f"{name}_"): value
        for key, value in found.groupdict().items()
        if key.startswith(f"{name}_") and value is not None
    }
    return fused.branches[name], found.end(), tags


@pytest.mark.parametrize(
    ("source", "atoms"),
    [
        (r"a\(b", ("a", r"\(", "b")),
        ("(?:a|b)?c+", ("(?:a|b)?", "c+")),
        ("[(]{2,3}?x", ("[(]{2,3}?", "x")),
        ("[]a](?P<x>(y))*+", ("[]a]", "(?P<x>(y))*+")),
    ],
)
def test_split_atoms(source, atoms):
    """A regex is a sequence of pieces, each with its quantifier."""
    assert split_atoms(source) == atoms


@pytest.mark.parametrize(
    ("source", "eased"),
    [("(?:a)?b", "(?:a|)b"), ("(?:a)??", "(?:a)??"), ("(?:a)?+", "(?:a)?+"), ("[(?:a)?]", "[(?:a)?]"), ("(a)?", "(a)?")],
)
def test_ease_options(source, eased):
    """Only a greedy option in a group without a name is written as an alternative."""
    assert ease_options(source) == eased


def test_the_first_one_wins():
    """Where several match, it is the first in order, even if a later one begins alike."""
    sources = ["ab(?P<x>c?)", "ab(?P<x>c)d"]
    assert first_by_fusing(sources, "abcd") == (0, 3, {"x": "c"})


def test_a_group_at_the_beginning_stays_with_its_branch():
    """Each branch has its own groups, also where all begin with the same one."""
    sources = ("(?P<session>)ab", "(?P<session>)ac")
    assert first_by_fusing(sources, "ac") == first_by_trying(sources, "ac") == (1, 2, {"session": ""})


def test_a_beginning_that_can_match_in_two_ways_is_not_shared():
    """Else the second branch would win with the first way, before the first branch could try the second."""
    sources = ["(?:a|ab)c", "(?:a|ab)b"]
    assert first_by_fusing(sources, "abc") == first_by_trying(sources, "abc") == (0, 3, {})


pieces = st.sampled_from(
    ["a", "b", "(?:ab)?", "(?:a|b)", "(?:a|ab)", "(?P<NAME>a*)", "(?P<NAME>[ab]+?)", ".*", "[^a]", "(?:b )?", "$", " "]
)


@st.composite
def regexes(draw):
    parts = draw(st.lists(pieces, min_size=1, max_size=6))
    return "".join(part.replace("NAME", f"n{index}") for index, part in enumerate(parts))


@given(st.lists(regexes(), min_size=1, max_size=5), st.lists(st.text("ab ", max_size=8), max_size=5))
def test_fusing_is_trying_in_order(sources, texts):
    """The one regex finds what the many find, one after the other: the same one, as far, with the same captures."""
    for text in texts:
        assert first_by_fusing(sources, text) == first_by_trying(sources, text)
