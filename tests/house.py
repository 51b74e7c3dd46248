"""A daemon without its sources: the firewall of the kernel, and all that keeps it as the book wants it."""

import asyncio
import subprocess
import time

from banwatch.config.model import Config, DaemonSpec
from banwatch.enforcer import Enforcer
from banwatch.engine import Engine
from banwatch.errors import FirewallError
from banwatch.keeper import Keeper
from banwatch.mender import Mender
from banwatch.metrics.registry import Metrics
from banwatch.model import Ban, Target
from banwatch.reconciler import Reconciler
from banwatch.reporter import Reporter


class Notes:
    """A log that keeps what it is told."""

    def __init__(self):
        self.told = []

    def info(self, event, **fields):
        self.told.append((event, fields))

    warning = error = exception = info


class House:
    """All that the reconciler needs, with a real firewall; what a daemon would be."""

    def __init__(self, firewall, specs):
        self.firewall, self.specs, self.notes = firewall, specs, Notes()
        self.reporter = Reporter(self.notes, Metrics(), False)
        self.enforcer = Enforcer(firewall, self.reporter.done, self.reporter.given_up)
        self.engine = Engine(Config(DaemonSpec(), {spec.name: spec for spec in specs}, {}))
        self.keeper = Keeper(self.engine, self.enforcer, self.reporter, time.time)
        self.now, self.changing, self.refusing = time.time, asyncio.Lock(), 0
        clock = lambda: self.now()  # noqa: E731  it can be set
        self.mender = Mender(firewall, self.keeper, self.enforcer, self.reporter, self.notes, clock)
        self.reconciler = Reconciler(
            firewall, self.keeper, self.enforcer, self.mender, self.notes, self.lay, self.changing, clock
        )

    async def lay(self):
        if self.refusing:
            self.refusing -= 1
            raise FirewallError("iptables refused")
        await self.firewall.setup(self.specs)

    async def ban(self, who, seconds=600.0, jail="sshd", **changes):
        """A ban that is in force when this returns."""
        ban = self.ban_of(who, seconds, jail, **changes)
        await self.keeper.carry_out(self.engine.ban([ban]))
        return ban

    async def settled(self):
        """Return when the kernel has all that was decided."""
        while not self.enforcer.idle:
            await asyncio.sleep(0)

    @staticmethod
    def ban_of(who, seconds=600.0, jail="sshd", **changes):
        now = time.time()
        return Ban(jail, Target("net", who), "ip", now, None if seconds is None else now + seconds, **changes)

    @staticmethod
    def members(name="banwatch-sshd-4"):
        """Who is in a set, with the seconds left; the mark, too."""
        listed = subprocess.run(("ipset", "list", name), check=True, capture_output=True, text=True, timeout=30).stdout
        lines = listed.partition("Members:\n")[2].splitlines()
        return {line.split()[0]: int(line.split("timeout ")[1].split()[0]) for line in lines}

    def book(self, jail="sshd"):
        return {target.who: ban.origin for target, ban in self.engine.book.of_jail(jail).items()}

    def told(self, event):
        return [fields for told, fields in self.notes.told if told == event]
