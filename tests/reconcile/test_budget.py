"""reconcile/budget.py: how often may be repaired."""

from hypothesis import given
from hypothesis import strategies as st

from banwatch.reconcile.budget import Budget


def test_five_in_ten_minutes():
    """The sixth has to wait until the first is ten minutes old, and so on."""
    budget = Budget()
    assert [budget.spend(at) for at in (0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 599.0)] == [True] * 5 + [False] * 2
    assert [budget.spend(at) for at in (600.0, 601.0, 700.0, 701.0)] == [True, False, True, False]


def test_what_did_not_come_about_is_not_counted():
    """It can be tried again at once."""
    budget = Budget(most=1)
    assert budget.spend(0.0)
    budget.refund()
    assert [budget.spend(1.0), budget.spend(600.0), budget.spend(601.0)] == [True, False, True]


@given(st.lists(st.floats(0.0, 100.0)).map(sorted))
def test_never_more_than_that(instants):
    """Whenever they are asked for, no window of that length holds more; and a refusal always has its reason."""
    budget = Budget(most=3, within=10.0)
    spent = []
    for at in instants:
        recent = [past for past in spent if past > at - 10.0]
        allowed = budget.spend(at)
        assert allowed == (len(recent) < 3)
        if allowed:
            spent.append(at)
