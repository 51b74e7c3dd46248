"""book/timers.py: what is due comes out once, at its last set instant."""

from hypothesis import given
from hypothesis import strategies as st

from banwatch.book.timers import Timers

steps = st.lists(
    st.tuples(st.sampled_from(["set", "cancel", "pop"]), st.integers(0, 5), st.integers(0, 50)),
    max_size=200,
)


@given(steps)
def test_agrees_with_a_plain_dictionary(steps):
    """Whatever is set, replaced, cancelled and popped: the same as a dictionary that is searched."""
    timers: Timers[int] = Timers()
    model: dict[int, float] = {}
    for verb, key, at in steps:
        if verb == "set":
            timers.set(key, at)
            model[key] = at
        elif verb == "cancel":
            timers.cancel(key)
            model.pop(key, None)
        else:
            due = timers.pop_due(at)
            assert sorted(due) == sorted(k for k, v in model.items() if v <= at)
            assert [model[k] for k in due] == sorted(model[k] for k in due)
            for k in due:
                del model[k]
        assert timers.next_due() == min(model.values(), default=None)
        assert len(timers) == len(model)


def test_memory_stays_within_what_is_due():
    """A key that is set a million times does not leave a million entries behind."""
    timers: Timers[str] = Timers()
    for at in range(10_000):
        timers.set("one", float(at))
    assert len(timers._heap) <= 2 + 64 + 1
