import re

from hypothesis import given
from hypothesis import strategies as st

from banwatch.filter import tree
from banwatch.filter.symbols import symbol, symbols

CLASSES = ["a", "[^a]", ".", r"\d", r"\W", r"[\s,x-z]", r"[^\w-]", "ſ", "[ā-ž]", "[^k]", "[k-s]", "İ"]


@given(st.sampled_from(CLASSES), st.sampled_from([0, re.IGNORECASE, re.DOTALL]), st.characters(exclude_categories=["Cs"]))
def test_nothing_is_left_out(regex, flags, character):
    """Whatever a class matches is in its set."""
    ((op, argument),) = tree.parse(regex, flags)
    if re.match(regex, character, flags):
        assert symbols(op, argument, flags) & symbol(character)


def test_classes_that_do_not_meet():
    """Digits and blanks have nothing in common, and a letter with its other case has."""
    (digits, blanks, small, large) = (tree.parse(regex, 0)[0] for regex in (r"[0-9]", " ", "a", "A"))
    assert not symbols(*digits, 0) & symbols(*blanks, 0)
    assert not symbols(*small, 0) & symbols(*large, 0)
    assert symbols(*small, re.IGNORECASE) & symbols(*large, 0)
