"""jail/grace.py: keys that were banned a moment ago."""

import pytest

from banwatch.jail.grace import Grace


@pytest.mark.parametrize(
    ("at", "covered"),
    [(399.999999, False), (400.0, True), (1000.0, True), (1005.0, True), (1005.000001, False)],
)
@pytest.mark.parametrize("epoch", [0.0, 1763600000.1])
def test_five_seconds(at, covered, epoch):
    """Lines up to 5 s after the ban belong to it, and so do those that come late from the findtime before it."""
    grace = Grace(10)
    grace.start("a", epoch + 1000.0)
    assert grace.covers("a", epoch + at, 600.0) == covered
    assert not grace.covers("b", epoch + at, 600.0)


def test_sweep():
    """What was over at the clock goes."""
    grace = Grace(10)
    for key, at in (("a", 1.0), ("b", 2.0), ("c", 3.0)):
        grace.start(key, at)
    grace.start("a", 4.0)
    grace.sweep(8.0)
    assert grace == {"c": 3.0, "a": 4.0}


def test_the_budget_holds():
    """However many are banned at once, only so many are remembered, the latest."""
    grace = Grace(4)
    for number in range(100):
        grace.start(str(number), float(number))
        assert len(grace) <= 4
    assert "99" in grace
