"""describe.py: bans and leaks as the control socket shows them."""

import pytest

from banwatch.describe import describe_ban, describe_leak
from banwatch.jail.leaks import Leak
from banwatch.model import Ban, Target

BAN = Ban("sshd", Target("net", "192.0.2.7"), "ip", 1000.0, 1600.0, "ip")


@pytest.mark.parametrize(("until", "now", "left"), [(1600.0, 1100.0, 500.0), (1600.0, 1700.0, 0.0), (None, 1100.0, None)])
def test_a_ban(until, now, left):
    """The time that is left is never less than none, and null for ever."""
    assert describe_ban(BAN._replace(until=until), now, True) == {
        "jail": "sshd", "by": "ip", "who": "192.0.2.7", "at": 1000.0, "until": until, "left": left,
        "origin": "rule", "rule": "ip", "enforced": True,
    }  # fmt: skip


def test_a_leak():
    """How often, when last, and why."""
    assert describe_leak(Leak(BAN, 2, 1010.0, "by another port")) == {"failures": 2, "at": 1010.0, "reason": "by another port"}
