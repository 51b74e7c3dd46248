"""jail/journaled.py: what changed in a window."""

from hypothesis import given
from hypothesis import strategies as st

from banwatch.jail.journaled import JournaledWindow
from banwatch.jail.window import Window

KEYS = st.sampled_from("abcdef")
TIMES = st.integers(0, 40).map(float)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), KEYS, TIMES, st.integers(1, 3)),
        st.tuples(st.just("take"), KEYS, TIMES),
        st.tuples(st.just("discard"), KEYS),
        st.tuples(st.just("ask")),
    ),
    max_size=40,
)


@given(STEPS)
def test_changes_make_the_same_window(steps):
    """However often it is asked, whoever puts the changes on top of each other has what the window has, in its order."""
    window, plain, copy = JournaledWindow(20.0, 4, 4), Window(20.0, 4, 4), {}

    def ask():
        for key, record in window.changes():
            copy.pop(key, None)
            if record:
                copy[key] = record

    for step, *arguments in steps:
        if step == "ask":
            ask()
        elif step == "add":
            key, at, attempts = arguments
            assert window.add(key, at, None, attempts) == plain.add(key, at, None, attempts)
        elif step == "take":
            key, at = arguments
            for one in (window, plain):
                one.take(key, lambda when, _, at=at: when == at)
        else:
            window.discard(*arguments)
            plain.discard(*arguments)
    ask()
    assert window.changes() == []
    assert list(window.items()) == list(plain.items())
    held = dict(window.items())
    assert {key: record for key, record in copy.items() if key in held} == held
    newest = max((record[-2] for record in held.values()), default=0.0)
    assert all(copy[key][-2] <= newest for key in copy.keys() - held.keys())  # swept: too old to count


@given(STEPS)
def test_another_life_goes_on(steps):
    """A window that was loaded counts as the one that was dumped."""
    window = JournaledWindow(20.0, 4, 100)
    for step, *arguments in steps:
        if step == "add":
            window.add(arguments[0], arguments[1], "root", arguments[2])
    loaded = JournaledWindow(20.0, 4, 100)
    loaded.load(window.dump())
    assert loaded.changes() == window.changes() == []
    assert list(loaded.items()) == list(window.items())
    for key in "abcdef":
        assert loaded.add(key, 40.0, "root") == window.add(key, 40.0, "root")


def test_whoever_is_evicted_has_changed():
    """A key that had to make room holds nothing any more."""
    window = JournaledWindow(100.0, 5, 2)
    for number, key in enumerate("abc"):
        window.add(key, float(number), None)
    assert window.changes() == [("a", ()), ("b", (1.0, None)), ("c", (2.0, None))]
