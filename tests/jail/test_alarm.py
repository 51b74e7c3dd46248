"""jail/alarm.py: accounts that look compromised."""

from banwatch.config.model import AlarmSpec, Limit
from banwatch.jail.alarm import STANDS, Alarms

SPEC = AlarmSpec(Limit(3, 3600.0))


def note(alarms, *seen):
    """The answers to successes of bob, each (network, at)."""
    return [alarms.note("bob", f"203.0.{network}.7", at) for network, at in seen]


def test_many_networks_within_the_time():
    """The third network within an hour raises the alarm, once; the same one again, or neighbours, are one."""
    alarms = Alarms(SPEC)
    assert note(alarms, (1, 0.0), (1, 1.0), (2, 2.0)) == [(), (), ()]
    assert alarms.note("bob", "203.0.2.8", 3.0) == ()
    assert not alarms.stands("bob", 3.0)
    assert note(alarms, (3, 3600.0), (4, 3601.0)) == [("203.0.1", "203.0.2", "203.0.3"), ()]
    assert alarms.standing(3601.0) == ("bob",)


def test_exactly_the_time():
    """Networks count together if no more than the time is between the first and the last."""
    assert note(Alarms(SPEC), (1, 0.0), (2, 1.0), (3, 3600.0))[-1] == ("203.0.1", "203.0.2", "203.0.3")
    assert note(Alarms(SPEC), (1, 0.0), (2, 1.0), (3, 3600.5))[-1] == ()


def test_it_stands_for_a_day():
    """After the last time that it looked so; then it may be raised again."""
    alarms = Alarms(SPEC)
    note(alarms, (1, 0.0), (2, 0.0), (3, 0.0), (4, 100.0))
    assert alarms.stands("bob", 100.0 + STANDS)
    assert not alarms.stands("bob", 101.0 + STANDS)
    assert not alarms.stands("eve", 0.0)


def test_clear():
    """After it was cleared the account starts anew."""
    alarms = Alarms(SPEC)
    note(alarms, (1, 0.0), (2, 0.0), (3, 0.0))
    alarms.clear("bob")
    assert not alarms.stands("bob", 0.0)
    assert note(alarms, (1, 1.0), (2, 1.0)) == [(), ()]


def test_without_a_spec():
    """No alarm is asked for, none is raised."""
    assert note(Alarms(None), *((network, 0.0) for network in range(20))) == [()] * 20


def test_room():
    """Of more accounts than there is room for, those heard of first are forgotten, alarm and all."""
    alarms = Alarms(AlarmSpec(Limit(1, 60.0)), room=10)
    for number in range(11):
        alarms.note(f"user{number}", "203.0.113.7", 0.0)
    assert alarms.standing(0.0) == tuple(f"user{number}" for number in (*range(5, 10), 10))
