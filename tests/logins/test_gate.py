"""logins/gate.py: may this login get in from there?"""

from dataclasses import replace
from statistics import median
from time import perf_counter

import pytest

from banwatch.config.model import AlarmSpec, Config, DaemonSpec, JailSpec, Limit, Rule
from banwatch.engine import Engine
from banwatch.jail.known import DAY
from banwatch.login import Naming
from banwatch.logins.gate import SECONDS, decide
from banwatch.model import ALLOW, Ban, Target

NOW = 20_000 * DAY
HOME, STRANGER = "203.0.113.7", "198.51.100.1"
HOME6, STRANGER6 = "2001:db8:1:2::7", "2001:db8:bad::7"
RULE = Rule("login", frozenset({"auth"}), "login", Limit(3, 600.0), 3600.0)
MAIL = JailSpec("mail", rules=(RULE,), naming=Naming("example.org"), alarm=AlarmSpec(Limit(3, 3600.0)))
BOB = Target("login", "bob@example.org")


@pytest.fixture
def engine():
    """Two jails; bob is at home in two networks."""
    return engine_of(MAIL)


def engine_of(spec):
    jails = {jail.name: jail for jail in (JailSpec("manual", naming=Naming("example.org")), spec)}
    made = Engine(Config(DaemonSpec(), jails, {}))
    for unit in (HOME, "2001:db8:1:2::/64"):
        for day in (1, 2):
            made.jails["mail"].known.note(unit, "bob@example.org", NOW - day * DAY)
    return made


def ban(engine, jail="mail", target=BOB, until=NOW + 3600, **changes):
    engine.ban([Ban(jail, target, "login", NOW, until, **{"rule": "login", **changes})])


def answers(engine, login="bob", now=NOW + 1):
    """From home and from elsewhere, in IPv4 and IPv6, and from nowhere."""
    return [decide(engine, login, ip, now).action for ip in (HOME, STRANGER, HOME6, STRANGER6, None)]


def test_nobody_is_banned(engine):
    """Everybody may try."""
    assert answers(engine) == ["allow"] * 5


def test_a_banned_login(engine):
    """It is refused from everywhere but its own networks, however it is written; nobody else is."""
    ban(engine)
    for login in ("bob", "Bob@Example.org", "bob+shop"):
        assert answers(engine, login) == ["allow", "deny", "allow", "deny", "deny"]
    assert decide(engine, "bob", HOME, NOW).why == "login:bob@example.org is banned in mail, but known from there"
    assert decide(engine, "bob", STRANGER, NOW).why == "login:bob@example.org is banned in mail"
    assert answers(engine, "bob@example.com") == ["allow"] * 5
    assert answers(engine, "eve") == ["allow"] * 5


def test_when_the_ban_ends(engine):
    """At its end everybody may try again, even before anybody has taken it out of the book."""
    ban(engine)
    assert answers(engine, now=NOW + 3599.9)[1] == "deny"
    assert answers(engine, now=NOW + 3600) == ["allow"] * 5
    ban(engine, until=None)
    assert answers(engine, now=NOW + 10 * DAY)[1] == "deny"


def test_only_recorded(engine):
    """A ban that is not enforced refuses nobody."""
    ban(engine, enforce=False)
    assert answers(engine) == ["allow"] * 5


def test_strict():
    """A strict rule refuses the owner, too."""
    engine = engine_of(replace(MAIL, rules=(replace(RULE, strict=True),)))
    ban(engine)
    assert answers(engine) == ["deny"] * 5


def test_delay_first():
    """For as long as the rule says attempts are held up, and then refused; at home they are not even held up."""
    engine = engine_of(replace(MAIL, rules=(replace(RULE, delay=60.0),)))
    ban(engine)
    assert answers(engine, now=NOW + 59) == ["allow", "delay", "allow", "delay", "delay"]
    assert decide(engine, "bob", STRANGER, NOW)[:2] == ("delay", SECONDS)
    assert answers(engine, now=NOW + 60) == ["allow", "deny", "allow", "deny", "deny"]
    ban(engine, "manual", rule=None)
    assert answers(engine, now=NOW + 1) == ["allow", "deny", "allow", "deny", "deny"]


def test_a_ban_by_hand(engine):
    """It spares the login's own networks, which another jail knows; by force it does not."""
    ban(engine, "manual", rule=None, origin="manual")
    assert answers(engine) == ["allow", "deny", "allow", "deny", "deny"]
    ban(engine, "manual", rule=None, origin="manual", until=NOW + 7200, forced=True)
    assert answers(engine) == ["deny"] * 5


def test_no_home_while_the_alarm_stands(engine):
    """Who got in from everywhere may be a thief, at home as elsewhere."""
    ban(engine)
    for number in range(3):
        engine.jails["mail"].alarms.note("bob@example.org", f"192.0.{number}.1", NOW)
    assert answers(engine) == ["deny"] * 5
    engine.unban([("mail", BOB)], NOW + 2, "by command")
    ban(engine)
    assert answers(engine) == ["allow", "deny", "allow", "deny", "deny"]


def test_who_is_allowed(engine):
    """An address that was allowed by command gets in; a login that was is not banned any more."""
    ban(engine)
    engine.ban([Ban(ALLOW, Target("net", STRANGER), "ip", NOW, None)])
    assert answers(engine) == ["allow", "allow", "allow", "deny", "deny"]
    assert decide(engine, "bob", STRANGER, NOW).why == "login:bob@example.org is banned in mail, but 198.51.100.1 is allowed"


@pytest.mark.parametrize("ip", ["::ffff:203.0.113.9", "[203.0.113.9]", "203.0.113.9"])
def test_addresses_as_services_write_them(engine, ip):
    """A mapped address is the IPv4 address that it stands for."""
    ban(engine)
    assert decide(engine, "bob", ip, NOW).action == "allow"


@pytest.mark.parametrize("ip", ["", "localhost", "203.0.113.999", "x" * 1000])
def test_what_is_no_address(engine, ip):
    """Nobody is at home there."""
    ban(engine)
    assert decide(engine, "bob", ip, NOW).action == "deny"


def test_it_takes_no_time():
    """With many jails, bans and known logins an answer takes far less than a millisecond."""
    engine = engine_of(MAIL)
    many = {f"jail{number}": JailSpec(f"jail{number}") for number in range(40)}
    engine = Engine(Config(DaemonSpec(), {**engine.config.jails, **many}, {}), older=engine)
    for number in range(2000):
        ban(engine, target=Target("login", f"user{number}@example.org"))
        engine.jails["mail"].known.note(HOME, f"user{number}@example.org", NOW)
    taken = []
    for number in range(500):
        began = perf_counter()
        decide(engine, f"User{number}", STRANGER, NOW)
        taken.append(perf_counter() - began)
    assert median(taken) < 0.001
