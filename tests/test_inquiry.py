"""inquiry.py: why somebody is banned, or is not."""

from dataclasses import replace

import pytest
from tests.evidence.conftest import SSHD, START, Log

from banwatch.config.model import Config, DaemonSpec, JailSpec, Limit, Rule, Watch
from banwatch.engine import Engine, Surroundings
from banwatch.errors import ControlError, FirewallError, StoreError
from banwatch.inquiry import Held, Inquiry, holders
from banwatch.login import Naming
from banwatch.model import ALLOW, Ban, Chunk, Position, Target
from banwatch.store.values import Event, Line

RULES = (
    Rule("ip", frozenset({"auth"}), "ip", Limit(3, 600.0), 1800.0),
    Rule("net", frozenset({"auth"}), "net", Limit(5, 3600.0), 7200.0),
    Rule("login", frozenset({"auth"}), "login", Limit(50, 3600.0), 7200.0),
)
NOW = START + 50


class House:
    """An engine over a real log, a kernel of a dictionary, and a store that the test fills."""

    def __init__(self, log, ignoreip=()):
        self.log = log
        watch = Watch("sshd", logs=(str(log.path),), timezone="UTC")
        jails = {"sshd": JailSpec("sshd", watch=(watch,), rules=RULES), "manual": JailSpec("manual")}
        config = Config(DaemonSpec(ignoreip=ignoreip), jails, {"sshd": SSHD}, compiled={"sshd": log.lens.filter})
        self.engine = Engine(config, Surroundings(own=frozenset({"203.0.113.1"})))
        self.kernel, self.events = {}, []

    def feed(self, *lines):
        before = self.log.path.stat().st_size
        self.log.write(*lines)
        data = self.log.path.read_bytes()[before:]
        source, position = str(self.log.path), Position(*self.log.where().end)
        return self.engine.feed(Chunk(source, data, before, position, True, NOW, frozenset({source})), NOW)

    def in_force(self, ban):
        return (ban.jail, ban.target) in self.kernel

    def where(self, jail):
        return (self.log.where(),) if jail == "sshd" else ()

    async def held(self, ban):
        if self.kernel is None:
            raise FirewallError("gone")
        return self.kernel.get((ban.jail, ban.target))

    async def history(self, who, since, most):
        if self.events is None:
            raise StoreError("disk is full")
        return [event for event in self.events if who is None or (event.ban.target.realm, event.ban.target.who) in who]


@pytest.fixture
def house(tmp_path):
    return House(Log(tmp_path / "auth.log"), ignoreip=("198.51.100.0/24",))


@pytest.fixture
def ask(house):
    handlers = Inquiry(house, lambda: NOW).handlers()

    async def asking(method, **params):
        return await handlers[method](params, None)

    return asking


FAIL = "Failed for root from 192.0.2.7"


async def test_a_ban_by_a_rule(house, ask):
    """The rule, the end, what the kernel has, and each line that counted."""
    [ban] = house.feed((1, FAIL), (2, "Scan from 192.0.2.7"), (3, FAIL), (4, FAIL))
    house.kernel[ban.jail, ban.target] = Held(1754.0, 14)
    answer = await ask("why", who="192.0.2.7")
    assert answer["verdict"] == "banned in sshd"
    [told] = answer["bans"]
    expected = {
        "jail": "sshd",
        "by": "ip",
        "who": "192.0.2.7",
        "at": START + 4,
        "until": START + 1804,
        "left": 1754.0,
        "origin": "rule",
        "rule": "ip",
        "why": "3 attempts in 600 s",
        "failures": 3,
        "enforced": True,
    }
    assert {key: told[key] for key in expected} == expected
    assert told["kernel"] == {"left": 1754.0, "dropped": 14}
    assert [(line["at"] - START, line["text"].partition(": ")[2]) for line in told["lines"]] == [(1, FAIL), (3, FAIL), (4, FAIL)]
    content = house.log.path.read_bytes()
    assert [content[line["offset"] :].partition(b"\n")[0].decode() for line in told["lines"]] == [
        line["text"] for line in told["lines"]
    ]
    assert {line["file"] for line in told["lines"]} == {str(house.log.path)}


async def test_what_the_history_has_comes_first(house, ask):
    """A log may be gone when somebody asks."""
    [ban] = house.feed((1, FAIL), (3, FAIL), (4, FAIL))
    line = Line("/var/log/auth.log", 7, START, "as it was")
    house.events = [Event(NOW, "ban", ban, "", (line,))]
    [told] = (await ask("why", who="192.0.2.7"))["bans"]
    assert told["lines"] == [line._asdict()]
    house.events = None
    [told] = (await ask("why", who="192.0.2.7"))["bans"]
    assert len(told["lines"]) == 3


async def test_a_ban_around_it(house, ask):
    """The network is what keeps an address out; a kernel that does not answer is no reason to say nothing."""
    house.engine.ban([Ban("manual", Target("net", "192.0.2.0/24"), "net", NOW, None, origin="manual", why="by command")])
    house.kernel = None
    house.in_force = lambda ban: False
    answer = await ask("why", who="192.0.2.7")
    assert answer["verdict"] == "banned in manual"
    [ban] = answer["bans"]
    assert (ban["who"], ban["kernel"], ban["left"], ban["lines"]) == ("192.0.2.0/24", None, None, [])


async def test_below_the_limit(house, ask):
    """How many of how many, for each rule, and the lines that count now."""
    house.feed((1, FAIL), (40, FAIL), (45, "Failed for bob from 192.0.2.8"))
    answer = await ask("why", who="192.0.2.7")
    assert answer["verdict"] == "not banned: below the limit of sshd, 2 of 3 attempts"
    assert [(count["rule"], count["key"], count["attempts"], count["maxretry"], count["left"]) for count in answer["counts"]] == [
        ("ip", "192.0.2.7", 2, 3, 551.0),
        ("net", "192.0.2.0/24", 3, 5, 3551.0),
    ]
    assert [[line["at"] - START for line in count["lines"]] for count in answer["counts"]] == [[1, 40], [1, 40, 45]]
    [login] = (await ask("why", who="login:bob"))["counts"]
    assert (login["rule"], login["attempts"], [line["at"] - START for line in login["lines"]]) == ("login", 1, [45])


@pytest.mark.parametrize(
    ("who", "verdict", "spared"),
    [
        ("198.51.100.7", "not banned: is never banned", ["in ignoreip 198.51.100.0/24"]),
        ("203.0.113.1", "not banned: is never banned", ["own address"]),
        ("203.0.113.0/24", "not banned: is never banned", ["holds own address"]),
        ("192.0.2.77", "not banned: nothing has been counted", []),
        ("login:nobody", "not banned: nothing has been counted", []),
    ],
)
async def test_who_is_never_banned(ask, who, verdict, spared):
    """And why."""
    answer = await ask("why", who=who)
    assert (answer["verdict"], answer["counts"], answer["bans"]) == (verdict, [], [])
    assert answer["spared"] == spared


async def test_who_is_allowed(house, ask):
    """An allowance is an answer too."""
    house.engine.ban([Ban(ALLOW, Target("net", "192.0.2.7"), "ip", NOW, None, origin="manual", why="by command")])
    answer = await ask("why", who="192.0.2.7")
    assert (answer["verdict"], answer["spared"]) == ("allowed", ["allowed"])


async def test_a_jail_that_looks_on(house, ask):
    """A ban that is only recorded keeps nobody out."""
    house.engine.ban([Ban("sshd", Target("net", "192.0.2.7"), "ip", NOW, None, enforce=False)])
    assert (await ask("why", who="192.0.2.7"))["verdict"] == "would be banned, but is only watched"


async def test_the_history(house, ask):
    """Of one and of the networks around it, or of all; what the store says when it cannot."""
    bans = [Ban("sshd", Target("net", who), "ip", NOW, NOW + 60, "ip") for who in ("192.0.2.7", "192.0.2.0/24", "192.0.2.8")]
    house.events = [Event(NOW, "ban", ban, "x") for ban in bans]
    assert [event["who"] for event in await ask("history", who="192.0.2.7")] == ["192.0.2.7", "192.0.2.0/24"]
    assert [event["who"] for event in await ask("history")] == ["192.0.2.7", "192.0.2.0/24", "192.0.2.8"]
    house.events = None
    with pytest.raises(ControlError, match="disk is full"):
        await ask("history")


async def test_nobody_is_meant(ask):
    """What is no WHO is told as such."""
    with pytest.raises(ControlError, match="expected an address"):
        await ask("why", who="example.org")


@pytest.mark.parametrize(
    ("who", "last", "number"),
    [("192.0.2.7", "128.0.0.0/1", 32), ("2001:db8::7", "::/1", 128), ("10.0.0.0/8", "0.0.0.0/1", 8)],
)
def test_holders(who, last, number):
    """Itself first, then each network around it, none twice."""
    found = holders(Target("net", who))
    assert (found[0].who, found[-1].who, len(found), len(set(found))) == (who, last, number, number)
    assert holders(Target("login", "bob")) == [Target("login", "bob")]


async def test_a_login_in_another_spelling(house, ask):
    """What is asked about is the account, whatever the letters."""
    spec = house.engine.config.jails["sshd"]
    jails = {**house.engine.config.jails, "sshd": replace(spec, naming=Naming("example.org"))}
    house.engine = Engine(replace(house.engine.config, jails=jails))
    house.feed((1, "Failed for Bob from 192.0.2.1"), (2, "Failed for bob@example.org from 192.0.2.2"))
    answer = await ask("why", who="login:BOB")
    [count] = answer["counts"]
    assert [line["text"].partition(": ")[2] for line in count["lines"]] == [
        "Failed for Bob from 192.0.2.1",
        "Failed for bob@example.org from 192.0.2.2",
    ]
