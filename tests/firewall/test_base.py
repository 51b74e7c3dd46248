"""firewall/base.py: how long the kernel is told to keep a ban."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.firewall.base import LONGEST, seconds_left


@pytest.mark.parametrize(
    ("until", "seconds"),
    [
        (None, 0),
        (1600.0, 600),
        (1600.001, 601),
        (1000.4, 1),
        (1000.0, 1),
        (900.0, 1),
        (1000.0 + LONGEST, LONGEST),
        (1000.0 + LONGEST + 0.5, LONGEST),
        (1e15, LONGEST),
    ],
)
def test_seconds_left(until, seconds):
    """Rounded up, never 0 but for ever, and never more than the kernel keeps."""
    assert seconds_left(until, 1000.0) == seconds


@given(st.floats(0, 1e12), st.floats(0, 1e12))
def test_a_ban_does_not_end_early(until, now):
    """The kernel's end is the ban's or up to a second later, as long as it is still to come and not too far off."""
    seconds = seconds_left(until, now)
    assert 1 <= seconds <= LONGEST
    if 0 < until - now <= LONGEST:
        assert 0 <= seconds - (until - now) <= 1
