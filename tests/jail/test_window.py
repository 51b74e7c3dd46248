"""jail/window.py: an exact sliding window for many keys."""

import tracemalloc
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.jail.window import Window

EPOCH = 1_763_600_000
MICRO = 1_000_000


def instant(micros):
    """Seconds since the epoch, as a line with microseconds gives them."""
    return EPOCH + micros / MICRO


class Model:
    """What a window holds, in whole microseconds and by looking at everything each time."""

    def __init__(self, findtime, maxretry=10**9, budget=10**9):
        self.findtime, self.maxretry, self.budget = findtime, maxretry, budget
        self.attempts = defaultdict(list)
        self.touched = {}
        self.evicted = []
        self.clock = 0

    def add(self, key, at, other, attempts=1):
        if key not in self.attempts and len(self.attempts) >= self.budget:
            self.make_room(at)
        self.clock += 1
        newest = max([at, *(seen for seen, _ in self.attempts[key])])
        if at < newest - self.findtime:
            return 0
        kept = self.attempts[key] + [(at, other)] * attempts
        self.attempts[key] = sorted([a for a in kept if a[0] >= newest - self.findtime], key=lambda a: a[0])
        self.touched[key] = self.clock
        return len(self.attempts[key])

    def make_room(self, at):
        order = sorted(self.attempts, key=lambda key: (len(self.attempts[key]), self.touched[key]))
        self.evicted.append(order[0])
        del self.attempts[order[0]]


@pytest.mark.parametrize(
    ("age", "count"),
    [(0, 2), (599_999_999, 2), (600_000_000, 2), (600_000_001, 1), (10**12, 1)],
)
@pytest.mark.parametrize("start", [0, 100_000, 123_457, 999_999])
def test_the_edge_is_exact_to_the_microsecond(age, count, start):
    """An attempt exactly findtime old counts, one a microsecond older does not, whatever the digits of the clock are."""
    window = Window(600.0, 5, 10)
    assert window.add("a", instant(start), None) == 1
    assert window.add("a", instant(start + age), None) == count


def test_late_lines():
    """A line that comes late counts in its place; one older than findtime before the newest does not count."""
    window = Window(600.0, 5, 10)
    window.add("a", 1000.0, "first")
    assert window.add("a", 399.0, "too old") == 0
    assert window.add("a", 400.0, "late") == 2
    assert window.add("a", 700.0, "between") == 3
    assert window.attempts("a") == [(400.0, "late"), (700.0, "between"), (1000.0, "first")]
    assert window.add("a", 1300.0, "last") == 3
    assert [other for _, other in window.attempts("a")] == ["between", "first", "last"]


@given(st.integers(0, 30), st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60), st.integers(1, 3)), max_size=40))
def test_counts_are_those_of_a_list(findtime, stream):
    """In any order of lines, the count is the length of a list of what is within findtime of the newest."""
    window, model = Window(findtime / 10, 10**6, 10), Model(findtime * MICRO // 10)
    for number, (key, tenths, attempts) in enumerate(stream):
        at = tenths * MICRO // 10
        assert window.add(key, instant(at), number, attempts) == model.add(key, at, number, attempts)
        assert window.attempts(key) == [(instant(seen), other) for seen, other in model.attempts[key]]
    assert sorted(window.failing(instant(6 * MICRO))) == sorted(
        key for key, kept in model.attempts.items() if any(seen >= 6 * MICRO - findtime * MICRO // 10 for seen, _ in kept)
    )


@pytest.mark.parametrize("maxretry", [1, 2, 3, 7])
def test_a_full_key_is_empty(maxretry):
    """At maxretry the window of the key is empty and its record at hand; the next attempt is the first again."""
    window = Window(600.0, maxretry, 10)
    for start in (0.0, 1000.0):
        counts = [window.add("a", start + number, number) for number in range(maxretry)]
        assert counts == list(range(1, maxretry + 1))
        assert window.spent[1::2] == tuple(range(maxretry))
        assert len(window) == 0


def test_a_lower_maxretry_holds_at_the_next_attempt():
    """What was counted under a higher one is not lost, and is enough now."""
    window = Window(600.0, 9, 10)
    for at in (1.0, 2.0, 3.0):
        window.add("a", at, None)
    window.maxretry = 2
    assert len(window) == 1
    assert window.add("a", 4.0, None) == 4
    assert len(window) == 0


def test_many_attempts_of_one_line_take_little_room():
    """All attempts of a line are counted, but no more than maxretry of them are kept."""
    window = Window(600.0, 3, 10)
    assert window.add("a", 0.0, "x", 4_000_000_000) == 4_000_000_000
    assert window.spent == (0.0, "x") * 3
    window.add("a", 0.0, "x", 2)
    assert window.add("a", 1.0, "y", 7) == 9
    assert window.spent == (0.0, "x") * 2 + (1.0, "y") * 3


@given(st.integers(1, 4), st.lists(st.sampled_from("abcdef"), max_size=60))
def test_eviction_takes_the_lowest_count_then_the_oldest(budget, stream):
    """A key too many costs the one with the fewest attempts its place; among equals the one that was quiet the longest."""
    window, model = Window(1e6, 10**6, budget), Model(10**12, budget=budget)
    for at, key in enumerate(stream):
        assert window.add(key, float(at), None) == model.add(key, at, None)
        assert {key for key, _ in window.items()} == set(model.attempts)
        assert len(window) == len(model.attempts)
    assert window.evicted == len(model.evicted)


def test_a_spray_cannot_push_out_a_high_count():
    """A hundred thousand sprayed addresses go by, and the one with two attempts is still known."""
    window = Window(1e9, 3, 1000)
    window.add("attacker", 0.0, None)
    window.add("attacker", 1.0, None)
    for number in range(100_000):
        window.add(f"spray {number}", 2.0 + number, None)
        assert len(window) <= 1000
    assert window.add("attacker", 200_000.0, None) == 3
    assert 100_001 - 1000 <= window.evicted <= 100_001 - 1000 + 1000 // 128


def test_a_newcomer_is_counted_even_if_all_others_have_more():
    """Where no key has one attempt only, a sixteenth goes, the fewest attempts first and the oldest of these."""
    window = Window(1e9, 9, 32)
    for number in range(32):
        for _ in range(3 if number % 2 else 2):
            window.add(str(number), float(number), None)
    window.add("new", 100.0, None)
    gone = {str(number) for number in range(32)} - {key for key, _ in window.items()}
    assert gone == {"0", "2"}
    assert window.add("new", 101.0, None) == 2
    assert window.evicted == 2


def test_expired_keys_go_before_any_is_given_up():
    """Under pressure, keys whose attempts are all older than findtime make room first; they are not counted as evicted."""
    window = Window(10.0, 3, 4)
    for key in "ab":
        window.add(key, 0.0, None)
        window.add(key, 1.0, None)
    for key in "cd":
        window.add(key, 12.0, None)
    assert window.add("e", 13.0, None) == 1
    assert [key for key, _ in window.items()] == ["c", "d", "e"]
    assert window.evicted == 0


def test_sweep_drops_what_is_older_than_findtime():
    """At findtime a key is still there, after it it is gone; a sweep that had its fill says that there may be more."""
    window = Window(10.0, 5, 100)
    for number in range(6):
        for _ in range(1 + number % 2):
            window.add(str(number), float(number), None)
    assert not window.sweep(12.0)
    assert sorted(key for key, _ in window.items()) == ["2", "3", "4", "5"]
    assert window.sweep(20.0, most=2)
    assert len(window) == 2
    assert not window.sweep(20.0, most=20)
    assert len(window) == 0
    assert window.evicted == 0


def test_memory_comes_back_after_an_attack():
    """When everything has expired, the window costs next to nothing again, also what had grown in higher levels."""
    tracemalloc.start()
    try:
        window = Window(10.0, 5, 100_000)
        before = tracemalloc.get_traced_memory()[0]
        for number in range(20_000):
            for _ in range(1 + number % 3):
                window.add(f"10.0.{number >> 8}.{number & 255}", 0.0, None)
        full = tracemalloc.get_traced_memory()[0]
        while window.sweep(11.0):
            pass
        # The interpreter keeps up to 2,000 tuples of each length for reuse; they are no part of the window.
        assert tracemalloc.get_traced_memory()[0] - before < (full - before) / 4
    finally:
        tracemalloc.stop()


def test_a_key_with_one_attempt_is_small():
    """A tracked address with one attempt takes at most 250 bytes, its text included."""
    tracemalloc.start()
    try:
        window = Window(600.0, 3, 100_000)
        before = tracemalloc.get_traced_memory()[0]
        for number in range(50_000):
            window.add(f"203.0.{number >> 8}.{number & 255}", EPOCH + number / 1000, "root")
        assert (tracemalloc.get_traced_memory()[0] - before) / 50_000 <= 250
    finally:
        tracemalloc.stop()


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.sampled_from("xyz")), max_size=20),
    st.sets(st.sampled_from("xyz")),
)
def test_take_leaves_what_is_not_wanted(stream, wanted):
    """Taking out is filtering; the other keys are left alone."""
    window = Window(100.0, 100, 10)
    for key, at, other in stream:
        window.add(key, float(at), other)
    before = {key: window.attempts(key) for key in "ab"}
    window.take("a", lambda _at, other: other in wanted)
    assert window.attempts("a") == [attempt for attempt in before["a"] if attempt[1] not in wanted]
    assert window.attempts("b") == before["b"]
    assert len(window) == sum(1 for key in "ab" if window.attempts(key))


def test_discard():
    """A discarded key starts anew, whatever its count was; one that is unknown is no error."""
    window = Window(100.0, 100, 10)
    for _ in range(3):
        window.add("a", 1.0, None)
    window.add("b", 1.0, None)
    for key in "abc":
        window.discard(key)
    assert len(window) == 0
    assert window.add("a", 2.0, None) == 1


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 40)), max_size=40))
def test_items_build_the_same_window(stream):
    """What a store would keep, the items as plain tuples, gives the same window when it is added again."""
    window, again = Window(20.0, 100, 10), Window(20.0, 100, 10)
    for key, at in stream:
        window.add(key, float(at), None)
    for key, record in window.items():
        for at, other in zip(record[::2], record[1::2], strict=True):
            again.add(key, at, other)
    assert list(again.items()) == list(window.items())


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_shift(seconds):
    """Every attempt of every key is moved, and nothing else changes."""
    window = Window(600.0, 3, 10)
    for key, at in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        window.add(key, at, "x")
    window.shift(seconds)
    assert window.attempts("a") == [(1.0 + seconds, "x"), (3.0 + seconds, "x")]
    assert window.attempts("b") == [(2.0 + seconds, "x")]
    assert window.add("a", 602.0 + seconds, "x") == 2
