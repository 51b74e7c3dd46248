"""jail/known.py: who got in, from where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.jail.known import DAY, FRESH, KEPT, MANY, MONTH, Known

NAT, OTHER = "203.0.113.7", "198.51.100.1"
NOON = 20_000 * DAY + DAY / 2


def test_an_address_that_many_share():
    """Five logins within a day make it one; the same login five times does not."""
    known = Known()
    for number in range(MANY):
        known.note(OTHER, "bob", NOON + number)
        assert not known.is_shared(NAT, NOON)
        known.note(NAT, f"user{number}", NOON + number)
    assert known.is_shared(NAT, NOON + DAY)
    assert not known.is_shared(NAT, NOON + DAY + 1)
    assert not known.is_shared(OTHER, NOON)


def test_the_latest_logins_decide():
    """Whoever got in today counts, not who got in once."""
    known = Known()
    for day in range(3):
        for number in range(MANY + 2):
            known.note(NAT, f"user{day}{number}", NOON + day * DAY)
    assert known.is_shared(NAT, NOON + 3 * DAY)


@pytest.mark.parametrize(
    ("who", "unit"),
    [
        ("203.0.113.0/24", NAT),
        ("203.0.113.7", None),
        ("203.0.112.0/24", None),
        ("2001:db8:1::/48", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::7", None),
    ],
)
def test_shared_within(who, unit):
    """A network holds addresses and units of its own family."""
    known = Known()
    for shared in (NAT, "2001:db8:1:2::/64") if unit else ("2001:db8:1:2::/64",):
        for number in range(MANY):
            known.note(shared, f"user{number}", NOON)
    assert known.shared_within(who, NOON) == unit
    assert known.shared_within(who, NOON + 2 * DAY) is None


def test_was_in():
    """A success helps for a day, and only the address it came from."""
    known = Known()
    known.note(NAT, "bob", NOON)
    assert known.was_in(NAT, NOON + DAY)
    assert not known.was_in(NAT, NOON + DAY + 1)
    assert not known.was_in("203.0.113.8", NOON)


@pytest.mark.parametrize(
    ("times", "home"),
    [
        ([0.0], False),
        ([0.0, 3600.0], False),
        ([0.0, DAY], True),
        ([DAY, 0.0], True),  # a line that comes late
        ([0.0, DAY, DAY + 60.0], True),
        ([0.0, DAY / 2, DAY / 2 + 1], True),  # over midnight
        ([-MONTH, 0.0], False),
        ([-MONTH, 0.0, DAY], True),
    ],
)
def test_is_home(times, home):
    """A network is a login's own after good logins on two different days of a month."""
    known = Known()
    for time in times:
        known.note(NAT, "bob", NOON + time)
    assert known.is_home("bob", "203.0.113.99", NOON + max(times) + 60.0) is home
    assert not known.is_home("eve", NAT, NOON + max(times))
    assert not known.is_home("bob", OTHER, NOON + max(times))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=60))
def test_it_is_bounded(notes):
    """Whatever comes, no more is remembered than there is room for."""
    known = Known(room=4)
    for at, (host, login) in enumerate(notes):
        known.note(f"203.0.113.{host}", f"user{login}", NOON + at * FRESH)
        known.is_shared(f"203.0.113.{host}", NOON + at * FRESH)
    assert len(known) <= 4
    assert len(known._homes) <= 4
    assert known._shared <= known._hosts.keys()
    assert all(len(logins) <= KEPT for logins in known._hosts.values())


def test_homes_and_who_ever_got_in():
    """The networks of a login within a month; whoever got in once is known, in another life, too."""
    known, again = Known(), Known()
    known.note(OTHER, "bob", NOON - DAY)
    known.note(OTHER, "bob", NOON)
    known.note(NAT, "eve", NOON)
    again.load(*known.changes(everything=True))
    for one in (known, again):
        assert [one.homes(login, NOON) for login in ("bob", "eve")] == [("198.51.100",), ()]
        assert one.homes("bob", NOON + MONTH) == ()
        assert [one.ever(login) for login in ("bob", "eve", "joe")] == [True, True, False]


def test_logins_have_a_bound():
    """Of more logins than there is room for, those that succeeded first are forgotten."""
    known = Known(room=10)
    for number in range(11):
        known.note(NAT, f"user{number}", NOON)
    assert [number for number in range(11) if known.ever(f"user{number}")] == list(range(5, 11))
