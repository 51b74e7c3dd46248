import re
import threading

from banwatch.filter.bounded import LONGEST, Bounded

EVIL = "a" * 60 + "b"


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_what_is_harmless_is_found():
    """A regex within its budget finds what it always found."""
    bounded = Bounded(re.compile("(?P<x>b+)c"), "")
    assert bounded.search("abbc")["x"] == "bb"
    assert bounded.fullmatch("abbc") is None
    assert (bounded.pattern, dict(bounded.groupindex)) == ("(?P<x>b+)c", {"x": 1})


def test_long_texts_are_no_match():
    """Cut off, a text would end where its writer does not mean it to."""
    bounded = Bounded(re.compile("a$"), "")
    assert bounded.search("a" * LONGEST) is not None
    assert bounded.search("a" * (LONGEST + 1)) is None
    assert bounded.skipped == 1


def test_a_spent_budget_makes_a_pause():
    """A text that takes too long is no match; the regex pauses, each time twice as long, a minute at most, and comes back."""
    clock = Clock()
    bounded = Bounded(re.compile("^(?:a+)+$"), "", 0.01, clock)
    for times, pause in enumerate((1, 2, 4, 8, 16, 32, 60, 60), 1):
        assert bounded.search(EVIL) is None
        assert bounded.blown == times
        clock.now += pause - 0.1
        assert bounded.search("a") is None
        assert bounded.skipped == times
        clock.now += 0.1
    assert bounded.search("a") is not None


def test_pauses_are_short_again():
    """After a time of peace as long as the next pause would have been it starts with a second again."""
    clock = Clock()
    bounded = Bounded(re.compile("^(?:a+)+$"), "", 0.01, clock)
    bounded.search(EVIL)
    clock.now += 4
    assert bounded.search("a") is not None
    bounded.search(EVIL)
    clock.now += 1.1
    assert bounded.search("a") is not None


def test_other_threads():
    """Where no signal arrives only the length is bounded."""
    found = []
    thread = threading.Thread(target=lambda: found.append(Bounded(re.compile("a"), "").search("a")))
    thread.start()
    thread.join()
    assert found[0] is not None
