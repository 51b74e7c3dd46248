"""jail/leaks.py: failures of those who are banned."""

import pytest

from banwatch.config.model import JailSpec
from banwatch.jail.leaks import MOST, Leaks, likely_reason
from banwatch.model import Ban, Target

WAYS = "he may come by another port than the jail's, by FORWARD (a container), or through a proxy"


def ban(who="192.0.2.7"):
    return Ban("sshd", Target("net", who), "ip", 1000.0, 2800.0)


def test_each_failure_counts_and_each_ban_is_told_once():
    """The total goes on over the ends of bans; a ban that is made anew is told anew."""
    leaks = Leaks()
    leaks.note(ban(), 1010.0, 1)
    leaks.note(ban(), 1020.0, 2)
    [leak] = leaks.fresh
    assert (leak.failures, leak.at, leaks.get("192.0.2.7"), leaks.all()) == (3, 1020.0, leak, [leak])
    leaks.fresh.clear()
    leaks.forget("192.0.2.7")
    leaks.forget("192.0.2.7")
    assert (leaks.all(), leaks.get("192.0.2.7"), leaks.total) == ([], None, 3)
    leaks.note(ban(), 3000.0, 1)
    assert [one.failures for one in leaks.fresh] == [1]


def test_leaks_are_bounded():
    """Of more than are remembered the oldest go."""
    leaks = Leaks()
    for number in range(MOST + 1):
        leaks.note(ban(f"10.0.{number >> 8}.{number & 255}"), 1010.0, 1)
    assert len(leaks.all()) == MOST
    assert leaks.get("10.0.0.0") is None
    assert leaks.total == MOST + 1


@pytest.mark.parametrize(
    ("ports", "in_force", "dropped", "connected", "reason"),
    [
        (((22, 22),), False, 0, {22}, "the kernel does not have the ban"),
        (((22, 22),), True, 0, {22, 2222}, "he is connected to port 2222, which is none of the jail's"),
        (((22, 22),), True, 7, {22}, "a connection of his to port 22 is still there"),
        (None, True, 7, {25}, "a connection of his to port 25 is still there"),
        (((22, 22),), True, 0, set(), f"no packets of his were dropped; {WAYS}"),
        (((22, 22),), True, 1, set(), f"1 packet of his was dropped; {WAYS}"),
    ],
)
def test_likely_reason(ports, in_force, dropped, connected, reason):
    """The reason is what was found by looking, else the ways there are."""
    assert likely_reason(JailSpec("sshd", ports=ports), in_force, dropped, connected) == reason
