"""book/ends.py: what ends comes up once, at its present end."""

from hypothesis import given
from hypothesis import strategies as st

from banwatch.book.ends import Ends
from banwatch.model import Target

steps = st.lists(
    st.tuples(st.sampled_from(["add", "lift", "pop"]), st.integers(0, 5), st.integers(0, 50)),
    max_size=200,
)


def target(number):
    return Target("net", f"192.0.2.{number}")


@given(steps)
def test_agrees_with_a_plain_dictionary(steps):
    """Whatever is added, prolonged, lifted and ended: the same as a dictionary that is searched."""
    book = {}
    ends = Ends(lambda jail, who: book.get((jail, who)))
    for verb, number, at in steps:
        key = ("sshd", target(number))
        if verb == "add":
            book[key] = at
            ends.add(at, *key)
        elif verb == "lift":
            book.pop(key, None)
        else:
            due = sorted(until for until in book.values() if until <= at)
            popped = []
            while (found := ends.pop(at)) is not None:
                popped.append(book.pop(found))
            assert popped == due
        assert ends.next() == min(book.values(), default=None)
        ends.compact(len(book), ((until, *key) for key, until in book.items()))


def test_memory_stays_within_what_ends():
    """A ban that is prolonged ten thousand times does not leave ten thousand entries behind."""
    book = {}
    ends = Ends(lambda jail, who: book.get((jail, who)))
    for at in range(10_000):
        book["sshd", target(1)] = float(at)
        ends.add(float(at), "sshd", target(1))
        ends.compact(1, [(float(at), "sshd", target(1))])
    assert len(ends) <= 2 + 64 + 1
