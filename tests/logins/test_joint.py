"""logins/joint.py: what a door and a log tell of counts once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from banwatch.logins.joint import FORGET, Joint

IP, OTHER = "203.0.113.7", "203.0.113.8"


def left(joint, attempts=1, ip=IP, kind="auth", at=0.0, filter="dovecot"):
    """How many of a line's attempts count."""
    return joint.left(filter, kind, at, ip, attempts)


@settings(deadline=None)
@given(st.lists(st.one_of(st.just("door"), st.integers(1, 4))))
def test_whoever_tells_more_is_believed(told):
    """In whatever order a door and a log tell, as many count as the one that told of more has told of."""
    joint = Joint()
    counted = sum(joint.told("dovecot", IP, 0.0) if one == "door" else left(joint, one) for one in told)
    assert counted == max(told.count("door"), sum(one for one in told if one != "door"))


def test_each_address_and_service_by_itself():
    """What one address did at one service says nothing about another."""
    joint = Joint()
    joint.told("dovecot", IP, 0.0)
    assert left(joint, ip=OTHER) == 1
    assert left(joint, filter="exim4") == 1
    assert left(joint) == 0


def test_what_is_no_failed_login_passes():
    """Successes, other kinds, and lines without an address are as they were."""
    joint = Joint()
    joint.told("dovecot", IP, 0.0)
    for about in ({"kind": "success"}, {"kind": "loiter"}, {"ip": None}):
        assert left(joint, 2, **about) == 2


def test_a_line_that_tells_of_more():
    """A line about three attempts, of which a door has told two, counts one; and is untouched where there was no door."""
    joint = Joint()
    joint.told("dovecot", IP, 0.0)
    joint.told("dovecot", IP, 1.0)
    assert left(joint, 3) == 1
    assert left(joint, 3, OTHER) == 3


def test_long_ago():
    """What was told long before is another story, also by a line without a date."""
    joint = Joint()
    joint.told("dovecot", IP, 0.0)
    assert left(joint, at=FORGET + 1) == 1
    joint.told("dovecot", OTHER, 2 * FORGET)
    assert left(joint, ip=OTHER, at=None) == 0


def test_room():
    """Of more addresses than there is room for, those heard of first are forgotten."""
    joint = Joint(room=10)
    for number in range(11):
        joint.told("dovecot", f"203.0.113.{number}", 0.0)
    assert [left(joint, ip=f"203.0.113.{number}") for number in range(5, 11)] == [0] * 6
    assert left(joint, ip="203.0.113.0") == 1
