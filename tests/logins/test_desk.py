"""logins/desk.py: one attempt, one count, over every path."""

import pytest

from banwatch.logins.policy import Attempt
from banwatch.model import Ban, Match, Target

IP = "198.51.100.1"


def attempt(pwhash="", login="alice", ip=IP, service="imap", **outcome):
    return Attempt(login, ip, service, pwhash, **(outcome or {"wrong": True}))


def line(house, filter="dovecot", attempts=1, login="alice", ip=IP):
    """A line of a service's log, on its way to the jails."""
    left = house.desk.joint.left(filter, "auth", house.now, ip, attempts)
    if left:
        house.engine.report(Match(0, filter, "auth", house.now, ip, login, left, 0, False, None, "", 0, {}), house.now)


def test_five_reports_count_five(house):
    """The fifth different wrong password bans address and login, and the log's line about all five changes nothing."""
    for number in range(5):
        assert house.changes == []
        house.desk.report("dovecot", attempt(f"{number:04x}", login="Alice"))
    assert [(ban.target, ban.failures) for ban in house.changes] == [
        (Target("net", IP), 5),
        (Target("login", "alice@example.org"), 5),
    ]
    house.now += 60
    line(house, attempts=5)
    assert house.counted() == 0
    assert house.desk.reports == {("dovecot", "counted"): 5}


@pytest.mark.parametrize(
    ("service", "filter"), [("imap", "dovecot"), ("pop3", "dovecot"), ("sieve", "dovecot"), ("smtp", "exim4")]
)
@pytest.mark.parametrize("door_first", [True, False])
def test_one_attempt_one_count(house, service, filter, door_first):
    """Whichever comes first, door or log, each attempt counts once; Exim that lets Dovecot check passwords is one with it."""
    for number in range(4):
        steps = [
            lambda hash=f"{number:04x}": house.desk.report("dovecot", attempt(hash, service=service)),
            lambda: line(house, filter),
        ]
        for step in steps if door_first else steps[::-1]:
            step()
        assert house.counted() == number + 1


def test_a_phone_with_an_old_password(house):
    """The same wrong password again and again counts once, in the log as at the door; a different one counts."""
    for _ in range(20):
        house.desk.report("dovecot", attempt("0a3f"))
        line(house)
    assert house.counted() == 1
    house.desk.report("dovecot", attempt("0b00"))
    assert house.counted() == 2
    assert house.desk.reports == {("dovecot", "counted"): 2, ("dovecot", "repeated"): 19}


def test_refusals_are_no_failures(house):
    """Neither what is refused at a door, nor what its log says about it, nor the report counts, from wherever it is."""
    house.ban("alice@example.org")
    for number in range(50):
        ip = f"198.51.100.{number}"
        assert house.desk.ask("dovecot", "alice", ip, "imap").action == "deny"
        house.desk.report("dovecot", attempt(ip=ip, ours=True))
        line(house, ip=ip)
        assert house.desk.ask("exim", "alice@example.org", ip, "exim").action == "deny"
        line(house, "exim4", ip=ip)
    assert house.counted() == 0
    assert house.engine.jails["mail"].total_failed == 0
    assert house.changes == []
    assert house.desk.decisions == {("dovecot", "deny"): 50, ("exim", "deny"): 50}


def test_at_home_failures_count(house):
    """Who is let in although the login is banned may fail as everybody."""
    house.ban("bob@example.org")
    assert house.desk.ask("dovecot", "bob", "203.0.113.9", "imap").action == "allow"
    house.desk.report("dovecot", attempt(login="bob", ip="203.0.113.9"))
    assert house.counted("bob@example.org") == 1


def test_success_forgives(house):
    """A good login takes out the failures of its own network, and is known from then on."""
    house.desk.report("dovecot", attempt())
    house.desk.report("dovecot", attempt(success=True))
    assert house.counted() == 0
    assert house.engine.jails["mail"].known.ever("alice@example.org")


def test_what_is_no_wrong_password(house):
    """A fault of the server's is not held against anybody."""
    house.desk.report("dovecot", attempt(wrong=False))
    assert house.counted() == 0
    assert house.desk.reports == {("dovecot", "ignored"): 1}


def test_a_webmail(house):
    """Attempts by way of this host count for the login, and for no address."""
    for number in range(5):
        house.desk.report("dovecot", attempt(f"{number:04x}", ip=None))
    assert [ban.target for ban in house.changes] == [Target("login", "alice@example.org")]


def test_long_texts(house):
    """What is longer than any login is no key, and takes no memory."""
    house.desk.report("dovecot", attempt("x" * 10_000, login="y" * 10_000))
    assert house.engine.jails["mail"].tracked() == {"ip": 1, "login": 0}
    assert house.desk.ask("dovecot", "y" * 10_000, IP, "imap").action == "allow"


def test_a_ban_that_a_report_decides_is_in_the_book(house):
    """And the next question is answered by it."""
    for number in range(5):
        house.desk.report("dovecot", attempt(f"{number:04x}"))
    assert isinstance(house.engine.book.get("mail", Target("login", "alice@example.org")), Ban)
    assert house.desk.ask("dovecot", "alice", "192.0.2.1", "imap").action == "deny"
