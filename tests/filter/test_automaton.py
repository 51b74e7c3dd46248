import pytest

from banwatch.filter import tree
from banwatch.filter.automaton import Automaton, NoProofError, find_parts


def automaton(regex, anchored=True):
    return Automaton(tree.parse(regex, 0), anchored)


def test_steps():
    """From each character to those that can come next; a search goes round at its beginning."""
    after = automaton("ab?c*").after
    assert [dict(each) for each in after] == [{1: 1}, {2: 1, 3: 1}, {3: 1}, {3: 1}]
    assert dict(automaton("a", anchored=False).after[0]) == {0: 1, 1: 1}


def test_ways():
    """Several ways from one character to the next are counted."""
    assert automaton("(?:a+)+").after[1][1] == 2


def test_ends():
    """What nothing more is asked for behind; a look back asks."""
    assert automaton("ab*$").ends == {1, 2}
    assert automaton("ab*(?<!a)$").ends == frozenset()


def test_forbidden_texts():
    """A look ahead says which text cannot begin at a character."""
    assert [sorted(each) for each in automaton("x(?!no)[^y]").forbids] == [[], ["xno"], [], [], ["no"]]


def test_no_such_automaton():
    """References need a memory, and a loop around nothing has no end."""
    with pytest.raises(NoProofError, match="a reference"):
        automaton(r"(a)\1")
    with pytest.raises(NoProofError, match="may be empty"):
        automaton("(?:a*)*")


def test_parts():
    """States that lead to each other are one part, which comes after those it leads to."""
    assert find_parts([[1], [2, 3], [1], []]) == [[3], [1, 2], [0]]
