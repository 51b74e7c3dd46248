import pytest

from banwatch.filter.tree import looks_back, parse, refers, stays_within, words


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("abc$", False),
        (r"a\b", False),
        (r"\ba", True),
        ("(?<!x)a", True),
        ("a(?<!x)b", False),
        ("a(?<!xy)b", True),
        ("(?:a?)(?<=x)b", True),
        ("(?:a|^b)", True),
        ("a(?=b)", False),
    ],
)
def test_looks_back(source, expected):
    """Whether what stands before a match can matter to it."""
    assert looks_back(parse(source, 0)) is expected


@pytest.mark.parametrize(
    ("source", "expected"), [("(a)b", False), (r"(a)\1", True), ("(a)?(?(1)b|c)", True), (r"(a)(?=\1)", True)]
)
def test_refers(source, expected):
    """References to groups are found wherever they stand."""
    assert refers(parse(source, 0)) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [("a(?:b|cd)", ["ab", "acd"]), ("(?:x )?y", ["x y", "y"]), ("a+", None), ("[ab]", None), ("(?i:a)", None)],
)
def test_words(source, expected):
    """A tree of plain text and alternatives tells all that it matches; of anything else nothing is said."""
    found = words(parse(source, 0))
    assert (None if found is None else sorted(found)) == expected


@pytest.mark.parametrize(
    ("source", "expected"), [("sshd(?:-session)?", True), (r"\w+", True), (".*", False), (r"\S+", False), ("a:b", False)]
)
def test_stays_within(source, expected):
    """A program's name is known to end where it has to."""
    assert stays_within(parse(source, 0), frozenset("[]:")) is expected
