"""cli/outcome.py: what a replay amounts to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.cli.outcome import Outcome, quantile
from banwatch.config.model import Config, DaemonSpec, JailSpec, Limit, Rule, Watch
from banwatch.model import Ban, Match, Target, Unban

RULES = (
    Rule("ip", frozenset({"auth"}), "ip", Limit(3, 600.0), 60.0),
    Rule("net", frozenset({"auth", "scan"}), "net", Limit(9, 600.0), 60.0, (24, 48)),
    Rule("login", frozenset({"auth"}), "login", Limit(9, 600.0), 60.0),
)
CONFIG = Config(
    DaemonSpec(),
    {
        "sshd": JailSpec("sshd", watch=(Watch("sshd"),), rules=RULES),
        "mail": JailSpec("mail", watch=(Watch("exim4"), Watch("dovecot")), rules=RULES[:1]),
    },
    {},
)


def match(at, ip="192.0.2.7", login="root", kind="auth", filter_="sshd", attempts=1):
    return Match(0, filter_, kind, at, ip, login, attempts, 0, False, None, "", 0, {})


def ban(at, who="192.0.2.7", jail="sshd", by="ip", until=60.0):
    return Ban(jail, Target("login" if by == "login" else "net", who), by, at, None if until is None else at + until)


@pytest.fixture
def outcome():
    return Outcome(CONFIG)


def test_bans_are_counted_by_jail(outcome):
    """And the first ban of each key is kept."""
    bans = [ban(1.0), ban(100.0), ban(2.0, jail="mail")]
    outcome.add([], [*bans[:2], Unban(bans[0], 61.0, "expired")], 0.0)
    outcome.add([], bans[2:], 0.0)
    assert (outcome.bans, outcome.unbans) == ({"sshd": 2, "mail": 1}, 1)
    assert list(outcome.firsts.values()) == [bans[0], bans[2]]


def test_most_failures(outcome):
    """By address and by login, as many as the lines stand for; what no rule of its own jail counts is none."""
    outcome.add(
        [
            match(0.0),
            match(0.0, login="a", attempts=5),
            match(0.0, "192.0.2.8", None),
            match(0.0, "192.0.2.9", "x", "spam"),
            match(0.0, "192.0.2.9", "x", "scan", "exim4"),
            match(0.0, None, "b", filter_="dovecot"),
            match(0.0, "192.0.2.9", "x", "success"),
        ],
        [],
        0.0,
    )
    outcome.add([match(1.0, "192.0.2.8", "a")], [], 0.0)
    assert outcome.addresses() == [("192.0.2.7", 6), ("192.0.2.8", 2)]
    assert outcome.logins(2) == [("a", 6), ("b", 1)]


def test_waits(outcome):
    """From the first failure of the key, whatever it is, in this jail to its first ban."""
    outcome.add([match(5.0, filter_="dovecot"), match(10.0), match(20.0, "192.0.2.8", "bob")], [], 0.0)
    outcome.add(
        [match(30.0), match(None, "2001:db8::9", "bob")], [ban(30.0), ban(31.0), ban(40.0, "192.0.2.0/24", by="net")], 25.0
    )
    outcome.add([], [ban(41.0, "2001:db8::/64"), ban(50.0, "bob", by="login"), ban(9.0, jail="mail"), ban(1.0, "192.0.2.9")], 0.0)
    assert outcome.waits() == {"sshd": [16.0, 20.0, 30.0, 30.0], "mail": [4.0]}


@pytest.mark.parametrize(
    ("who", "by", "found"),
    [
        ("192.0.2.7", "ip", True),
        ("192.0.2.0/24", "net", True),
        ("root", "login", True),
        ("192.0.2.8", "ip", False),
        ("192.0.3.0/24", "net", False),
    ],
)
def test_collateral(outcome, who, by, found):
    """A key that is banned, and a success of somebody whom that would have kept out."""
    outcome.add([match(0.0), match(20.0, kind="success")], [ban(10.0, who, by=by)], 0.0)
    assert [(harm.ban.target.who, harm.success, harm.login, harm.during) for harm in outcome.collateral()] == (
        [(who, 20.0, "root", True)] if found else []
    )


def test_collateral_of_a_network_of_ipv6(outcome):
    """The unit by which an attacker is banned is found again."""
    outcome.add([match(20.0, "2001:db8::7", kind="success")], [ban(10.0, "2001:db8::/64")], 0.0)
    outcome.add([match(20.0, "2001:db8:1::7", kind="success")], [], 0.0)
    assert [harm.ban.target.who for harm in outcome.collateral()] == ["2001:db8::/64"]


def test_a_success_before_the_ban_is_no_collateral(outcome):
    """Nor one in another jail's log; one after the ban's end is told as such. Each key once."""
    outcome.add([match(5.0, kind="success"), match(20.0, kind="success", filter_="exim4")], [ban(10.0)], 0.0)
    assert outcome.collateral() == []
    outcome.add([match(None, kind="success"), match(90.0, kind="success")], [], 70.0)
    assert [(harm.success, harm.during) for harm in outcome.collateral()] == [(70.0, False)]


def test_collateral_of_the_ban_that_was_in_force(outcome):
    """Of several bans the last one before the success counts; one without an end lasts."""
    outcome.add([], [ban(10.0)], 0.0)
    outcome.add([match(450.0, kind="success")], [ban(200.0), ban(400.0, until=None), ban(500.0)], 0.0)
    (harm,) = outcome.collateral()
    assert (harm.ban.at, harm.during) == (400.0, True)


@given(st.lists(st.integers(0, 50), min_size=1), st.sampled_from([0.5, 0.9, 1.0]))
def test_quantile(values, share):
    """At least that share of the values is not larger, and of no smaller value this can be said."""
    found = quantile(sorted(values), share)
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert all(sum(value <= less for value in values) < share * len(values) for less in values if less < found)


def test_quantile_of_nothing():
    """There is none."""
    assert quantile([], 0.5) is None
