import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from banwatch.filter import tree
from banwatch.filter.linear import find_doubt


@pytest.mark.parametrize(
    "regex",
    [
        r"^a*$",
        r"^.* from [0-9.]+ port \d{1,5}$",
        r"^.*x.*$",
        r"^(?:x|xy)*z$",
        r"^(?:\d{1,3}\.){3}\d{1,3}$",
        r"^(?>a*)a*$",
        r"^[^\"]*+\"[^\"]*\"$",
        r"^(?:(?! rhost=).)* rhost=\S+ (?:(?! rhost=).)*!$",
        r"^(?:[^']|'(?!;))*';(?:[^']|'(?!;))*';$",
        r"^(?!.*x)a$",
        r"needle in (?:a|the) haystack",
    ],
)
def test_proven(regex):
    """One loop after the other is harmless where no text can go round both, or where nothing can fail behind the last."""
    assert find_doubt(regex) is None


@pytest.mark.parametrize(
    ("regex", "doubt"),
    [
        (r"^(?:a+)+$", "a loop that can be walked in two ways"),
        (r"^(?:a|a)*$", "a loop that can be walked in two ways"),
        (r"^(?:a|aa)*$", "a loop that can be walked in two ways"),
        (r"^.*x.*y$", "two loops that the same text can be in"),
        (r"^\S+:\d+:\S+ x$", "two loops that the same text can be in"),
        (r"^.*a*+b", "two loops that the same text can be in"),
        (r"^.*(?<!x)$|^.*x.*(?<!y)$", "two loops that the same text can be in"),
        (r"a+b", "two loops that the same text can be in"),
        (r"(?m)^a+b", "two loops that the same text can be in"),
        (r"^.*(?!x.*y)z", "two loops that the same text can be in"),
        (r"^(?:a*)*$", "a loop around something that may be empty"),
        (r"^(?:a?){20}$", "too many ways that meet again"),
        (r"^(\w+) \1$", "a reference to what a group matched"),
        (rf"^{'a' * 3000}$", "too large"),
    ],
)
def test_doubts(regex, doubt):
    """What may take more than linear time is not proven, and the reason is given."""
    assert find_doubt(regex) == doubt


def steps(nodes, text):
    """How many characters a backtracking engine looks at before it knows that `nodes`, with no end of them, do not match."""
    count = 0

    def walk(rest, place):
        """Every way to match `rest` from `place`: the places where it ends."""
        nonlocal count
        if not rest:
            yield place
            return
        (op, argument), *behind = rest
        if op is tree.LITERAL:
            count += 1
            if place < len(text) and ord(text[place]) == argument:
                yield from walk(behind, place + 1)
        elif op is tree.IN:
            count += 1
            if place < len(text) and any(ord(text[place]) == code for _, code in argument):
                yield from walk(behind, place + 1)
        elif op is tree.SUBPATTERN:
            yield from walk([*argument[3], *behind], place)
        elif op is tree.BRANCH:
            for branch in argument[1]:
                yield from walk([*branch, *behind], place)
        elif op is tree.ATOMIC_GROUP:
            for end in walk(list(argument), place):
                yield from walk(behind, end)
                break
        else:
            fewest, most, inner = argument
            if most:
                for end in walk(list(inner), place):
                    if end > place:
                        more = (max(0, fewest - 1), most if most is tree.MAXREPEAT else most - 1, inner)
                        yield from walk([(op, more), *behind], end)
            if not fewest:
                yield from walk(behind, place)

    assert all(False for end in walk([*nodes, (tree.LITERAL, ord("c"))], 0))
    return count


REGEXES = st.recursive(
    st.sampled_from(["a", "b", "ab"]),
    lambda inner: (
        st.lists(inner, min_size=2, max_size=3).map("".join)
        | st.lists(inner, min_size=2, max_size=2).map(lambda pair: f"(?:{pair[0]}|{pair[1]})")
        | st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "{1,2}"])).map(lambda pair: f"(?:{pair[0]}){pair[1]}")
        | inner.map(lambda regex: f"(?>{regex})")
    ),
    max_leaves=6,
)


@given(REGEXES)
def test_the_proof_is_right(regex):
    """Where there is a proof, twice the text takes no more than about twice the steps, whatever is repeated in it."""
    assume(find_doubt(f"^{regex}c") is None)
    nodes = list(tree.parse(regex, 0))
    for word in ("".join(letters) for size in (1, 2, 3) for letters in itertools.product("ab", repeat=size)):
        short, long = (steps(nodes, word * times) for times in (8, 16))
        assert long <= 2 * short + 64
