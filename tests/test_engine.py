"""engine.py: from lines to what changes in the book."""

import dataclasses

import pytest

from banwatch.config.model import Config, DaemonSpec, FilterSpec, JailSpec, Limit, Rule, Watch
from banwatch.engine import Engine, Surroundings
from banwatch.filter.match import compile_filter
from banwatch.model import ALLOW, Ban, Chunk, Position, Target, Unban

START = 1_780_000_000.0  # 2026-05-28 20:26:40 UTC

SSHD = FilterSpec(
    name="sshd",
    header=(r"^<DATE> (?P<program>\w+): ",),
    program="sshd",
    failregex={"auth": (r"^Failed for <F-USER>\w+</F-USER> from <HOST>$",), "scan": (r"^Scan from <HOST>$",)},
    hintregex={"auth": (r"^Invalid <F-USER>\w+</F-USER> from <HOST>$",)},
    successregex=(r"^Accepted for <F-USER>\w+</F-USER> from <HOST>$",),
)
RULE = Rule("ip", frozenset({"auth"}), "ip", Limit(3, 600.0), 1800.0)


def jail(name="sshd", logs=("/var/log/auth.log",), rules=(RULE,), **changes):
    return JailSpec(name=name, watch=(Watch("sshd", logs=logs, timezone="UTC"),), rules=rules, **changes)


def config(*jails, **daemon):
    jails = {spec.name: spec for spec in jails}
    return Config(DaemonSpec(**daemon), jails, {"sshd": SSHD}, compiled={"sshd": compile_filter(SSHD)})


def chunk(*lines, live=True, patterns=("/var/log/auth.log",), read_at=START):
    """Lines, each (seconds after START, text), as read at once."""
    data = b"".join(b"%.1f sshd: %s\n" % (START + after, text.encode()) for after, text in lines)
    place = Position(1, 2, len(data))
    return Chunk("/var/log/auth.log", data, 0, place, live, read_at, None if patterns is None else frozenset(patterns))


FAIL = "Failed for root from 192.0.2.7"
HOST = Target("net", "192.0.2.7")


def facts(changes):
    return [(type(c).__name__, c.ban.target.who if isinstance(c, Unban) else c.target.who, c.at - START) for c in changes]


def test_the_third_failure_bans():
    """Three within ten minutes: a ban from the third on, for half an hour, with its reason."""
    engine = Engine(config(jail()))
    [ban] = engine.feed(chunk((0, FAIL), (1, FAIL), (2, FAIL)), START + 2)
    assert (ban.jail, ban.target, ban.by, ban.at, ban.until, ban.rule, ban.failures, ban.enforce) == (
        "sshd", HOST, "ip", START + 2, START + 1802, "ip", 3, True,
    )  # fmt: skip
    assert ban.read_at == START
    assert engine.book.get("sshd", HOST) == ban


def test_a_live_line_from_another_time_counts_as_now():
    """A clock that is off by more than a minute is not believed, and that is counted."""
    engine = Engine(config(jail()))
    [ban] = engine.feed(chunk((-7200, FAIL), (7200, FAIL), (-61, FAIL)), START)
    assert ban.at == START
    assert engine.skewed == 3


def test_a_line_of_before_the_start_keeps_its_time():
    """While catching up the lines' own time counts; older ones than findtime are left out, and what is over is only recorded."""
    engine = Engine(config(jail()))
    assert engine.feed(chunk((-601, FAIL), (-300, FAIL), (-200, FAIL), live=False), START) == []
    [ban] = engine.feed(chunk((-100, FAIL), live=False), START)
    assert (ban.at, ban.until, ban.enforce) == (START - 100, START + 1700, True)
    brief = dataclasses.replace(RULE, bantime=50.0)
    changes = Engine(config(jail(rules=(brief,)))).feed(chunk((-300, FAIL), (-200, FAIL), (-100, FAIL), live=False), START)
    assert [change.enforce for change in changes] == [False]


def test_a_future_line_of_before_the_start_counts_as_now():
    """Nothing happens later than now, if the clock was off by a minute at most."""
    engine = Engine(config(jail()))
    [ban] = engine.feed(chunk((5, FAIL), (50, FAIL), (60, FAIL), live=False), START)
    assert (ban.at, engine.premature) == (START, 0)


def test_a_line_of_before_the_start_from_further_ahead_does_not_count():
    """When it was written nobody knows; that is counted, also over a reload."""
    engine = Engine(config(jail()))
    assert engine.feed(chunk((61, FAIL), (7200, FAIL), (1, FAIL), (2, FAIL), live=False), START) == []
    assert (engine.premature, engine.skewed, engine.jails["sshd"].total_failed) == (2, 0, 2)
    assert Engine(config(jail()), older=engine).premature == 2
    [ban] = engine.feed(chunk((61, FAIL)), START)
    assert (ban.at, engine.premature, engine.skewed) == (START, 2, 1)


def test_in_replay_the_lines_are_the_clock():
    """Bans end between lines, in the order of time, and the windows are empty after it."""
    engine = Engine(config(jail(rules=(dataclasses.replace(RULE, bantime=100.0),))))
    lines = [(0, FAIL), (1, FAIL), (2, FAIL), (200, FAIL), (201, FAIL), (202, FAIL), (203, FAIL)]
    changes = engine.feed(chunk(*lines, live=False, patterns=None), None)
    assert facts(changes) == [("Ban", "192.0.2.7", 2.0), ("Unban", "192.0.2.7", 200.0), ("Ban", "192.0.2.7", 202.0)]


def test_expire_tells_who_is_free():
    """When a ban ends the key starts anew."""
    engine = Engine(config(jail()))
    engine.feed(chunk((0, FAIL), (1, FAIL), (2, FAIL)), START + 2)
    assert engine.expire(START + 1801.9) == []
    [unban] = engine.expire(START + 1802)
    assert (unban.ban.target, unban.why) == (HOST, "expired")
    assert len(engine.book) == 0


def test_one_attempt_told_twice_counts_once():
    """The announcement of an attempt and the attempt itself are one."""
    engine = Engine(config(jail()))
    lines = [(0, "Invalid bob from 192.0.2.7"), (0, "Failed for bob from 192.0.2.7")] * 2
    assert engine.feed(chunk(*lines), START) == []
    assert engine.jails["sshd"].total_failed == 2


def test_a_witness_sees_what_counts():
    """Each attempt once, successes among them, in order."""
    engine = Engine(config(jail()))
    seen = []
    lines = [(0, "Invalid bob from 192.0.2.7"), (0, "Failed for bob from 192.0.2.7"), (1, "Accepted for root from 192.0.2.7")]
    assert engine.feed(chunk(*lines), START, seen.append) == []
    assert [(match.kind, match.login) for match in seen] == [("auth", "bob"), ("success", "root")]


def test_each_jail_sees_its_own_logs_and_kinds():
    """Chunks go to the jails that watch their log; a jail counts the kinds of its rules."""
    scans = dataclasses.replace(RULE, name="scan", count=frozenset({"scan"}), limit=Limit(1, 60.0))
    engine = Engine(config(jail(), jail("other", ("/var/log/other.log",)), jail("scans", rules=(scans,))))
    changes = engine.feed(chunk((0, FAIL), (0, FAIL), (0, "Scan from 192.0.2.9"), (0, FAIL)), START)
    assert [(change.jail, change.target.who) for change in changes] == [("scans", "192.0.2.9"), ("sshd", "192.0.2.7")]
    assert engine.jails["other"].total_failed == 0


def test_success_takes_failures_back():
    """Who gets in at last is no attacker."""
    engine = Engine(config(jail()))
    lines = [(0, FAIL), (1, FAIL), (2, "Accepted for root from 192.0.2.7"), (3, FAIL), (4, FAIL)]
    assert engine.feed(chunk(*lines), START + 4) == []


@pytest.mark.parametrize(
    ("daemon", "spec", "around"),
    [
        ({"ignoreip": ("192.0.2.0/24",)}, {}, Surroundings()),
        ({}, {"ignoreip": ("192.0.2.7",)}, Surroundings()),
        ({}, {}, Surroundings(own=frozenset({"192.0.2.7"}))),
    ],
)
def test_ignored_addresses_are_never_banned(daemon, spec, around):
    """Whether the daemon, the jail or the host itself says so."""
    engine = Engine(config(jail(**spec), **daemon), around)
    assert engine.feed(chunk((0, FAIL), (1, FAIL), (2, FAIL)), START) == []


def test_an_allowed_address_is_ignored_until_its_end():
    """`allow` works at once, and only as long as it was said."""
    engine = Engine(config(jail()))
    engine.ban([Ban(ALLOW, HOST, "ip", START, START + 60.0, origin="manual")])
    assert engine.feed(chunk((0, FAIL), (1, FAIL), (2, FAIL)), START) == []
    engine.expire(START + 60.0)
    assert len(engine.feed(chunk((60, FAIL), (61, FAIL), (62, FAIL)), START + 62)) == 1


def test_drop_ignored_ends_bans():
    """Who is ignored from now on is let in at once."""
    engine = Engine(config(jail()))
    engine.feed(chunk((0, FAIL), (1, FAIL), (2, FAIL)), START + 2)
    engine.surround(Surroundings(own=frozenset({"192.0.2.7"})))
    assert facts(engine.drop_ignored(START + 3)) == [("Unban", "192.0.2.7", 3.0)]
    assert engine.drop_ignored(START + 3) == []


def test_a_ban_by_force_stays():
    """Who was banned although he is ignored stays banned when the configuration is read again, until he is allowed."""
    engine = Engine(config(jail(), ignoreip=("192.0.2.0/24",)))
    engine.ban([Ban("sshd", HOST, "ip", START, None, origin="manual", forced=True)])
    engine.ban([Ban("sshd", HOST._replace(who="192.0.2.8"), "ip", START, None, origin="adopted")])
    assert facts(engine.drop_ignored(START + 1)) == [("Unban", "192.0.2.8", 1.0)]
    engine.ban([Ban(ALLOW, HOST, "ip", START, None, origin="manual")])
    assert [unban.why for unban in engine.drop_exempt(list(engine.book), START + 2)] == ["allowed"]
    assert engine.is_allowed(HOST) == "allowed"


def test_an_allowance_reaches_no_network_around_it():
    """In the kernel it comes before the ban on the network, whose other hosts stay out."""
    engine = Engine(config(jail()))
    engine.ban([Ban("sshd", Target("net", "192.0.2.0/24"), "net", START, None, origin="manual")])
    engine.ban([Ban(ALLOW, HOST, "ip", START, None, origin="manual")])
    assert engine.drop_ignored(START) == []
    engine.unban([(ALLOW, HOST)], START, "by command")
    assert engine.is_allowed(HOST) is None


def test_jails_that_ignore_the_same_share_a_guard():
    """There may be forty jails, and what a guard remembers of an address holds for all of them."""
    engine = Engine(config(jail(), jail("other"), jail("third", ignoreip=("192.0.2.0/24",))))
    assert engine.jails["sshd"].guard is engine.jails["other"].guard is not engine.jails["third"].guard


@pytest.mark.parametrize("step", [-3600.0, 3600.0, 1e9])
def test_a_clock_that_is_set_moves_the_book(step):
    """A ban keeps the time that it has left."""
    engine = Engine(config(jail()))
    engine.feed(chunk((0, FAIL), (1, FAIL), (2, FAIL)), START + 2)
    engine.step_clock(step)
    assert engine.expire(START + 1801.9 + step) == []
    assert facts(engine.expire(START + 1802 + step)) == [("Unban", "192.0.2.7", 1802.0 + step)]


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_a_clock_that_is_set_moves_the_windows(step):
    """Two failures before and one after it are three, whichever way it was set; not if the first is too old by then."""
    for between, banned in ((10.0, True), (700.0, False)):
        engine = Engine(config(jail()))
        assert engine.feed(chunk((0, FAIL), (1, FAIL)), START + 1) == []
        engine.step_clock(step)
        changes = engine.feed(chunk((between + step, FAIL)), START + between + step)
        assert facts(changes) == ([("Ban", "192.0.2.7", between + step)] if banned else [])


def test_a_clock_that_is_set_moves_the_grace():
    """Lines within 5 s of a ban do not feed the next window, by whatever clock."""
    engine = Engine(config(jail()))
    engine.feed(chunk((0, FAIL), (0, FAIL), (0, FAIL)), START)
    engine.step_clock(-3600.0)
    engine.feed(chunk((-3598, FAIL), (-3592, FAIL)), START - 3592)
    assert engine.jails["sshd"].tracked() == {"ip": 1}
    assert len(engine.jails["sshd"].window("ip").attempts("192.0.2.7")) == 1


def test_a_reload_keeps_windows_and_bans():
    """Two failures before the reload and one after it are three; a jail that is gone gives its bans back."""
    first = Engine(config(jail(), jail("old", rules=(dataclasses.replace(RULE, limit=Limit(1, 60.0)),))))
    [ban] = first.feed(chunk((0, FAIL), (1, FAIL)), START + 1)[:1]
    second = Engine(config(jail()), older=first)
    assert facts(second.drop_jails(START + 1)) == [("Unban", "192.0.2.7", 1.0)]
    assert ban.jail == "old"
    assert facts(second.feed(chunk((2, FAIL)), START + 2)) == [("Ban", "192.0.2.7", 2.0)]
    assert second.lanes.scanned().lines == 3


def test_follow_enforce():
    """A jail that only looks on now lets its banned go; one that enforces now bans whom it had only noted."""
    looking = Engine(config(jail(enforce=False)))
    [noted] = looking.feed(chunk((0, FAIL), (1, FAIL), (2, FAIL)), START + 2)
    assert not noted.enforce
    enforcing = Engine(config(jail()), older=looking)
    changes = enforcing.follow_enforce(START + 3)
    assert facts(changes) == [("Unban", "192.0.2.7", 3.0), ("Ban", "192.0.2.7", 2.0)]
    assert changes[-1].enforce
    again = Engine(config(jail(enforce=False)), older=enforcing)
    assert facts(again.follow_enforce(START + 4)) == [("Unban", "192.0.2.7", 4.0)]
    assert len(again.book) == 0


def test_adoption_covers_allowed_addresses():
    """What the kernel allows is allowed here too."""
    engine = Engine(config(jail()))
    other = Target("net", "192.0.2.8")
    adopted = engine.adopt({(ALLOW, HOST): None, ("sshd", other): 60.0, ("gone", other): 60.0}, START)
    assert [(ban.jail, ban.target) for ban in adopted] == [(ALLOW, HOST), ("sshd", other)]
    assert engine.feed(chunk((0, FAIL), (1, FAIL), (2, FAIL)), START) == []


def test_expiry_of_an_allowance_reaches_the_guards():
    """The guard is renewed when an allowance ends inside feed as well."""
    engine = Engine(config(jail()))
    engine.ban([Ban(ALLOW, HOST, "ip", START, START + 10.0, origin="manual")])
    changes = engine.feed(chunk((20, FAIL), (21, FAIL), (22, FAIL)), START + 22)
    assert facts(changes)[-1] == ("Ban", "192.0.2.7", 22.0)


def test_failures_of_who_is_banned_are_leaks():
    """More than 5 s after the ban, as they are written; each ban is told once, and its end makes an end of it."""
    engine = Engine(config(jail()))
    engine.feed(chunk((0, FAIL), (0, FAIL), (0, FAIL)), START)
    engine.feed(chunk((4, FAIL)), START + 4)
    assert engine.take_leaks() == []
    engine.feed(chunk((6, FAIL), (7, "Failed for root from 192.0.2.8"), (8, FAIL), read_at=START + 8), START + 8)
    [leak] = engine.take_leaks()
    assert (leak.ban.target, leak.failures, leak.at) == (HOST, 2, START + 8)
    engine.feed(chunk((9, FAIL), live=False), START + 9)
    assert engine.take_leaks() == []
    assert engine.jails["sshd"].leaks.total == 2
    engine.unban([("sshd", HOST)], START + 10, "by command")
    assert engine.jails["sshd"].leaks.all() == []


def test_every_way_of_a_line_finds_leaks():
    """With one jail on a log or with two, and for bans by hand."""
    for jails in ((jail(),), (jail(), jail("other"))):
        engine = Engine(config(*jails))
        engine.ban([Ban("sshd", HOST, "ip", START, None, origin="manual")])
        engine.feed(chunk((60, FAIL), (61, "Accepted for root from 192.0.2.7")), START + 61)
        assert [leak.failures for leak in engine.take_leaks()] == [1]


def test_what_is_only_recorded_has_no_leaks():
    """Nobody is kept out by a jail that only looks on."""
    engine = Engine(config(jail(enforce=False)))
    engine.feed(chunk((0, FAIL), (0, FAIL), (0, FAIL)), START)
    engine.feed(chunk((60, FAIL)), START + 60)
    assert engine.take_leaks() == []
