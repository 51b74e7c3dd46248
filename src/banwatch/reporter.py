"""
Tells what has become a fact: the log line, the counters, and who is in force.

A ban is told when the kernel has acknowledged it, never before. A ban that is only recorded (a dry run, `enforce: false`) is
told as "Would ban", so that nobody who reads the log believes in protection that is not there.
"""

from typing import Any

from banwatch.config.duration import render_duration
from banwatch.errors import FirewallError
from banwatch.metrics.registry import Metrics
from banwatch.model import ALLOW, Ban, Target, Unban

Key = tuple[str, Target]


def key_of(change: Ban | Unban) -> Key:
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
        self._facts: dict[Key, float | None] = {}
        self.failed: dict[Key, str] = {}
        """What the kernel would not do, in words, until it does or nobody wants it any more."""

    def in_force(self, ban: Ban) -> bool:
        """Whether the kernel keeps `ban.target` out."""
        return ban.enforce and not self._dry_run and ban.target.realm == "net" and (ban.jail, ban.target) in self._facts

    def adopted(self, bans: list[Ban]) -> None:
        """Bans that the kernel held already: facts, but not news."""
        for ban in bans:
            self._facts[key_of(ban)] = ban.until
        if bans:
            self._log.info("bans found in the kernel", bans=len(bans))

    def done(self, change: Ban | Unban, at: float) -> None:
        """`change` is a fact since `at`."""
        self.failed.pop(key_of(change), None)
        if isinstance(change, Ban):
            self._banned(change, at)
        else:
            self._unbanned(change)

    def given_up(self, change: Ban | Unban, error: FirewallError) -> None:
        """`change` failed for good."""
        verb = "unban" if isinstance(change, Unban) else "ban"
        jail, target = key_of(change)
        self.failed[(jail, target)] = f"{verb} {target}: {error.message}"
        self._metrics.error("firewall")
        self._log.error(f"{verb} failed", jail=jail, who=str(target), error=error.message, hint=error.hint or None)

    def _banned(self, ban: Ban, at: float) -> None:
        key = key_of(ban)
        if key in self._facts and self._facts[key] == ban.until:
            return  # a renewal in the kernel
        if not ban.enforce and ban.until is not None and ban.until <= at:
            self._log.info("ban would be over already", **_fields(ban))
            return
        known = key in self._facts
        self._facts[key] = ban.until
        if ban.jail == ALLOW:
            self._log.info("allowed", **_fields(ban))
        elif known:
            self._log.info("ban prolonged", **_fields(ban))
        else:
            self._metrics.banned(ban, at)
            self._log.warning(f"{self._verb(ban, 'Ban')} {ban.target}", bare=True, **_fields(ban))
            self._log.info("why", jail=ban.jail, **_why(ban))

    def _unbanned(self, unban: Unban) -> None:
        ban = unban.ban
        if key_of(ban) not in self._facts:
            return  # it never was told
        del self._facts[key_of(ban)]
        if ban.jail == ALLOW:
            self._log.info("no longer allowed", **_fields(ban))
            return
        self._metrics.unbanned(unban)
        fields = _fields(ban) | {"why": unban.why}
        self._log.warning(f"{self._verb(ban, 'Unban')} {ban.target}", bare=True, **fields)

    def _verb(self, ban: Ban, verb: str) -> str:
        # A login is kept out by the services, not by the kernel: its ban is told as decided.
        hollow = self._dry_run or not ban.enforce
        return f"Would {verb.lower()}" if hollow else verb


def _why(ban: Ban) -> dict[str, Any]:
    fields = _fields(ban)
    return {key: fields[key] for key in ("who", "why", "rule", "bantime")}


def _fields(ban: Ban) -> dict[str, Any]:
    return {
        "jail": ban.jail,
        "who": str(ban.target),
        "why": ban.why or None,
        "bantime": render_duration(None if ban.until is None else float(round(ban.until - ban.at))),
        "until": ban.until,
        "by": ban.by,
        "rule": ban.rule,
        "origin": ban.origin,
    }
