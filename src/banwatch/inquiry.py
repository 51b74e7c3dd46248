"""
Why somebody is banned, or is not: what the book, the windows, the kernel, the history and the logs know of one WHO.

What is asked for here is read once more from where it stands; nothing is kept for the case that somebody asks.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from banwatch.address import family_of, network_of, pack
from banwatch.config.model import Rule
from banwatch.control.peer import Peer
from banwatch.describe import describe_ban, describe_leak
from banwatch.engine import Engine
from banwatch.errors import ControlError, FirewallError, StoreError
from banwatch.evidence.clue import Clue, Where
from banwatch.evidence.readback import read_back
from banwatch.jail.jail import Jail
from banwatch.jail.window import GRAIN
from banwatch.model import ALLOW, Ban, Target
from banwatch.store.values import Event, Line
from banwatch.who import as_named, parse_targets

MOST = 10_000
"""Events of the history in one answer: the newest."""


class Held(NamedTuple):
    """An entry in the kernel: seconds left, None is for ever, and how many packets it has dropped."""

    left: float | None
    dropped: int


class Archive(Protocol):
    """What an inquiry needs of the daemon."""

    @property
    def engine(self) -> Engine: ...

    def in_force(self, ban: Ban) -> bool:
        """Whether the kernel has acknowledged `ban`."""
        ...

    def where(self, jail: str) -> tuple[Where, ...]:
        """The logs that a jail watches, as far as they have been read."""
        ...

    async def held(self, ban: Ban) -> "Held | None":
        """What the kernel has of `ban`, None if it has it not; FirewallError if it does not say."""
        ...

    async def history(self, who: Sequence[tuple[str, str]] | None, since: float, most: int) -> Sequence[Event]:
        """What the store remembers; StoreError if it cannot be read."""
        ...


Handler = Callable[[Mapping[str, Any], Peer], Any]


class Inquiry:
    """The methods of the control socket that only ask, by name."""

    def __init__(self, archive: Archive, clock: Callable[[], float]) -> None:
        self._archive = archive
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """Name of the method → what answers it."""
        return {"why": self.why, "history": self.history}

    async def history(self, params: Mapping[str, Any], _peer: Peer) -> Iterator[dict[str, Any]]:
        """Bans and their ends, oldest first: of one WHO and whatever network holds it, or of all."""
        who = None
        if params.get("who") is not None:
            [target] = await parse_targets([params["who"]])
            who = [(each.realm, each.who) for each in holders(target)]
        events = await self._remembered(who, params.get("since") or 0.0, MOST)
        return (describe_event(event) for event in events)

    async def why(self, params: Mapping[str, Any], _peer: Peer) -> dict[str, Any]:
        """All that is known of one WHO."""
        [target] = await parse_targets([params["who"]])
        engine, now = self._archive.engine, self._clock()
        named = {name: as_named(target, jail.spec.naming) for name, jail in engine.jails.items()}
        named[ALLOW] = as_named(target, engine.config.daemon.naming)
        bans = [ban for jail, who in named.items() for each in holders(who) if (ban := engine.book.get(jail, each))]
        counts = [count for name, jail in engine.jails.items() for count in counts_of(jail, named[name], now)]
        spared = spared_of(engine.jails, target)
        verdict = _verdict(bans, spared, counts)
        found = await asyncio.to_thread(read_back, [self._clue(jail, rule, key, times) for jail, rule, key, times in counts])
        return {
            "who": str(target),
            "verdict": verdict,
            "bans": [await self._describe_ban(ban, now) for ban in bans],
            "spared": spared,
            "counts": [describe_count(count, lines, now) for count, lines in zip(counts, found, strict=True)],
        }

    async def _describe_ban(self, ban: Ban, now: float) -> dict[str, Any]:
        try:
            held = await self._archive.held(ban)
        except FirewallError:
            held = None
        return {
            **describe_ban(ban, now, self._archive.in_force(ban)),
            "why": ban.why,
            "failures": ban.failures,
            "forced": ban.forced,
            "kernel": None if held is None else held._asdict(),
            "leak": self._leak_of(ban),
            "lines": [line._asdict() for line in await self._lines(ban)],
        }

    def _leak_of(self, ban: Ban) -> dict[str, Any] | None:
        """What came of the ban that does not keep out whom it should."""
        jail = self._archive.engine.jails.get(ban.jail)
        leak = None if jail is None else jail.leaks.get(ban.target.who)
        return None if leak is None else describe_leak(leak)

    async def _lines(self, ban: Ban) -> Sequence[Line]:
        """What the history has of the ban, else what the logs still have."""
        if ban.origin != "rule":
            return ()
        try:
            events = await self._archive.history([(ban.target.realm, ban.target.who)], ban.at - GRAIN, MOST)
        except StoreError:
            events = ()
        kept = [event.evidence for event in events if event.action == "ban" and event.ban.jail == ban.jail and event.evidence]
        if kept:
            return kept[-1]
        clue = clue_of(ban, self._archive.engine, self._archive.where)
        return () if clue is None else (await asyncio.to_thread(read_back, [clue]))[0]

    async def _remembered(self, who: Sequence[tuple[str, str]] | None, since: float, most: int) -> Sequence[Event]:
        try:
            return await self._archive.history(who, since, most)
        except StoreError as error:
            raise ControlError(error.message, error.hint, error.code) from error

    def _clue(self, jail: str, rule: Rule, key: Target, times: Sequence[float]) -> Clue:
        naming = self._archive.engine.jails[jail].spec.naming
        return Clue(key, rule.count, times[0], times[-1], len(times), self._archive.where(jail), naming)


def clue_of(ban: Ban, engine: Engine, where: Callable[[str], tuple[Where, ...]]) -> Clue | None:
    """By what the lines of `ban` are found; None if no rule of now decided it."""
    jail = engine.jails.get(ban.jail)
    rule = None if jail is None else next((rule for rule in jail.spec.rules if rule.name == ban.rule), None)
    if jail is None or rule is None:
        return None
    since, naming = ban.at - rule.limit.findtime, jail.spec.naming
    return Clue(ban.target, rule.count, since, ban.at, ban.failures, where(ban.jail), naming)


def holders(target: Target) -> list[Target]:
    """`target`, and every network around it: whose ban is a ban of it, too."""
    if target.realm == "login":
        return [target]
    length = pack(target.who)[1]
    address = target.who.partition("/")[0]
    longest = 32 if family_of(target.who) == 4 else 128
    widths = range(min(length, longest) - 1, 0, -1)
    return [target, *(Target("net", network_of(address, min(bits, 32), bits)) for bits in widths)]


Count = tuple[str, Rule, Target, list[float]]


def counts_of(jail: Jail, target: Target, now: float) -> Iterator[Count]:
    """What the windows of `jail` hold of `target`: jail, rule, what is counted, and the times within findtime of now."""
    for rule in jail.spec.rules:
        for key in _keys(jail, rule, target):
            floor = now - rule.limit.findtime - GRAIN
            if times := [at for at, _ in jail.window(rule.name).attempts(key.who) if at >= floor]:
                yield jail.spec.name, rule, key, times


def _keys(jail: Jail, rule: Rule, target: Target) -> Iterable[Target]:
    if rule.by == "login" or target.realm == "login":
        return [target] if rule.by == target.realm else []
    if "/" in target.who:
        return [target]
    unit = jail.guard.counted[target.who]
    key = unit if rule.by == "ip" else None if unit is None else jail.guard.net(target.who, rule.prefix)
    return [] if key is None else [Target("net", key)]


def spared_of(jails: Mapping[str, Jail], target: Target) -> list[str]:
    """Why `target`, or somebody in it, is never banned: each reason once, with the jails if these are not all."""
    reasons: dict[str, list[str]] = {}
    for name, jail in jails.items():
        if (reason := jail.guard.ignored(as_named(target, jail.spec.naming))) is not None:
            reasons.setdefault(reason, []).append(name)
    return [reason if len(names) == len(jails) else f"{reason} ({', '.join(names)})" for reason, names in reasons.items()]


def _verdict(bans: Sequence[Ban], spared: Sequence[str], counts: Sequence[Count]) -> str:
    """In one line, what holds."""
    if any(ban.jail == ALLOW for ban in bans):
        return "allowed"
    if keeping := [ban for ban in bans if ban.enforce]:
        return f"banned in {', '.join(sorted({ban.jail for ban in keeping}))}"
    if bans:
        return "would be banned, but is only watched"
    if spared:
        return "not banned: is never banned"
    if counts:
        jail, rule, _, times = max(counts, key=lambda count: len(count[3]) / count[1].limit.maxretry)
        return f"not banned: below the limit of {jail}, {len(times)} of {rule.limit.maxretry} attempts"
    return "not banned: nothing has been counted"


def describe_count(count: Count, lines: Sequence[Line], now: float) -> dict[str, Any]:
    """One window as it stands."""
    jail, rule, key, times = count
    return {
        "jail": jail,
        "rule": rule.name,
        "by": rule.by,
        "key": key.who,
        "attempts": len(times),
        "maxretry": rule.limit.maxretry,
        "findtime": rule.limit.findtime,
        "at": list(times),
        "left": max(0.0, times[0] + rule.limit.findtime - now),
        "lines": [line._asdict() for line in lines],
    }


def describe_event(event: Event) -> dict[str, Any]:
    """One entry of the history."""
    ban = event.ban
    return {
        "at": event.at,
        "action": event.action,
        "jail": ban.jail,
        "by": ban.by,
        "who": ban.target.who,
        "since": ban.at,
        "until": ban.until,
        "origin": ban.origin,
        "rule": ban.rule,
        "failures": ban.failures,
        "enforced": ban.enforce,
        "why": event.why,
        "lines": [line._asdict() for line in event.evidence],
    }
