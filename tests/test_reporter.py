"""reporter.py: what is a fact is told, once, and nothing else."""

import pytest

from banwatch.config.model import LogSpec
from banwatch.errors import FirewallError
from banwatch.log import Log
from banwatch.metrics.registry import Metrics
from banwatch.model import ALLOW, Ban, Target, Unban
from banwatch.reporter import Reporter

BAN = Ban("sshd", Target("net", "192.0.2.7"), "ip", 100.0, 700.0, "ip", failures=3, why="3 attempts in 600 s", read_at=99.5)


@pytest.fixture
def tell(tmp_path):
    """Makes a reporter, and reads what it has told."""
    log = Log()
    log.configure(LogSpec(to=str(tmp_path / "log")))

    def make(dry_run=False):
        return Reporter(log.logger(), Metrics(), dry_run)

    def told():
        log.close()
        return [line[20:] for line in (tmp_path / "log").read_text().splitlines()]

    return make, told


def test_a_ban_and_its_end(tell):
    """The line of a ban, why it came, and the line of its end."""
    make, told = tell
    reporter = make()
    assert not reporter.in_force(BAN)
    reporter.done([BAN], 100.5)
    assert reporter.in_force(BAN)
    reporter.done([Unban(BAN, 700.0, "expired")], 700.0)
    assert not reporter.in_force(BAN)
    assert told() == [
        "WARNING [sshd] Ban 192.0.2.7",
        "INFO [sshd] why who=192.0.2.7 why='3 attempts in 600 s' rule=ip bantime=10m",
        "WARNING [sshd] Unban 192.0.2.7",
    ]


def test_prolonging_is_no_second_ban(tell):
    """A later end is told as such."""
    make, told = tell
    reporter = make()
    reporter.adopted([BAN])
    reporter.done([BAN._replace(until=900.0)], 300.0)
    assert [line.split(" who=")[0] for line in told()] == ["INFO [sshd] ban prolonged"]


@pytest.mark.parametrize("enforce", [True, False])
def test_nobody_is_led_to_believe_in_protection(tell, enforce):
    """A dry run and a jail that only looks on say what they would do."""
    make, told = tell
    reporter = make(dry_run=enforce)
    ban = BAN._replace(enforce=enforce)
    reporter.done([ban], 100.0)
    reporter.done([Unban(ban, 700.0, "expired")], 700.0)
    assert [told()[0], told()[2]] == ["WARNING [sshd] Would ban 192.0.2.7", "WARNING [sshd] Would unban 192.0.2.7"]
    assert not reporter.in_force(ban)


def test_a_login(tell):
    """A login is named as one."""
    make, told = tell
    make().done([BAN._replace(target=Target("login", "bob"), by="login")], 100.0)
    assert told()[0] == "WARNING [sshd] Ban login:bob"


def test_what_was_over_before_it_was_decided(tell):
    """A ban found while catching up whose end is past is mentioned, and its end is not."""
    make, told = tell
    reporter = make()
    ban = BAN._replace(enforce=False)
    reporter.done([ban], 800.0)
    reporter.done([Unban(ban, 800.0, "expired")], 800.0)
    assert [line.split(" who=")[0] for line in told()] == ["INFO [sshd] ban would be over already"]


def test_what_was_never_told_does_not_end(tell):
    """A ban lifted before the kernel had it was never a fact."""
    make, told = tell
    make().done([Unban(BAN, 101.0, "by command")], 101.0)
    assert told() == []


def test_failures_are_shown_until_they_are_over(tell):
    """What the kernel would not do stands in `failed`, and goes when it did."""
    make, told = tell
    reporter = make()
    reporter.given_up(BAN, FirewallError("set is full", "make room"))
    assert list(reporter.failed.values()) == ["ban 192.0.2.7: set is full"]
    reporter.done([BAN], 100.0)
    assert reporter.failed == {}
    assert told()[0] == "ERROR [sshd] ban failed who=192.0.2.7 error='set is full' hint='make room'"


def test_the_allowed(tell):
    """Allowing is no ban."""
    make, told = tell
    reporter = make()
    ban = Ban(ALLOW, Target("net", "192.0.2.1"), "ip", 0.0, None, origin="manual", why="by command")
    reporter.done([ban], 0.0)
    reporter.done([Unban(ban, 9.0, "by command")], 9.0)
    assert [line.split(" who=")[0] for line in told()] == ["INFO [allow] allowed", "INFO [allow] no longer allowed"]


def test_a_burst_is_told_without_reasons(tell):
    """Of many at once there is a line for each, and no second one."""
    make, told = tell
    bans = [BAN._replace(target=Target("net", f"192.0.2.{number}")) for number in range(100)]
    make().done(bans, 100.0)
    assert told() == [f"WARNING [sshd] Ban 192.0.2.{number}" for number in range(100)]


def test_what_is_put_back_is_no_news(tell):
    """What the kernel has lost is not in force until it has it again, and neither is told: it is one ban."""
    make, told = tell
    reporter = make()
    reporter.done([BAN], 100.0)
    reporter.lost([BAN, BAN._replace(target=Target("net", "192.0.2.8"))])
    assert not reporter.in_force(BAN)
    reporter.done([BAN], 200.0)
    assert reporter.in_force(BAN)
    assert [line for line in told() if "why" not in line] == ["WARNING [sshd] Ban 192.0.2.7"]


def test_the_clock_was_set(tell):
    """A ban that has moved with the clock is the same ban, whether it is given to the kernel again or not."""
    make, told = tell
    reporter = make()
    reporter.done([BAN], 100.0)
    moved = BAN._replace(until=BAN.until + 3600.0)
    reporter.follow([moved, BAN._replace(jail="mail")])
    reporter.done([moved], 4000.0)
    assert (reporter.in_force(moved), reporter.in_force(BAN._replace(jail="mail"))) == (True, False)
    assert [line for line in told() if "why" not in line] == ["WARNING [sshd] Ban 192.0.2.7"]


def test_how_many_the_kernel_has(tell):
    """Each address once, by family, whatever becomes of it; logins and what is only recorded are not in the kernel."""
    make, _ = tell
    reporter = make()
    six = BAN._replace(target=Target("net", "2001:db8::/64"))
    reporter.adopted([six])
    reporter.done([BAN, BAN._replace(until=900.0), BAN._replace(jail="mail", enforce=False)], 100.0)
    reporter.done([BAN._replace(target=Target("login", "bob"))], 100.0)
    assert +reporter.held == {("sshd", 4): 1, ("sshd", 6): 1}
    for _ in range(2):
        reporter.lost([BAN, six])
        assert +reporter.held == {}
    reporter.done([BAN, Unban(six, 300.0, "by command")], 300.0)
    assert +reporter.held == {("sshd", 4): 1}
    reporter.done([Unban(BAN, 700.0, "expired"), Unban(BAN, 700.0, "expired")], 700.0)
    assert +reporter.held == {}


def test_what_is_remembered_is_no_news(tell):
    """A ban of an earlier life is in force when the kernel has it, and its end is told."""
    make, told = tell
    reporter = make()
    others = [BAN._replace(target=Target("net", "192.0.2.8")), BAN._replace(target=Target("login", "bob"), by="login")]
    reporter.remembered([BAN, *others])
    assert not any(map(reporter.in_force, (BAN, *others)))
    reporter.adopted([BAN])
    reporter.done(others[:1], 200.0)
    assert [reporter.in_force(ban) for ban in (BAN, *others)] == [True, True, False]
    assert reporter.held["sshd", 4] == 2
    reporter.done([Unban(ban, 700.0, "expired") for ban in others], 700.0)
    assert told() == ["WARNING [sshd] Unban 192.0.2.8", "WARNING [sshd] Unban login:bob"]
    assert reporter.held["sshd", 4] == 1
