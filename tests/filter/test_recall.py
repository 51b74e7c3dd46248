"""filter/recall.py: what a Once knows goes on."""

from hypothesis import given
from hypothesis import strategies as st

from banwatch.filter.once import Once
from banwatch.filter.recall import MOST, dump_once, load_once
from banwatch.model import Match

kinds = st.sampled_from(["auth", "auth", "success"])
lines = st.tuples(
    kinds,
    st.integers(0, 30),
    st.sampled_from(["192.0.2.7", None]),
    st.sampled_from(["root", "bob"]),
    st.integers(1, 3),
    st.integers(0, 1),
    st.booleans(),
    st.sampled_from([None, "1", "2"]),
)


def match(kind, at, ip, login, attempts, number, hint, session):
    return Match(0, "sshd", kind, float(at), ip, login, attempts, number, hint, session, "", 0, {})


@given(st.lists(lines, max_size=20).map(lambda some: sorted(some, key=lambda line: line[1])), st.integers(0, 20))
def test_whoever_goes_on_counts_the_same(lines, cut):
    """Interrupted after any line, and asked in between: each attempt still counts once."""
    whole, first, saved, since = Once(), Once(), {}, float("-inf")
    for number, line in enumerate(lines):
        if number == cut:
            second = Once()
            load_once(second, "sshd", saved.items())
            first = second
        assert first.admit(match(*line)) == whole.admit(match(*line))
        saved.update(dump_once(first, since))
        since = first.time


def test_a_flood_is_cut():
    """No more at once than takes a few milliseconds."""
    once = Once()
    for number in range(MOST + 5):
        once.admit(match("auth", 1, f"10.0.{number >> 8}.{number & 255}", "root", 1, 0, True, str(number)))
    assert len(dump_once(once, 0.0)) == MOST
    assert dump_once(once, 9.0) == []
