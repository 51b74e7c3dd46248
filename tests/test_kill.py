"""
SIGKILL at any instant, and again: the bans and the counts are those of an uninterrupted run.

A real daemon reads a log that is written in pieces and rotated while it lives, dies and is away. BANWATCH_KILLS=100 kills it more
often than the few times of the suite; BANWATCH_SEED repeats a run.
"""

import os
import random
import signal
import subprocess
import time
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from tests.test_daemon import Running, home

__all__ = ["home"]  # a fixture

from banwatch.config.load import load_config
from banwatch.engine import Engine
from banwatch.model import Chunk, Position
from banwatch.store.database import Database

pytestmark = pytest.mark.kernel

KILLS = int(os.environ.get("BANWATCH_KILLS", "3"))
MOST = max(2, min(40, 400 // KILLS))
"""Lines in a piece; fewer in a longer run, so that filter.once has room for all sessions: what it forgets is another matter."""
LAST = "203.0.113.9"
FILTER = """\
header: '^<DATE> (?P<program>door)\\[(?P<pid>\\d+)\\]: '
failregex:
  auth: ['^fail <F-USER>\\S+</F-USER> from <HOST>$']
hintregex:
  auth: ['^hint <F-USER>\\S+</F-USER> from <HOST>$']
successregex: ['^good <F-USER>\\S+</F-USER> from <HOST>$']
"""
JAIL = """\
sshd: null
door:
  enabled: true
  watch: {{door: {{logs: [{log}]}}}}
  rules:
    ip: {{count: [auth], by: ip, limit: 4/10m, bantime: 1h}}
    net: {{count: [auth], by: net, limit: 25/10m, bantime: 2h}}
"""


class Writer:
    """Writes lines, in pieces, into a log that it rotates from time to time; knows all that it has written."""

    def __init__(self, path, chance):
        self.path, self.chance, self.written, self._rest, self._sessions = path, chance, b"", b"", []

    def write(self):
        """Some lines; the last one perhaps not to its end."""
        lines = b"".join(self._line() for _ in range(self.chance.randint(1, MOST)))
        self.written += lines
        data = self._rest + lines
        cut = self.chance.choice([len(data), len(data), self.chance.randint(0, len(data))])
        self._rest = data[cut:]
        with self.path.open("ab") as file:
            file.write(data[:cut])

    def end(self):
        """The last lines ban somebody: when he is, all that was written has been read."""
        lines = b"".join(f"{_now()} door[{session}]: fail user0 from {LAST}\n".encode() for session in range(30001, 30005))
        self.written += lines
        self._rest += lines
        self.finish()

    def finish(self):
        with self.path.open("ab") as file:
            file.write(self._rest)
        self._rest = b""

    def rotate(self):
        """As logrotate does: older ones move on, the log gets another name, a new one begins; some are packed, now or later."""
        self.finish()
        older = sorted(self.path.parent.glob(f"{self.path.name}.*"), key=_number, reverse=True)
        for file in older:
            file.rename(file.with_name(f"{self.path.name}.{_number(file) + 1}{file.suffix * (file.suffix == '.gz')}"))
        first = self.path.with_name(f"{self.path.name}.1")
        self.path.rename(first)
        self.path.touch()
        for number in (1, 2):
            file = self.path.with_name(f"{self.path.name}.{number}")
            if file.exists() and self.chance.random() < 0.3:
                subprocess.run(["gzip", "--fast", str(file)], check=True)

    def _line(self):
        """One of a session; that of a hint comes again later, with the full line about the same attempt."""
        if len(self._sessions) > 200 or (self._sessions and self.chance.random() < 0.4):
            what, session, rest = "fail", *self._sessions.pop(self.chance.randrange(len(self._sessions)))
        else:
            what = self.chance.choice(["hint"] * 10 + ["fail"] * 8 + ["good"])
            session = self.chance.randint(1, 30000)
            rest = f"user{self.chance.randint(0, 3)} from 198.51.{self.chance.randint(0, 9)}.{self.chance.randint(1, 60)}"
            if what == "hint":
                self._sessions.append((session, rest))
        return f"{_now()} door[{session}]: {what} {rest}\n".encode()


def _number(file):
    """Of a rotated log: door.log.7 and door.log.7.gz are the seventh."""
    return int(file.name.removesuffix(".gz").rpartition(".")[2])


def _now():
    return datetime.now(UTC).isoformat(timespec="microseconds")


def replayed(home, data):
    """Bans and windows after one uninterrupted way through all lines."""
    engine = Engine(load_config(home))
    source = str(home / "door.log")
    engine.feed(Chunk(source, data, 0, Position(0, 0, len(data)), False, 0.0), None)
    bans = {(ban.target.who, ban.by, ban.rule, ban.failures, ban.at, ban.until) for ban in engine.book}
    return bans, {rule: dict(engine.jails["door"].window(rule).items()) for rule in ("ip", "net")}


def remembered(home):
    """The same from the store."""
    database = Database.open(home / "banwatch.db")
    saved = database.load()
    database.close()
    bans = {(ban.target.who, ban.by, ban.rule, ban.failures, ban.at, ban.until) for ban in saved.bans}
    return bans, {rule: dict(saved.windows.get(("door", rule), ("", {}))[1]) for rule in ("ip", "net")}


def begin(daemon, writer):
    """Let the first daemon come to the log: what was rotated before anybody looked was never there."""
    daemon.await_line("protecting this host")
    while True:
        writer.write()
        daemon.client("history")
        database = Database.open(daemon.home / "banwatch.db")
        positions = database.load().positions
        database.close()
        if positions:
            return


def test_the_same_bans_and_counts(netns, home):
    """However often it is killed, each line counts once."""
    seed = int(os.environ.get("BANWATCH_SEED", random.randrange(1 << 30)))
    print(f"BANWATCH_SEED={seed}")
    chance = random.Random(seed)
    (home / "filters.d").mkdir()
    (home / "filters.d" / "door.yaml").write_text(FILTER)
    (home / "jails.d" / "sshd.yaml").write_text(JAIL.format(log=home / "door.log"))
    (home / "door.log").touch()
    writer = Writer(home / "door.log", chance)
    with ExitStack() as stack:
        for number in range(KILLS):
            daemon = Running(home)
            stack.callback(daemon.end)
            if number == 0:
                begin(daemon, writer)
            dies = time.monotonic() + chance.uniform(0.3, 2.5)
            while (left := dies - time.monotonic()) > 0:
                writer.write()
                if chance.random() < 0.02:
                    writer.rotate()
                daemon._read(time.monotonic() + min(left, 0.02))
            daemon.process.send_signal(signal.SIGKILL)
            daemon.wait()
            for _ in range(chance.randint(0, 3)):
                writer.write()
                if chance.random() < 0.3:
                    writer.rotate()
        writer.end()
        daemon = Running(home)
        stack.callback(daemon.end)
        daemon.await_line(rf"Ban {LAST}$")
        bans, windows = replayed(home, writer.written)
        assert len(bans) > 20
        daemon.client("stop")
        daemon.wait()
    found, counted = remembered(home)
    assert found == bans
    counting = {rule: {key: some[key] for key in windows[rule].keys() & some.keys()} for rule, some in counted.items()}
    assert counting == windows
    newest = max(record[-2] for record in windows["ip"].values())
    for rule, some in counted.items():
        assert all(record[-2] <= newest - 600 for key, record in some.items() if key not in windows[rule])
