"""jail/decide.py: whom to ban at the limit."""

import pytest

from banwatch.config.model import JailSpec
from banwatch.jail.decide import Reached, decide
from banwatch.jail.ignoreip import Guard
from banwatch.jail.known import Known
from banwatch.model import Ban, Target

JAIL = JailSpec("sshd")
HOSTS = ("203.0.113.7", "198.51.100.1", "2001:db8:1:2::/64")


@pytest.fixture
def bans(rule):
    """bans(by, key, ban, ignore): (who, by, why) of each ban that a limit reached by the last of HOSTS gives, and the spared."""

    def make(by, key, ban, ignore=()):
        reached = Reached(rule(by, ban=ban), key, 3, HOSTS, "2001:db8:1:2::9")
        decided, spared = decide(reached, JAIL, Guard(ignore), Known(), 1000.0, 1000.0)
        return [(str(each.target), each.by, each.why) for each in decided], spared

    return make


def test_a_ban_says_everything(rule):
    """A ban names jail, target, what was counted, when, until when, by which rule, and why."""
    reached = Reached(rule("ip", 3, 600.0), "203.0.113.7", 3, (), "203.0.113.7")
    assert decide(reached, JAIL, Guard(()), Known(), 1000.0, 1001.0, 1000.5)[0] == [
        Ban(
            jail="sshd",
            target=Target("net", "203.0.113.7"),
            by="ip",
            at=1000.0,
            until=2800.0,
            rule="ip",
            origin="rule",
            failures=3,
            enforce=True,
            why="3 attempts in 600 s",
            read_at=1000.5,
        ),
    ]


@pytest.mark.parametrize(
    ("bantime", "now", "until", "enforce"),
    [(600.0, 1000.0, 1600.0, True), (600.0, 1599.9, 1600.0, True), (600.0, 1600.0, 1600.0, False), (None, 1e9, None, True)],
)
def test_a_ban_that_is_over_is_only_recorded(rule, bantime, now, until, enforce):
    """A ban ends bantime after the attempt, not after now; once that is past it is not enforced."""
    reached = Reached(rule(bantime=bantime), "203.0.113.7", 3, (), "203.0.113.7")
    [ban], _ = decide(reached, JAIL, Guard(()), Known(), 1000.0, now)
    assert (ban.until, ban.enforce) == (until, enforce)


def test_a_jail_that_looks_on(rule):
    """With `enforce: false` the ban is decided, and marked as not to be enforced."""
    reached = Reached(rule(), "203.0.113.7", 3, (), "203.0.113.7")
    [ban], _ = decide(reached, JailSpec("sshd", enforce=False), Guard(()), Known(), 1000.0, 1000.0)
    assert not ban.enforce


def test_key_hosts_and_net(bans):
    """A login's key is the login; its hosts are the addresses that took part; its net is that of the last address."""
    about = "3 attempts in 600 s on login 'bob'"
    assert bans("login", "bob", ("key", "hosts", "net")) == (
        [
            ("login:bob", "login", "3 attempts in 600 s"),
            ("203.0.113.7", "ip", about),
            ("198.51.100.1", "ip", about),
            ("2001:db8:1:2::/64", "ip", about),
            ("2001:db8:1::/48", "net", about),
        ],
        0,
    )


def test_a_target_is_named_once(bans):
    """What is key and host, or key and net, is banned once, as the key."""
    whole = "3 attempts in 600 s"
    assert bans("net", "2001:db8:1::/48", ("key", "net"))[0] == [("2001:db8:1::/48", "net", whole)]
    assert bans("ip", "203.0.113.7", ("key", "hosts"))[0] == [
        ("203.0.113.7", "ip", whole),
        ("198.51.100.1", "ip", f"{whole} from 203.0.113.7"),
        ("2001:db8:1:2::/64", "ip", f"{whole} from 203.0.113.7"),
    ]


def test_a_login_that_looks_like_an_address(bans):
    """A login named like an address is a login, and the address beside it is another target."""
    assert bans("login", "203.0.113.7", ("key", "hosts"))[0][:2] == [
        ("login:203.0.113.7", "login", "3 attempts in 600 s"),
        ("203.0.113.7", "ip", "3 attempts in 600 s on login '203.0.113.7'"),
    ]


def test_a_login_cannot_forge_a_line(bans):
    """The login of a stranger is quoted in the reason."""
    [(_, _, why), *_] = bans("login", "x\n2025-11-04 Ban", ("hosts",))[0]
    assert why == "3 attempts in 600 s on login 'x\\n2025-11-04 Ban'"


def test_a_network_with_an_ignored_address_is_never_banned_whole(bans):
    """Then nothing is banned for the network; its hosts are if the rule says so, but never the ignored ones."""
    assert bans("net", "203.0.113.0/24", ("key",), ["203.0.113.200"]) == ([], 1)
    named, spared = bans("net", "203.0.113.0/24", ("key", "hosts"), ["203.0.113.200", "198.51.100.0/28"])
    assert [who for who, _, _ in named] == ["203.0.113.7", "2001:db8:1:2::/64"]
    assert spared == 2


def test_one_attempt_is_one(rule):
    """The reason is grammatical."""
    [ban], _ = decide(Reached(rule("ip", 1), "203.0.113.7", 1, (), None), JAIL, Guard(()), Known(), 0.0, 0.0)
    assert ban.why == "1 attempt in 600 s"


def test_findtime_reads_as_a_number(rule):
    """The reason shows findtime as it is, without a fraction that is not there."""
    for findtime, text in ((600.0, "600"), (1.5, "1.5"), (86400.0 * 30, "2592000")):
        [ban], _ = decide(Reached(rule("ip", 3, findtime), "203.0.113.7", 4, (), None), JAIL, Guard(()), Known(), 0.0, 0.0)
        assert ban.why == f"4 attempts in {text} s"


def banned(rule, key, known, at=1000.0):
    reached = Reached(rule, key, 3, HOSTS, "2001:db8:1:2::9")
    decided, _ = decide(reached, JAIL, Guard(()), known, at, at)
    return [str(ban.target) for ban in decided]


def test_an_address_that_many_share_is_not_banned_for_passwords(rule):
    """Somebody behind it mistypes or attacks; many work there. What has nothing to do with passwords is banned all the same."""
    known = Known()
    for number in range(5):
        known.note("203.0.113.7", f"user{number}", 900.0)
    assert banned(rule("ip"), "203.0.113.7", known) == []
    assert banned(rule("ip"), "203.0.113.8", known) == ["203.0.113.8"]
    assert banned(rule("net"), "203.0.113.0/24", known) == []
    assert banned(rule("net"), "198.51.100.0/24", known) == ["198.51.100.0/24"]
    assert banned(rule("ip", count=("rcpt",)), "203.0.113.7", known) == ["203.0.113.7"]
    assert banned(rule("ip"), "203.0.113.7", known, 900.0 + 86401.0) == ["203.0.113.7"]


def test_hosts_that_are_known_are_not_banned_along(rule):
    """Of those who failed on a login the owner's own network is left out, and who got in a short while ago."""
    known = Known()
    hosts = rule("login", ban=("key", "hosts"))
    assert banned(hosts, "bob", known) == ["login:bob", *HOSTS]
    known.note("198.51.100.1", "eve", 900.0)
    known.note("203.0.113.99", "bob", 900.0)
    assert banned(hosts, "bob", known) == ["login:bob", "203.0.113.7", "2001:db8:1:2::/64"]
    known.note("203.0.113.99", "bob", 900.0 + 86400.0)
    assert banned(hosts, "bob", known, 1000.0 + 86400.0) == ["login:bob", "198.51.100.1", "2001:db8:1:2::/64"]
