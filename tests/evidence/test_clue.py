"""evidence/clue.py: which of the matches of a log belong to a ban."""

import pytest
from tests.evidence.conftest import START

from banwatch.evidence.clue import LINES, TEXT, Found, Sieve
from banwatch.filter.scan import Scanner
from banwatch.login import Naming
from banwatch.store.values import Line

FAIL = "Failed for root from 192.0.2.7"


def lines_of(log, clue, *lines):
    """What a sieve keeps of `lines`, each (seconds, text), as [seconds, text]."""
    sieve, scanner = Sieve([clue]), Scanner([log.lens])
    for number, (after, text) in enumerate(lines):
        match = scanner.match_line(0, f"{START + after:.1f} sshd[{number}]: {text}", START)
        if match is not None:
            sieve.add(Found(match, "/log", number))
    [found] = sieve.lines()
    return [(line.at - START, line.text.partition(": ")[2]) for line in found]


def test_what_counted(log):
    """The kinds of the rule, of that address, within findtime of the ban."""
    counted = [(100, FAIL), (200, FAIL), (600, FAIL)]
    others = [(-1, FAIL), (150, "Scan from 192.0.2.7"), (160, "Failed for root from 192.0.2.8"), (601, FAIL)]
    assert lines_of(log, log.clue(), *sorted(counted + others)) == counted


def test_what_came_after_the_ban_in_the_same_second(log):
    """Does not count; there were enough by then."""
    assert lines_of(log, log.clue(until=5), *[(5, FAIL)] * 5) == [(5, FAIL)] * 3


def test_a_success_takes_back(log):
    """What was forgiven led to no ban."""
    success = (110, "Accepted for root from 192.0.2.7")
    later = [(120, FAIL), (130, "Failed for bob from 192.0.2.7"), (600, FAIL)]
    assert lines_of(log, log.clue(), (100, FAIL), success, *later) == later


def test_an_attempt_that_was_told_twice(log):
    """Is one line: the one that counted."""
    lines = [(1, "Invalid x from 192.0.2.7"), (2, FAIL), (3, "Failed for x from 192.0.2.7")]
    assert len(lines_of(log, log.clue(until=3, attempts=3), *lines)) == 3
    sieve, scanner = Sieve([log.clue(until=3)]), Scanner([log.lens])
    for offset, text in enumerate(("Invalid x from 192.0.2.7", "Failed for x from 192.0.2.7")):
        sieve.add(Found(scanner.match_line(0, f"{START:.1f} sshd[7]: {text}", START), "/log", offset))
    assert [line.offset for line in sieve.lines()[0]] == [0]


@pytest.mark.parametrize(
    ("who", "realm", "ip"),
    [
        ("bob", "login", "192.0.2.9"),
        ("192.0.2.0/24", "net", "192.0.2.77"),
        ("2001:db8::/64", "net", "2001:db8::7"),
        ("2001:db8::7", "net", "2001:db8::7"),
        ("2001:db8::/32", "net", "2001:db8:1::"),
    ],
)
def test_whatever_was_banned(log, who, realm, ip):
    """A login, a network, a host of IPv6; others around them are others."""
    line = (1, f"Failed for bob from {ip}")
    others = [(1, "Failed for bobby from 192.0.3.1"), (1, "Failed for x from 2001:db9::7")]
    assert lines_of(log, log.clue(who, realm=realm), line, *others) == [line]


def test_dates_of_another_time(log):
    """A service with a wrong clock: its lines counted as now, and are the last ones there are."""
    lines = [(after, FAIL) for after in (-9000, -8000, -7000, -6000)]
    assert lines_of(log, log.clue(), *lines) == lines[1:]


def test_bounds(log):
    """Of very many lines the last, of a long one its beginning."""
    lines = [(number, f"Failed for {number} from 192.0.2.7") for number in range(LINES + 5)]
    assert lines_of(log, log.clue(attempts=LINES + 5), *lines) == lines[5:]
    match = Scanner([log.lens]).match_line(0, f"{START:.1f} sshd: Failed for {'x' * 900} from 192.0.2.7", START)
    sieve = Sieve([log.clue()])
    sieve.add(Found(match, "/log", 77))
    assert sieve.lines() == [(Line("/log", 77, START, match.line[:TEXT]),)]


def test_stretches_from_the_end(log):
    """What is found later stands before; enough is enough."""
    scanner = Scanner([log.lens])
    sieve = Sieve([log.clue()])
    for after in (500, 600, 300, 400):
        sieve.add(Found(scanner.match_line(0, f"{START + after:.1f} sshd: {FAIL}", START), "/log", after))
        if after == 600:
            assert not sieve.satisfied
            sieve.turn_back()
    assert sieve.satisfied
    assert [line.offset for line in sieve.lines()[0]] == [300, 400, 500]


def test_a_login_in_other_spellings(log):
    """Lines tell of one account in many ways; the clue's naming says which they are."""
    lines = [
        (1, "Failed for Bob from 192.0.2.1"),
        (2, "Failed for bob+x@example.org from 192.0.2.2"),
        (3, "Failed for eve from 192.0.2.3"),
    ]
    clue = log.clue("bob@example.org", realm="login")
    assert lines_of(log, clue._replace(naming=Naming("example.org")), *lines) == lines[:2]
    assert lines_of(log, clue, *lines) == lines[1:2]
