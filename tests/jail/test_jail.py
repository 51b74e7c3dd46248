"""jail/jail.py: the rules of a jail together, and what the design promises of counting."""

from collections import defaultdict
from ipaddress import ip_network
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banwatch.config.model import AlarmSpec, Limit
from banwatch.jail.ignoreip import Guard
from banwatch.jail.tally import LONGEST_LOGIN
from banwatch.jail.window import SWEPT
from banwatch.login import Naming
from banwatch.model import Alarm, Ban, Target

A, B, C = "203.0.113.7", "203.0.113.8", "198.51.100.1"


def whom(bans):
    """The targets of bans as text."""
    return [str(ban.target) for ban in bans]


def feed(jail, matches, start=0.0, step=1.0):
    """The targets banned by `matches`, one every `step` seconds from `start` on, each list of bans in its place."""
    return [whom(jail.feed(match, start + step * number, start + step * number)) for number, match in enumerate(matches)]


def test_the_ban_falls_on_the_attempt_that_reaches_maxretry(jail, rule, match):
    """Two attempts within findtime do nothing, the third bans; an attempt older than findtime is not among them."""
    made = jail(rule("ip", 3, 600.0))
    times = [0.0, 300.0, 600.1, 900.0]
    assert [whom(made.feed(match(A), at, at)) for at in times] == [[], [], [], [A]]


def test_attempts_of_one_line_all_count(jail, rule, match):
    """A line that stands for several attempts adds as many, and the ban names them all."""
    made = jail(rule("ip", 3))
    assert made.feed(match(A), 0.0, 0.0) == ()
    [ban] = made.feed(match(A, attempts=5), 1.0, 1.0)
    assert (ban.failures, ban.why) == (6, "6 attempts in 600 s")
    assert made.total_failed == 6


def test_a_rule_counts_its_kinds(jail, rule, match):
    """A match feeds each rule that counts its kind, and no other."""
    made = jail(rule("ip", 2, name="a", count=("auth",)), rule("ip", 2, name="b", count=("auth", "scan")))
    made.feed(match(A, kind="scan"), 0.0, 0.0)
    made.feed(match(A, kind="spam"), 0.0, 0.0)
    assert made.tracked() == {"a": 0, "b": 1}
    [ban] = made.feed(match(A), 1.0, 1.0)
    assert ban.rule == "b"
    assert made.total_failed == 2


def test_the_longest_ban_wins_where_two_rules_decide_at_once(jail, rule, match):
    """Two rules that reach their limits with the same attempt give one ban of the key: the one that ends later."""
    made = jail(rule("ip", 2, name="short", bantime=60.0), rule("ip", 2, name="long", bantime=None), rule("ip", 2, name="mid"))
    made.feed(match(A), 0.0, 0.0)
    [ban] = made.feed(match(A), 1.0, 1.0)
    assert (ban.rule, ban.until) == ("long", None)


def test_addresses_networks_and_logins_at_once(jail, rule, match):
    """One attempt is counted by address, by network and by login, and each may reach its own limit."""
    made = jail(rule("ip", 5), rule("net", 3), rule("login", 4))
    assert feed(made, [match(A, "x"), match(B, "bob"), match("203.0.113.9", "bob"), match(C, "bob"), match(C, "bob")]) == [
        [],
        [],
        ["203.0.113.0/24"],
        [],
        ["login:bob"],
    ]
    assert made.total_failed == 5


def test_ipv6_goes_by_64(jail, rule, match):
    """Addresses of one /64 are one key; in fc00::/7 and 64:ff9b::/96 each is its own."""
    made = jail(rule("ip", 2))
    assert feed(made, [match("2001:db8:1:2::1"), match("2001:db8:1:2::2")]) == [[], ["2001:db8:1:2::/64"]]
    assert feed(made, [match("fd00::1"), match("fd00::2"), match("fd00::2")]) == [[], [], ["fd00::2"]]
    assert feed(made, [match("fe80::1")] * 3) == [[], [], []]


def test_a_login_and_an_address_are_different_keys(jail, rule, match):
    """A login spelled like an address does not count for the address, nor the other way round."""
    made = jail(rule("ip", 2), rule("login", 2))
    assert feed(made, [match(A, C), match(C, A)]) == [[], []]
    assert feed(made, [match(B, A)], 2.0) == [[f"login:{A}"]]
    assert feed(made, [match(A, None)], 3.0) == [[A]]


def test_ignored_addresses_count_for_nothing(jail, rule, match):
    """Neither for the address nor for its network nor for the login; a counter tells."""
    made = jail(rule("ip", 2), rule("net", 2), rule("login", 2), guard=Guard([A]))
    assert feed(made, [match(A, "bob", attempts=2)] * 3) == [[], [], []]
    assert made.tracked() == {"ip": 0, "net": 0, "login": 0}
    assert (made.total_failed, made.ignored) == (0, 6)


def test_an_ignored_login_is_not_banned_but_who_tries_it_is(jail, rule, match):
    """ignoreip may name a login: it is no key, and failures on it count for the address all the same."""
    made = jail(rule("ip", 2), rule("login", 1), guard=Guard(["login:backup"]))
    assert feed(made, [match(A, "backup")] * 2) == [[], [A]]


def test_a_network_with_an_ignored_address_is_spared(jail, rule, match):
    """At the limit such a network is not banned, its window starts anew, and a counter tells; hosts go one by one."""
    made = jail(rule("net", 2), guard=Guard((), own=["203.0.113.200"]))
    assert feed(made, [match(A), match(B), match(A)]) == [[], [], []]
    assert made.spared == 1
    assert len(made.window("net").attempts("203.0.113.0/24")) == 1
    made = jail(rule("net", 2, ban=("key", "hosts")), guard=Guard((), own=["203.0.113.200"]))
    assert feed(made, [match(A), match(B)]) == [[], [A, B]]


def test_who_got_in_is_not_banned_along(jail, rule, match):
    """A host with a success is left out where the hosts of a login are banned, also after a reload; not for its own failures."""
    made = jail(rule("login", 3, ban=("hosts",)), rule("ip", 3))
    feed(made, [match(A, "ann", "success"), match(A, "bob"), match(B, "bob")])
    again = jail(rule("login", 3, ban=("hosts",)), rule("ip", 3), older=made)
    assert feed(again, [match(C, "bob")], 2.0) == [[B, C]]
    assert again.spared == 1
    assert feed(again, [match(A, "eve")] * 2, 3.0) == [[], [A]]


def test_the_guard_can_be_replaced(jail, rule, match):
    """A new guard holds from the next attempt on, also for hosts that were counted before it."""
    made = jail(rule("login", 3, ban=("hosts",)))
    feed(made, [match(A, "bob"), match(B, "bob")])
    made.guard = Guard([A])
    assert feed(made, [match(A, "bob"), match(C, "bob")], 2.0) == [[], [B, C]]
    assert made.spared == 1


def test_hosts_are_banned_on_a_login(jail, rule, match):
    """With `ban: [hosts]` the addresses that failed on the login are banned, the login is not."""
    made = jail(rule("login", 3, ban=("hosts",)))
    assert feed(made, [match(A, "bob"), match(None, "bob"), match(C, "bob")]) == [[], [], [A, C]]
    assert made.tracked() == {"login": 0}


def test_an_attempt_without_a_key_counts_for_nobody(jail, rule, match):
    """Without address and login there is nobody to blame."""
    made = jail(rule("ip", 1), rule("login", 1))
    assert feed(made, [match(None, None), match(None, "")]) == [[], []]
    assert made.total_failed == 0


@pytest.mark.parametrize(("by", "key"), [("ip", A), ("net", "203.0.113.0/24"), ("login", "root")])
def test_after_a_ban_the_windows_of_the_key_are_empty(jail, rule, match, by, key):
    """In every rule of the jail; lines of the key within 5 s after the ban do not feed the next window, later ones do."""
    made = jail(rule(by, 3, name="a"), rule(by, 9, name="b"))
    feed(made, [match(A)] * 3)
    assert made.tracked() == {"a": 0, "b": 0}
    for at in (2.0, 4.0, 7.0):
        assert made.feed(match(A), at, at) == ()
        assert made.tracked() == {"a": 0, "b": 0}
    assert made.feed(match(A), 7.000001, 7.1) == ()
    assert made.tracked() == {"a": 1, "b": 1}
    assert made.total_failed == 7
    target = Target("login" if by == "login" else "net", key)
    assert whom(made.feed(match(A, attempts=2), 9.0, 9.0)) == [str(target)]


def test_another_key_goes_on_counting_after_a_ban(jail, rule, match):
    """The 5 s are the banned key's alone: its lines still count for its network, and its neighbours for themselves."""
    made = jail(rule("ip", 2), rule("net", 4))
    assert feed(made, [match(A), match(A), match(A), match(B)]) == [[], [A], [], ["203.0.113.0/24"]]


@pytest.mark.parametrize(("by", "who"), [("ip", A), ("net", "203.0.113.0/24"), ("login", "login:root")])
def test_after_an_unban_the_windows_of_the_key_are_empty(jail, rule, match, by, who):
    """An unban empties the windows and ends the 5 s: the next line is the first of a new window."""
    made = jail(rule(by, 3))
    target = Target("login", "root") if by == "login" else Target("net", who)
    feed(made, [match(A)] * 2)
    made.forget(target)
    assert made.tracked() == {by: 0}
    assert feed(made, [match(A)] * 3, 3.0) == [[], [], [who]]
    made.forget(target)
    assert feed(made, [match(A)] * 3, 5.5, 0.1) == [[], [], [who]]


def test_a_ban_by_hand_settles_the_key(jail, rule, match):
    """After a ban that the rules did not decide, the windows are empty too, and the 5 s run."""
    made = jail(rule("ip", 3))
    feed(made, [match(A)] * 2)
    made.settle(Target("net", A), 2.0)
    made.settle(Target("login", A), 2.0)
    assert feed(made, [match(A)] * 8, 3.0) == [[]] * 7 + [[A]]


def test_lines_from_before_the_ban_belong_to_it(jail, rule, match):
    """What comes late from another file, from within findtime before the ban, does not feed the next window."""
    made = jail(rule("ip", 2, 600.0))
    feed(made, [match(A)] * 2, 1000.0)
    assert made.feed(match(A, attempts=5), 401.0, 1010.0) == ()
    assert made.tracked() == {"ip": 0}
    assert whom(made.feed(match(A, attempts=5), 400.0, 1010.0)) == [A]


def test_a_ban_while_catching_up(jail, rule, match):
    """A ban ends at the time of its attempt plus bantime; if that is past now it is recorded, not enforced."""
    made = jail(rule("ip", 1, bantime=600.0))
    [late] = made.feed(match(A), 1000.0, 1599.0)
    [past] = made.feed(match(B), 1000.0, 1600.0, 1599.5)
    assert (late.until, late.enforce, late.read_at) == (1600.0, True, None)
    assert (past.until, past.enforce, past.read_at) == (1600.0, False, 1599.5)


def test_a_jail_that_looks_on_counts_and_decides(jail, rule, match):
    """`enforce: false` decides the same bans, none of them to be enforced."""
    made = jail(rule("ip", 2), enforce=False)
    made.feed(match(A), 0.0, 0.0)
    [ban] = made.feed(match(A), 1.0, 1.0)
    assert not ban.enforce


def test_success_takes_out_the_own_slips(jail, rule, match):
    """A user who mistypes twice and then gets in starts anew."""
    made = jail(rule("ip", 3), rule("net", 3), rule("login", 3))
    user, good = match(A, "bob"), match(A, "bob", "success")
    assert feed(made, [user, user, good] * 5) == [[]] * 15
    assert made.tracked() == {"ip": 0, "net": 0, "login": 0}


def test_a_polling_phone_cannot_wipe_an_attack_on_its_login(jail, rule, match):
    """Good logins of the phone leave the failures from elsewhere in the login's window."""
    made = jail(rule("login", 3))
    phone, attack = match(A, "bob", "success"), [match(f"198.51.100.{n}", "bob") for n in range(3)]
    assert feed(made, [attack[0], phone, attack[1], phone, attack[2]]) == [[], [], [], [], ["login:bob"]]


def test_an_attacker_with_one_valid_account_cannot_wipe_an_attack(jail, rule, match):
    """Good logins on the own account leave the failures on other logins in the address's and the network's windows."""
    made = jail(rule("ip", 3), rule("net", 4), rule("ip", 3, name="mail", count=("rcpt",)))
    own, guesses = match(A, "mallory", "success"), [match(A, name) for name in ("ann", "bob", "eve")]
    assert feed(made, [guesses[0], own, guesses[1], own, guesses[2]]) == [[], [], [], [], [A]]
    rejected = match(C, None, "rcpt")
    assert feed(made, [rejected, match(C, "mallory", "success"), rejected, rejected], 10.0)[-1] == [C]


@pytest.mark.parametrize("kind", ["success"])
@pytest.mark.parametrize(("ip", "login"), [(None, "bob"), (A, None), (A, ""), ("fe80::1", "bob")])
def test_a_success_of_nobody_changes_nothing(jail, rule, match, ip, login, kind):
    """A good login that does not name both sides proves nothing about either."""
    made = jail(rule("ip", 3), rule("net", 3), rule("login", 3))
    feed(made, [match(A, "bob")] * 2)
    before = {name: list(made.window(name).items()) for name in made.tracked()}
    assert made.feed(match(ip, login, kind), 2.0, 2.0) == ()
    assert {name: list(made.window(name).items()) for name in made.tracked()} == before


def test_status_figures(jail, rule, match):
    """Currently failed are the addresses with an attempt within findtime of now; total is every attempt since the start."""
    made = jail(rule("ip", 3, 600.0), rule("ip", 9, 60.0, name="scan", count=("scan",)), rule("login", 9))
    feed(made, [match(A), match(B), match(B), match(C, kind="scan"), match(A, kind="scan")])
    assert made.total_failed == 5
    assert made.currently_failed(4.0) == 3
    assert made.currently_failed(64.1) == 2
    assert made.currently_failed(602.0) == 1
    assert made.currently_failed(602.1) == 0
    assert made.tracked() == {"ip": 2, "scan": 2, "login": 1}


def test_currently_failed_without_a_rule_by_address(jail, rule, match):
    """Where no rule goes by address, what is counted is what is shown."""
    made = jail(rule("login", 9))
    feed(made, [match(A, "bob"), match(B, "bob"), match(B, "eve")])
    assert made.currently_failed(3.0) == 2
    assert jail().currently_failed(3.0) == 0


def test_lookback(jail, rule):
    """An attempt can count as long as the longest findtime."""
    assert jail(rule("ip", 3, 600.0), rule("net", 30, 3600.0)).lookback == 3600.0
    assert jail().lookback == 0.0


def test_reload_keeps_the_windows(jail, rule, match):
    """A rule that counts the same keeps its attempts, also under another limit; a lower one takes effect at the next attempt."""
    old = jail(rule("ip", 5), rule("net", 9), rule("login", 9, name="gone"))
    feed(old, [match(A), match(A), match(C), match(A, kind="spam")])
    new = jail(rule("ip", 2, bantime=60.0), rule("net", 9, prefix=(16, 48)), older=old)
    assert new.tracked() == {"ip": 2, "net": 0}
    assert new.total_failed == 3
    [ban] = new.feed(match(A), 10.0, 10.0)
    assert (ban.failures, ban.until) == (3, 70.0)


def test_reload_keeps_what_was_counted(jail, rule, match):
    """Totals, evictions of rules that are gone, and the 5 s after a ban go on over a reload."""
    old = jail(rule("ip", 2), rule("login", 9), budget=1, guard=Guard([C]))
    feed(old, [match(A, "x"), match(B, "y"), match(B, "z"), match(C)])
    assert (old.evicted, old.ignored) == (3, 1)
    new = jail(rule("ip", 2), budget=5, older=old)
    assert (new.evicted, new.ignored, new.total_failed) == (3, 1, 3)
    feed(new, [match(B)] * 2, 3.0)
    assert new.tracked() == {"ip": 0}
    for number in range(6):
        new.feed(match(f"198.51.100.{number + 2}"), 20.0, 20.0)
    assert new.evicted == 4


def test_sweep_frees_what_is_over(jail, rule, match):
    """A sweep drops what is older than findtime and says when to come again; with nothing left it needs not come."""
    made = jail(rule("ip", 2, 600.0))
    assert made.sweep(1000.0) is None
    feed(made, [match(A), match(A), match(B)], 1000.0)
    assert made.sweep(1060.0) == 1120.0
    assert made.tracked() == {"ip": 1}
    assert made.sweep(1602.0) == 1662.0
    assert made.sweep(1603.0) is None
    assert made.tracked() == {"ip": 0}


def test_sweep_in_portions(jail, rule, match):
    """A sweep does not hold up the bans: what one does not manage, the next does at once."""
    made = jail(rule("ip", 2, 600.0))
    for number in range(SWEPT + 1):
        made.feed(match(f"10.0.{number >> 8}.{number & 255}"), 0.0, 0.0)
    assert made.sweep(700.0) == 700.0
    assert made.tracked() == {"ip": 1}
    assert made.sweep(700.0) is None


def test_sweep_waits_for_lines_that_are_behind(jail, rule, match):
    """While old lines are read, their attempts are not too old for a sweep; when no more come, they go."""
    made = jail(rule("ip", 3, 600.0))
    made.feed(match(A), 1000.0, 9000.0)
    made.feed(match(B), 9000.0, 9000.0)
    made.sweep(9001.0)
    made.feed(match(A), 1001.0, 9002.0)
    assert whom(made.feed(match(A), 1002.0, 9003.0)) == [A]
    made.feed(match(A), 1010.0, 9004.0)
    made.window("ip").discard(B)
    made.feed(match(B), 9005.0, 9005.0)
    for now in (9062.0, 9123.0, 9184.0):
        made.sweep(now)
    assert made.tracked() == {"ip": 1}


def test_budgets_hold(jail, rule, match):
    """Keys are bounded per rule, and what was given up is counted."""
    made = jail(rule("ip", 3), rule("login", 3), budget=10)
    for number in range(100):
        made.feed(match(f"10.0.0.{number}", f"u{number % 10}"), float(number), float(number))
    assert made.tracked() == {"ip": 10, "login": 10}
    assert made.evicted == 90


def test_logins_are_bounded(jail, rule, match):
    """A login of 64 KiB is no key, is not kept as it is, and counts for its address; a counter tells."""
    made = jail(rule("ip", 3), rule("login", 1))
    assert feed(made, [match(A, "x" * 65536)]) == [[]]
    [(_, login)] = made.window("ip").attempts(A)
    assert len(login) == LONGEST_LOGIN + 1
    assert made.long_logins == 1
    assert feed(made, [match(B, "x" * LONGEST_LOGIN)]) == [["login:" + "x" * LONGEST_LOGIN]]
    for number in range(10_000):
        made.feed(match(C, f"user {number}"), 0.0, 0.0)
    assert len(made.logins) <= 4096


class Naive:
    """A jail as a list of everything that ever happened, asked anew each time; times in whole seconds."""

    def __init__(self, rules):
        self.rules = rules
        self.past = []  # (rule, key, at, unit, login)
        self.banned = defaultdict(lambda: -inf)  # (realm, key) → when
        self.seen = set()  # units from which somebody got in

    @staticmethod
    def unit(ip):
        return str(ip_network((ip, 64), strict=False)) if ":" in ip else ip

    def key(self, rule, ip, login):
        if rule.by == "login":
            return "login", login
        if ip is None:
            return "net", None
        prefix = rule.prefix[":" in ip]
        return "net", self.unit(ip) if rule.by == "ip" else str(ip_network((ip, prefix), strict=False))

    def window(self, rule, key):
        return [each for each in self.past if each[0] == rule.name and each[1] == key]

    def feed(self, kind, ip, login, at):
        if kind == "success":
            self.succeed(ip, login, at)
            return []
        bans, emptied = [], []
        for rule in self.rules:
            realm, key = self.key(rule, ip, login)
            if key is None or kind not in rule.count:
                continue
            if self.late(realm, key, at, rule) or ("hosts" in rule.ban and ip and self.late("net", self.unit(ip), at, rule)):
                continue
            newest = max([at, *(each[2] for each in self.window(rule, key))])
            if at < newest - rule.limit.findtime:
                continue
            self.past.append((rule.name, key, at, ip and self.unit(ip), login))
            self.past = [each for each in self.past if each[:2] != (rule.name, key) or each[2] >= newest - rule.limit.findtime]
            window = sorted(self.window(rule, key), key=lambda each: each[2])
            if len(window) >= rule.limit.maxretry:
                emptied.append((rule.name, key))
                targets = [(realm, key)] if "key" in rule.ban else []
                hosts = [host for host in dict.fromkeys(each[3] for each in window) if host and host not in self.seen]
                targets += [("net", host) for host in hosts] * ("hosts" in rule.ban)
                bans += [target for target in targets if target not in bans]
        self.past = [each for each in self.past if each[:2] not in emptied]
        for realm, key in bans:
            self.banned[realm, key] = at
            gone = {rule.name for rule in self.rules if (rule.by == "login") == (realm == "login")}
            self.past = [each for each in self.past if each[0] not in gone or each[1] != key]
        return bans

    def late(self, realm, key, at, rule):
        return self.banned[realm, key] - rule.limit.findtime <= at <= self.banned[realm, key] + 5

    def succeed(self, ip, login, at):
        if ip is None or login is None:
            return
        unit = self.unit(ip)
        self.seen.add(unit)
        home = ip_network((ip, 64 if ":" in ip else 24), strict=False)
        for rule in self.rules:
            _, key = self.key(rule, ip, login)
            before = [each for each in self.window(rule, key) if each[2] <= at + 1]
            mine = [each for each in before if each[3] == unit]
            if rule.by == "login":
                gone = [each for each in before if each[3] and self.at_home(each[3], home)]
            elif {each[4] for each in mine if each[2] >= at - rule.limit.findtime} - {None, login}:
                gone = [each for each in mine if each[4] == login]
            else:
                gone = mine
            for each in gone:
                self.past.remove(each)

    @staticmethod
    def at_home(unit, home):
        return ip_network(unit).version == home.version and ip_network(unit).subnet_of(home)


events = st.tuples(
    st.sampled_from(["auth", "auth", "auth", "scan", "success"]),
    st.sampled_from([A, B, C, "198.51.100.2", "198.51.100.3", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", None]),
    st.sampled_from(["ann", "bob", "eve", None]),
    st.integers(-4, 10),
)


@settings(max_examples=300)
@given(st.lists(events, max_size=60), st.integers(1, 4), st.integers(2, 5), st.booleans())
def test_any_stream_gives_the_bans_of_a_list(jail, rule, match, stream, maxretry, more, hosts):
    """Whatever comes, in whatever order: the same bans on the same attempts as when everything is looked at each time."""
    rules = (
        rule("ip", maxretry, 20.0),
        rule("ip", more, 40.0, name="both", count=("auth", "scan")),
        rule("net", more, 30.0),
        rule("login", maxretry, 25.0, ban=("hosts",) if hosts else ("key",)),
    )
    made, naive = jail(*rules), Naive(rules)
    at = 1000
    for kind, ip, login, step in stream:
        at += step
        assert [tuple(ban.target) for ban in made.feed(match(ip, login, kind), float(at), float(at))] == naive.feed(
            kind, ip, login, at
        )
        assert made.tracked() == {rule.name: len({each[1] for each in naive.past if each[0] == rule.name}) for rule in rules}


def test_one_account_is_one_key(jail, rule, match):
    """However a login is written, it counts for its account, and a success of that account forgives it."""
    watched = jail(rule("login", 3), naming=Naming("example.org"))
    for number, login in enumerate(["Bob", "bob+x@example.org"]):
        assert watched.feed(match(f"203.0.113.{number}", login), 1.0, 1.0) == ()
    [ban] = watched.feed(match("198.51.100.1", "BOB@EXAMPLE.ORG"), 2.0, 2.0)
    assert ban.target == Target("login", "bob@example.org")
    watched.forget(ban.target)
    watched.feed(match("203.0.113.1", "bob"), 3.0, 3.0)
    watched.feed(match("203.0.113.1", "BOB", kind="success"), 4.0, 4.0)
    assert watched.window("login").attempts("bob@example.org") == []
    assert watched.known.ever("bob@example.org")


def test_learn(jail, rule):
    """A good login of long ago makes its network known, and raises no alarm."""
    watched = jail(rule("login"), naming=Naming("example.org"), alarm=AlarmSpec(Limit(1, 60.0)))
    for day in (1, 2):
        watched.learn("2001:db8:1:2::7", "Bob", day * 86400.0)
    watched.learn("fe80::1", "bob", 86400.0)
    watched.learn("203.0.113.7", "x" * 300, 86400.0)
    assert watched.known.homes("bob@example.org", 3 * 86400.0) == ("2001:db8:1:2::/64",)
    assert (len(watched.known), watched.raised) == (1, [])


def test_an_account_that_looks_compromised(jail, rule, match):
    """Good logins from many networks raise an alarm once, which bans only if it is asked to; who came in so is not at home."""
    day = 86400.0
    watched = jail(rule("login"), alarm=AlarmSpec(Limit(3, 3600.0)))
    for number in range(4):
        assert watched.feed(match(f"203.0.{number}.7", "Bob", kind="success"), day + number, day + number) == ()
    [alarm] = watched.raised
    assert alarm == Alarm("sshd", "bob", ("203.0.0", "203.0.1", "203.0.2"), day + 2, "got in from 3 networks in 3600 s")
    assert watched.alarms.standing(day + 3) == ("bob",)
    watched.feed(match("203.0.3.7", "bob", kind="success"), 2 * day + 1, 2 * day + 1)
    assert watched.known.homes("bob", 2 * day + 1) == ()


def test_an_alarm_may_ban(jail, rule, match):
    """The ban tells of networks; a login that is ignored has no alarm."""
    spec = AlarmSpec(Limit(2, 60.0), ban=True, bantime=900.0)
    watched = jail(rule("login"), alarm=spec)
    watched.feed(match("203.0.1.7", "bob", kind="success"), 1.0, 1.0)
    [ban] = watched.feed(match("203.0.2.7", "bob", kind="success"), 2.0, 2.0)
    assert ban == Ban(
        "sshd", Target("login", "bob"), "login", 2.0, 902.0, None, "rule", 2, True, "got in from 2 networks in 60 s"
    )
    spared = jail(rule("login"), alarm=spec, guard=Guard(["login:bob"]))
    for number in (1, 2):
        assert spared.feed(match(f"203.0.{number}.7", "bob", kind="success"), 1.0, 1.0) == ()
    assert spared.raised == []
