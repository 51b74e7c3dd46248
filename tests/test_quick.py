"""quick.py: the short way of a line is a way of the same line."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch.config.model import Config, DaemonSpec, FilterSpec, JailSpec, Limit, Rule, Watch
from banwatch.engine import Engine
from banwatch.filter.match import compile_filter
from banwatch.model import Chunk, Position, Target

START = 1_780_000_000.0

SPEC = FilterSpec(
    name="sshd",
    program="sshd",
    failregex={
        "auth": (r"^Failed for <F-USER>.*</F-USER> from <HOST>(?: port \d+)?$", r"^Gone: (?:<F-USER>\w+</F-USER>)? ?<HOST>$"),
        "scan": (r"^Scan by <F-USER>\w*</F-USER> from <HOST>$",),
    },
    hintregex={
        "auth": (r"^Invalid <F-USER>.*</F-USER> from <HOST>$", r"^<F-SESSION></F-SESSION>PAM <F-USER>\w*</F-USER> <HOST>$")
    },
    successregex=(r"^Accepted for <F-USER>\w+</F-USER> from <HOST>$",),
)
PLAIN = replace(SPEC, hintregex={})
FILTERS = {bool(spec.hintregex): compile_filter(spec) for spec in (SPEC, PLAIN)}
AUTH = frozenset({"auth"})
RULES = [
    (Rule("ip", AUTH, "ip", Limit(3, 60.0), 30.0),),
    (Rule("ip", frozenset({"auth", "scan"}), "ip", Limit(2, 600.0), 5.0, ban=("key", "net")),),
    (Rule("ip", AUTH, "ip", Limit(1, 60.0), None),),
    (Rule("ip", AUTH, "ip", Limit(3, 60.0), 30.0), Rule("net", frozenset({"scan", "auth"}), "net", Limit(4, 60.0), 60.0)),
    (Rule("ip", AUTH, "ip", Limit(2, 60.0), 30.0), Rule("scan", frozenset({"scan"}), "ip", Limit(2, 60.0), 10.0)),
    (Rule("login", AUTH, "login", Limit(3, 60.0), 30.0),),
]

HOSTS = ["192.0.2.7", "192.0.2.8", "10.0.0.1", "2001:db8::7", "2001:db8::8", "::ffff:192.0.2.7", "999.0.2.7", "fe80::1"]
TEXTS = [
    "Failed for {} from {}",
    "Failed for {} from {} port 1",
    "Invalid {} from {}",
    "PAM {} {}",
    "Accepted for {} from {}",
    "Scan by {} from {}",
    "Gone: {} {}",
    "message repeated 3 times: [ Failed for {} from {}]",
    "nothing {} {}",
]
LOGINS = ["root", "bob", "", "x" * 300]
MESSAGES = st.builds(str.format, *map(st.sampled_from, (TEXTS, LOGINS, HOSTS)))
HEADS = ["May 28 {:%H:%M:%S} mx", "{:%Y-%m-%dT%H:%M:%S.%f+00:00} mx", "May 32 20:00:00 mx"]
STEPS = [0.0, 0.0, 0.0, 1.0, 4.999999, 5.0, 5.000001, 29.0, 60.0, 700.0, -3.0]


@st.composite
def logs(draw):
    """Lines of a few seconds, now and then with another date, another program or no pid, and the places where chunks end."""
    lines, at = [], START
    for _ in range(draw(st.integers(1, 40))):
        at += draw(st.sampled_from(STEPS))
        head = draw(st.sampled_from(HEADS)).format(datetime.fromtimestamp(at, UTC))
        writer = draw(st.sampled_from(["sshd[1]", "sshd[2]", "sshd[3]", "sshd", "cron[1]"]))
        lines.append(f"{head} {writer}: {draw(MESSAGES)}\n".encode())
    ends = sorted(draw(st.sets(st.integers(0, len(lines)), max_size=4)) | {0, len(lines)})
    return [b"".join(lines[a:b]) for a, b in pairwise(ends)]


def make_engine(spec, rules, ignoreip=(), room=10_000):
    jail = JailSpec("sshd", watch=(Watch("sshd", logs=("/log",), timezone="UTC"),), rules=rules, ignoreip=ignoreip)
    engine = Engine(Config(DaemonSpec(), {"sshd": jail}, {"sshd": spec}, compiled={"sshd": FILTERS[bool(spec.hintregex)]}))
    engine.lanes.of(frozenset({"/log"}))
    for once in engine.lanes.once.values():
        once.room = room
    return engine


def state(engine):
    """All that an engine remembers."""
    jail = engine.jails["sshd"]
    once = engine.lanes.once.get("sshd")
    return (
        sorted(engine.book),
        [list(jail.window(rule.name).items()) for rule in jail.spec.rules],
        {realm: dict(grace) for realm, grace in jail._graces.items()},
        (jail.total_failed, jail.ignored, jail.spared, jail.long_logins, jail.lag, jail.leaks.total),
        (engine.skewed, engine.premature, engine.lanes.scanned()),
        once and (once.held, once.evicted, once.time),
        once and {who: (h.at, h.told, h.counted, h.voices, h.sessions, h.owed) for who, h in once.hosts("sshd").items()},
    )


@given(
    logs(),
    st.sampled_from([SPEC, PLAIN]),
    st.sampled_from(RULES),
    st.sampled_from([(), ("10.0.0.0/8", "2001:db8::8")]),
    st.sampled_from([10_000, 8]),
    st.sampled_from(["replay", "live", "late"]),
)
def test_the_short_way_is_the_same_way(pieces, spec, rules, ignoreip, room, mode):
    """Whether there is a witness, for whom each match goes the long way, or none: the same bans, and the same is remembered."""
    short, long = (make_engine(spec, rules, ignoreip, room) for _ in range(2))
    for number, data in enumerate(pieces):
        chunk = Chunk("/log", data, 0, Position(0, 0, 0), mode == "live", START + 30 * number, frozenset({"/log"}))
        now = None if mode == "replay" else START + 30.0 * number
        assert short.feed(chunk, now) == long.feed(chunk, now, lambda match: None)
        assert state(short) == state(long)


def test_a_ban_ends_between_two_lines():
    """In a replay the window of an address is empty when its ban ends, also in the middle of a chunk."""
    line = b"May 28 20:%02d:%02d mx sshd[%d]: Failed for root from 192.0.2.7\n"
    data = b"".join(line % (30 + second // 60, second % 60, second) for second in (0, 1, 2, 40, 41, 42))
    engine = make_engine(SPEC, RULES[0])
    changes = engine.feed(Chunk("/log", data, 0, Position(0, 0, 0), False, START, frozenset({"/log"})), None)
    assert [type(change).__name__ for change in changes] == ["Ban", "Unban", "Ban"]
    assert engine.book.get("sshd", Target("net", "192.0.2.7")) == changes[2]


@pytest.mark.parametrize("spec", [SPEC, PLAIN])
def test_the_short_way_is_taken(monkeypatch, spec):
    """The lines of an attack are not handed to the long way."""
    engine = make_engine(spec, RULES[0])
    monkeypatch.setattr(engine.jails["sshd"], "count", None)
    data = b"May 28 20:30:00 mx sshd[1]: Failed for root from 192.0.2.7\n" * 3
    assert len(engine.feed(Chunk("/log", data, 0, Position(0, 0, 0), False, START, frozenset({"/log"})), None)) == 1
