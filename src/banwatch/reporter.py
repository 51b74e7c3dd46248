"""
Tells what has become a fact: the log line, the counters, and who is in force.

A ban is told when the kernel has acknowledged it, never before. A ban that is only recorded (a dry run, `enforce: false`) is
told as "Would ban", so that nobody who reads the log believes in protection that is not there.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from banwatch.address import family_of
from banwatch.enforcer import Change, Key, concerns_kernel, key_of
from banwatch.errors import FirewallError
from banwatch.metrics.registry import Metrics
from banwatch.model import ALLOW, Ban, Target, Unban

TALKATIVE = 64
"""When more bans than this become facts together, their reasons are left to `banwatch-client` and to the JSON log."""


class Reporter:
    """
    The facts so far, and where they are told.

    Args:
        log: a structlog logger.
        dry_run: no ban is in force, whatever the firewall (a null one) acknowledges.
    """

    def __init__(self, log: Any, metrics: Metrics, dry_run: bool) -> None:
        self._log = log
        self._metrics = metrics
        self._dry_run = dry_run
        self._facts: dict[str, dict[Target, Ban]] = {}
        self._lost: set[Key] = set()
        self.held: Counter[tuple[str, int]] = Counter()
        """How many members the kernel has, as far as it has said so, by jail and family of addresses."""
        self.failed: dict[Key, str] = {}
        """What the kernel would not do, in words, until it does or nobody wants it any more."""

    def in_force(self, ban: Ban) -> bool:
        """Whether the kernel keeps `ban.target` out."""
        return concerns_kernel(ban) and not self._dry_run and self._is_fact(ban) and key_of(ban) not in self._lost

    def adopted(self, bans: Iterable[Ban]) -> None:
        """Bans that the kernel held already: facts, but not news."""
        for ban in bans:
            self._note(ban)

    def remembered(self, bans: Iterable[Ban]) -> None:
        """Bans of an earlier life: no news, but not in force before the kernel was found to have them, or has them again."""
        for ban in bans:
            self._facts.setdefault(ban.jail, {})[ban.target] = ban
            if concerns_kernel(ban):
                self._lost.add((ban.jail, ban.target))

    def lost(self, bans: Iterable[Ban]) -> None:
        """The kernel has `bans` no more; when it has them again that is no news."""
        for ban in bans:
            if self.in_force(ban):
                self._lost.add(key_of(ban))
                self.held[ban.jail, family_of(ban.target.who)] -= 1

    def follow(self, bans: Iterable[Ban]) -> None:
        """All that lasts has moved with the clock: `bans` are the same facts as before."""
        for ban in bans:
            if self._is_fact(ban):
                self._facts[ban.jail][ban.target] = ban

    def done(self, changes: Sequence[Change], at: float) -> None:
        """`changes` are facts since `at`."""
        talkative = len(changes) <= TALKATIVE
        for change in changes:
            if self.failed:
                self.failed.pop(key_of(change), None)
            if isinstance(change, Ban):
                self._banned(change, at, talkative)
            else:
                self._unbanned(change)

    def given_up(self, change: Change, error: FirewallError) -> None:
        """`change` failed for good."""
        verb = "unban" if isinstance(change, Unban) else "ban"
        jail, target = key_of(change)
        self.failed[(jail, target)] = f"{verb} {target}: {error.message}"
        self._metrics.error("firewall")
        self._log.error(f"{verb} failed", jail=jail, who=str(target), error=error.message, hint=error.hint or None)

    def _is_fact(self, ban: Ban) -> bool:
        return ban.target in self._facts.get(ban.jail, ())

    def _note(self, ban: Ban) -> Ban | None:
        """`ban` is a fact; what was one before it of the same target."""
        before = self._forget(ban)
        self._facts.setdefault(ban.jail, {})[ban.target] = ban
        if concerns_kernel(ban):
            self.held[ban.jail, family_of(ban.target.who)] += 1
        return before

    def _forget(self, ban: Ban) -> Ban | None:
        before = self._facts.get(ban.jail, {}).pop(ban.target, None)
        if before is not None and concerns_kernel(before):
            if (key := key_of(ban)) in self._lost:
                self._lost.remove(key)
            else:
                self.held[ban.jail, family_of(ban.target.who)] -= 1
        return before

    def _banned(self, ban: Ban, at: float, talkative: bool) -> None:
        if not ban.enforce and ban.until is not None and ban.until <= at:
            self._log.info("ban would be over already", jail=ban.jail, ban=ban)
            return
        before = self._note(ban)
        if before is not None and (before.until, before.enforce) == (ban.until, ban.enforce):
            return  # put back, or renewed
        if ban.jail == ALLOW:
            self._log.info("allowed", jail=ban.jail, ban=ban)
        elif before is not None:
            self._log.info("ban prolonged", jail=ban.jail, ban=ban)
        else:
            self._metrics.banned(ban, at)
            self._log.warning(f"{self._verb(ban, 'Ban')} {ban.target}", jail=ban.jail, ban=ban, bare=True)
            if talkative:
                self._log.info("why", jail=ban.jail, ban=ban)

    def _unbanned(self, unban: Unban) -> None:
        ban = unban.ban
        if self._forget(ban) is None:
            return  # it never was told
        if ban.jail == ALLOW:
            self._log.info("no longer allowed", jail=ban.jail, ban=ban)
            return
        self._metrics.unbanned(unban)
        self._log.warning(f"{self._verb(ban, 'Unban')} {ban.target}", jail=ban.jail, ban=ban, why=unban.why, bare=True)

    def _verb(self, ban: Ban, verb: str) -> str:
        # A login is kept out by the services, not by the kernel: its ban is told as decided.
        hollow = self._dry_run or not ban.enforce
        return f"Would {verb.lower()}" if hollow else verb
