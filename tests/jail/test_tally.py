"""jail/tally.py: by which key a rule counts an attempt."""

import pytest

from banwatch.jail.grace import Grace
from banwatch.jail.ignoreip import Guard
from banwatch.jail.known import Known
from banwatch.jail.tally import BY, LONGEST_LOGIN, NO_KEY
from banwatch.jail.window import Window

IP, UNIT = "2001:db8:1:2::7", "2001:db8:1:2::/64"


@pytest.fixture
def tally(rule):
    """tally(by, …): a rule with an empty window; `ignore` goes to the guard, the rest to the rule."""

    def make(by, ignore=(), **keys):
        made = rule(by, **keys)
        return BY[by](made, Window(made.limit.findtime, made.limit.maxretry, 10), Guard(ignore), Grace(10), Grace(10), Known())

    return make


@pytest.mark.parametrize(
    ("by", "key", "other"), [("ip", UNIT, "bob"), ("net", "2001:db8:1::/48", (UNIT, "bob")), ("login", "bob", UNIT)]
)
def test_key_and_other_side(tally, by, key, other):
    """Each kind of rule has its key, and remembers the other side of the attempt."""
    made = tally(by)
    assert made.count(UNIT, IP, "bob", 1.0, 1) == 1
    assert made.window.attempts(key) == [(1.0, other)]


@pytest.mark.parametrize(
    ("by", "unit", "ip", "login"),
    [
        ("ip", None, None, "bob"),
        ("net", None, None, "bob"),
        ("login", UNIT, IP, None),
        ("login", UNIT, IP, ""),
        ("login", UNIT, IP, "backup"),
        ("login", UNIT, IP, "x" * (LONGEST_LOGIN + 1)),
    ],
)
def test_no_key(tally, by, unit, ip, login):
    """Without an address there is no key by address; no login, an ignored login, or what is longer than any, is none."""
    made = tally(by, ["login:backup"])
    assert made.count(unit, ip, login, 1.0, 1) == NO_KEY
    assert len(made.window) == 0


def test_exempt_logins(tally):
    """Who is exempt has no key, with whatever realm; for an address everybody counts."""
    made = tally("login", exempt=("root",))
    assert [made.key(UNIT, IP, login) for login in ("root", "root@example.org", "rooty")] == [None, None, "rooty"]
    assert tally("ip", exempt=("root",)).key(UNIT, IP, "root") == UNIT


def test_known_logins(tally):
    """A rule about known logins counts who got in once, from wherever."""
    made = tally("login", logins="known")
    assert made.count(UNIT, IP, "bob", 1.0, 1) == NO_KEY
    made.known.note("198.51.100.1", "bob", 2.0)
    assert made.count(UNIT, IP, "bob", 3.0, 1) == 1
    assert made.count(UNIT, IP, "eve", 3.0, 1) == NO_KEY


def test_hosts(tally):
    """The hosts are the units that took part, each once, in the order of their first attempt; an unknown one is none."""
    for by in ("net", "login"):
        made = tally(by, maxretry=4, ban=("hosts",))
        for last in (9, 3, 9, 9):
            failures = made.count(f"203.0.113.{last}", f"203.0.113.{last}", "bob", 1.0, 1)
        assert made.reached(failures, "203.0.113.9", "203.0.113.9", "bob").hosts == ("203.0.113.9", "203.0.113.3")
    made = tally("login", maxretry=2, ban=("hosts",))
    made.count(UNIT, IP, "bob", 1.0, 1)
    assert made.reached(made.count(None, None, "bob", 2.0, 1), None, None, "bob").hosts == (UNIT,)
    made = tally("ip", maxretry=1, ban=("hosts",))
    assert made.reached(made.count(UNIT, IP, "bob", 1.0, 1), UNIT, IP, "bob").hosts == (UNIT,)


def test_hosts_are_looked_for_where_they_are_banned(tally):
    """A rule that bans its key does not ask who took part."""
    made = tally("login", maxretry=1)
    assert made.reached(made.count(UNIT, IP, "bob", 1.0, 1), UNIT, IP, "bob") == (made.rule, "bob", 1, (), IP)


def test_late_lines_of_a_banned_key(tally):
    """A key that was banned a moment ago is not counted, and another is; without a key there is nothing to be late."""
    for by, key in (("ip", UNIT), ("net", "2001:db8:1::/48"), ("login", "bob")):
        made = tally(by)
        (made.logins if by == "login" else made.nets).start(key, 10.0)
        assert made.count(UNIT, IP, "bob", 15.0, 1) == 0
        assert made.count(UNIT, IP, "bob", 15.1, 1) == 1
        assert made.count("198.51.100.1", "198.51.100.1", "eve", 15.0, 1) == 1


def test_late_lines_of_a_banned_host(tally):
    """Where a rule bans the hosts, late lines of a banned one do not feed the login's next window; of others they do."""
    made = tally("login", ban=("hosts",))
    made.nets.start(UNIT, 10.0)
    assert made.count(UNIT, IP, "bob", 12.0, 1) == 0
    assert made.count("198.51.100.1", "198.51.100.1", "bob", 12.0, 1) == 1
    other = tally("login")
    other.nets.start(UNIT, 10.0)
    assert other.count(UNIT, IP, "bob", 12.0, 1) == 1


def test_a_window_goes_on_if_the_same_is_counted(tally, rule):
    """Another limit or bantime is no other window; another findtime, kind, key or prefix is."""
    made = tally("net")
    assert made.goes_on_as(rule("net", 9, bantime=None, ban=("hosts",)))
    for other in (rule("net", findtime=60.0), rule("net", count=("scan",)), rule("ip"), rule("net", prefix=(16, 48))):
        assert not made.goes_on_as(other)
