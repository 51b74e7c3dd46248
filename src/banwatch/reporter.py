"""
Tells what has become a fact: the log line, the counters, and who is in force.

A ban is told when the kernel has acknowledged it, never before. A ban that is only recorded (a dry run, `enforce: false`) is
told as "Would ban", so that nobody who reads the log believes in protection that is not there.
"""

from collections.abc import Sequence
from typing import Any

from banwatch.errors import FirewallError
from banwatch.metrics.registry import Metrics
from banwatch.model import ALLOW, Ban, Target, Unban

TALKATIVE = 64
"""When more bans than this become facts together, their reasons are left to `banwatch-client` and to the JSON log."""

Change = Ban | Unban
Key = tuple[str, Target]


def key_of(change: Change) -> Key:
    """The (jail, target) that a change is about."""
    ban = change.ban if isinstance(change, Unban) else change
    return ban.jail, ban.target


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
        self._facts: dict[str, set[Target]] = {}
        self.failed: dict[Key, str] = {}
        """What the kernel would not do, in words, until it does or nobody wants it any more."""

    def in_force(self, ban: Ban) -> bool:
        """Whether the kernel keeps `ban.target` out."""
        return ban.enforce and not self._dry_run and ban.target.realm == "net" and self._is_fact(ban)

    def adopted(self, bans: Sequence[Ban]) -> None:
        """Bans that the kernel held already: facts, but not news."""
        for ban in bans:
            self._facts.setdefault(ban.jail, set()).add(ban.target)
        if bans:
            self._log.info("bans found in the kernel", bans=len(bans))

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

    def _banned(self, ban: Ban, at: float, talkative: bool) -> None:
        if not ban.enforce and ban.until is not None and ban.until <= at:
            self._log.info("ban would be over already", jail=ban.jail, ban=ban)
            return
        known = self._is_fact(ban)
        self._facts.setdefault(ban.jail, set()).add(ban.target)
        if ban.jail == ALLOW:
            self._log.info("allowed", jail=ban.jail, ban=ban)
        elif known:
            self._log.info("ban prolonged", jail=ban.jail, ban=ban)
        else:
            self._metrics.banned(ban, at)
            self._log.warning(f"{self._verb(ban, 'Ban')} {ban.target}", jail=ban.jail, ban=ban, bare=True)
            if talkative:
                self._log.info("why", jail=ban.jail, ban=ban)

    def _unbanned(self, unban: Unban) -> None:
        ban = unban.ban
        if not self._is_fact(ban):
            return  # it never was told
        self._facts[ban.jail].discard(ban.target)
        if ban.jail == ALLOW:
            self._log.info("no longer allowed", jail=ban.jail, ban=ban)
            return
        self._metrics.unbanned(unban)
        self._log.warning(f"{self._verb(ban, 'Unban')} {ban.target}", jail=ban.jail, ban=ban, why=unban.why, bare=True)

    def _verb(self, ban: Ban, verb: str) -> str:
        # A login is kept out by the services, not by the kernel: its ban is told as decided.
        hollow = self._dry_run or not ban.enforce
        return f"Would {verb.lower()}" if hollow else verb
