"""
Decides: joins filter, jail and book, and nothing that does I/O. The daemon, `replay` and the tests run the same engine.

    Chunk ─scan→ Match ─once→ ─jails→ Ban ─book→ changes, in the order in which they have to happen
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Protocol

from banwatch.book.book import Book
from banwatch.config.model import Config, JailSpec
from banwatch.filter.matcher import QuickMatcher
from banwatch.jail.allowed import REASON as ALLOWED
from banwatch.jail.allowed import Allowed
from banwatch.jail.ignoreip import Guard
from banwatch.jail.jail import Jail
from banwatch.jail.leaks import Leak
from banwatch.lanes import Lanes, Scanners
from banwatch.login import canonical_login
from banwatch.model import ALLOW, Alarm, Ban, Chunk, Match, Target, Unban
from banwatch.quick import Way, When, count_quickly

Change = Ban | Unban

SKEW = 60.0
"""A live line whose date is further than this from now counts as now, an older one from further ahead not at all; seconds."""


REMEMBERED = 1000
"""Bans of an earlier life, the newest, whose last lines may not have been read yet."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the host is, as far as it decides whom not to ban: its own addresses and its on-link IPv6 prefixes."""

    own: frozenset[str] = frozenset()
    onlink: frozenset[str] = frozenset()


class Doors(Protocol):
    """What services that ask, or read files, have told already, or was told them."""

    def covers(self, filter_name: str) -> bool:
        """Whether there is a door at the service whose log that filter reads."""
        ...

    def left(self, filter_name: str, kind: str, at: float | None, ip: str | None, login: str | None, attempts: int) -> int:
        """How many of `attempts` in a log are still to be counted."""
        ...


class Engine:
    """
    The jails of one configuration and the book they share.

    Args:
        older: the engine before a reload. Its book and what it counted are taken over.
        scanners: compiled beforehand for this configuration.
        doors: what is asked about failures in logs before they count; None is nothing. From `older` as well.
        journaled: what is counted can tell what has changed in it; as in `older`, if there is one.
    """

    book: Book
    jails: dict[str, Jail]
    lanes: Lanes
    patterns: frozenset[str]
    skewed: int
    premature: int

    def __init__(
        self,
        config: Config,
        surroundings: Surroundings | None = None,
        older: "Engine | None" = None,
        scanners: Scanners | None = None,
        journaled: bool = False,
        doors: Doors | None = None,
    ) -> None:
        self.config = config
        self._doors: Doors | None = doors if older is None else older._doors
        self._surroundings = surroundings or Surroundings()
        self.book, self.skewed, self.premature, before = Book(), 0, 0, dict[str, Jail]()
        self._allowed, self._guards = Allowed(), dict[tuple[str, ...], Guard]()
        if older is not None:
            self.book, self.skewed, self.premature, before = older.book, older.skewed, older.premature, older.jails
            self._surroundings = surroundings or older._surroundings
            self._allowed = older._allowed
        self._journaled: bool = journaled if older is None else older._journaled
        self.jails = {
            name: Jail(spec, self._guard(spec), older=before.get(name), journaled=self._journaled)
            for name, spec in config.jails.items()
        }
        self.patterns = config.patterns()
        self.lanes = Lanes(config, self.jails, None if older is None else older.lanes, scanners)
        self._due = inf
        self._note_due()

    def feed(self, chunk: Chunk, now: float | None, witness: Callable[[Match], object] | None = None) -> list[Change]:
        """
        Everything that changes in the book because of the lines of `chunk`, in order.

        Args:
            now: the present time. None lets the lines' own time pass instead (replay): bans end between lines.
            witness: is shown each match that is not another one's repetition, before the jails are.
        """
        lane = self.lanes.of(chunk.patterns)
        changes: list[Change] = []
        read_at = chunk.read_at
        live, late = chunk.live, not chunk.live and now is not None
        names, behind = lane.names, lane.jails
        onces = lane.once if witness is None else lane.none
        put_down, bans_of = self.book.ban, self.book.of_jail
        watched = live and now is not None  # only what is written now tells of somebody who gets through now

        def enter(bans: Iterable[Ban]) -> None:
            for ban in bans:
                if (entered := put_down(ban)) is not None:
                    changes.append(entered)
                    if entered.until is not None and entered.until < self._due:
                        self._due = entered.until

        # Called for each attempt of an attack: what it calls, and what it looks up, is as little as can be.
        def note(
            lens: int,
            kind: str,
            at: float | None,
            ip: str | None,
            login: str | None,
            attempts: int,
            number: int,
            hint: bool,
            session: str | None,
        ) -> None:
            once = onces[lens]
            if once is not None:
                attempts = once.count(names[lens], kind, at, ip or login, attempts, number, hint, session)
                if not attempts:
                    return
            if at is None:
                at = read_at
            elif now is not None:
                if live and abs(at - now) > SKEW:
                    self.skewed += 1
                    at = now
                elif at > now + SKEW:  # an old line of the future is no evidence of now
                    self.premature += 1
                    return
                elif at > now:
                    at = now
            if at >= self._due:
                changes.extend(self.expire(at))
            for jail in behind[lens]:
                if late and at < now - jail.lookback:  # type: ignore[operator]
                    continue
                if watched and ip is not None and jail.counts(kind) and (unit := jail.counted[ip]) is not None:
                    jail.note_leak(unit, at, attempts, bans_of(jail.spec.name))
                enter(jail.count(kind, ip, login, attempts, at, at if now is None else now, read_at))

        noted = self._behind_doors(names, note)

        def quickly(matcher: QuickMatcher, lines: Iterable[tuple[str, int]]) -> None:
            lens = matcher.lens
            if len(behind[lens]) != 1 or noted is not note:
                matcher.tell(lines, noted)
                return
            (jail,) = behind[lens]
            within = (-inf, inf) if now is None else (now - (SKEW if live else jail.lookback), now)
            bans = bans_of(jail.spec.name) if watched else {}
            leak = partial(jail.note_leak, bans=bans) if bans else None
            when = When(now, read_at, within, lambda: self._due, leak)
            count_quickly(Way(matcher, names[lens], onces[lens], jail), lines, when, note, enter)

        present = read_at if now is None else now
        if witness is None:
            lane.scanner.tell(chunk, present, noted, quickly)
            return changes
        for match in lane.scanner.scan(chunk, present):
            once = lane.once[match.lens]
            if (admitted := match if once is None else once.admit(match)) is not None:
                witness(admitted)
                note(admitted[0], *admitted[2:10])
        return changes

    def report(self, match: Match, now: float) -> list[Change]:
        """Everything that changes because a door told of `match`, for each jail that watches that service."""
        changes: list[Change] = []
        for jail in self._watching(match.filter):
            bans = jail.feed(match, now, now, now)
            changes.extend(entered for ban in bans if (entered := self.book.ban(ban)) is not None)
        if changes:
            self._note_due()
        return changes

    def take_leaks(self) -> list[Leak]:
        """The leaks that were found since somebody took them last, one for each ban."""
        leaks = [leak for jail in self.jails.values() for leak in jail.leaks.fresh]
        for jail in self.jails.values() if leaks else ():
            jail.leaks.fresh.clear()
        return leaks

    def take_alarms(self) -> list[Alarm]:
        """The alarms that were raised since somebody took them last."""
        alarms = [alarm for jail in self.jails.values() for alarm in jail.raised]
        for jail in self.jails.values() if alarms else ():
            jail.raised.clear()
        return alarms

    def expire(self, now: float) -> list[Unban]:
        """End what has ended at `now`; the windows of those keys are empty after it."""
        return self._ended(self.book.expire(now))

    def shed(self, now: float) -> list[Unban]:
        """End the bans that end first, if there are more than the book holds; mostly nothing."""
        return self._ended(self.book.shed(now)) if len(self.book) > self.book.most else []

    def ban(self, bans: Iterable[Ban]) -> list[Ban]:
        """Write down bans that no rule decided: those that change something, as they stand now."""
        entered = [ban for each in bans if (ban := self.book.ban(each))]
        for ban in entered:
            if ban.jail in self.jails:
                self.jails[ban.jail].settle(ban.target, ban.at)
        self._entered(entered)
        return entered

    def restore(self, bans: Sequence[Ban]) -> None:
        """Begin with bans of an earlier life, oldest first, as they stand now."""
        self.book.load(bans)
        for ban in bans[-REMEMBERED:]:  # lines of the older ones have been read
            if ban.jail in self.jails:
                self.jails[ban.jail].settle(ban.target, ban.at)
        self._entered(bans)

    def unban(self, keys: Iterable[tuple[str, Target]], now: float, why: str) -> list[Unban]:
        """Take bans out before their end, as far as they are there; the windows of the keys are empty after it."""
        return self._ended([unban for jail, target in keys if (unban := self.book.unban(jail, target, now, why))])

    def adopt(self, members: Mapping[tuple[str, Target], float | None], now: float) -> list[Ban]:
        """Take over what the kernel holds for our jails and the book does not know; seconds left by (jail, target)."""
        adopted = self.book.adopt(members, [*self.jails, ALLOW], now)
        self._entered(adopted)
        return adopted

    def step_clock(self, seconds: float) -> None:
        """The wall clock was set forward by `seconds`: every ban keeps the time that it has left, every attempt its age."""
        self.book.shift(seconds)
        for jail in self.jails.values():
            jail.shift(seconds)
        self._note_due()

    def is_allowed(self, target: Target) -> str | None:
        """ "allowed" if all of `target` is, by command; else None."""
        return ALLOWED if self._allowed.covers(target) else None

    def drop_jails(self, now: float) -> list[Unban]:
        """End the bans of jails that the configuration has no more."""
        gone = [(ban.jail, ban.target) for ban in self.book if ban.jail not in self.jails and ban.jail != ALLOW]
        return self.unban(gone, now, "jail removed")

    def drop_ignored(self, now: float) -> list[Unban]:
        """End the bans of those who are ignored now; a ban by force stays."""
        return list(self.drop_exempt([ban for ban in self.book if ban.jail != ALLOW], now))

    def drop_exempt(self, bans: Iterable[Ban], now: float) -> Iterator[Unban]:
        """End those of `bans` that an allowance covers, and those that were not by force of who is ignored otherwise."""
        for ban in bans:
            if (jail := self.jails.get(ban.jail)) is None or (reason := jail.guard.exempt(ban.target)) is None:
                continue
            if not ban.forced or reason == ALLOWED:
                yield from self.unban([(ban.jail, ban.target)], now, reason)

    def follow_enforce(self, now: float) -> list[Change]:
        """After a reload: end the bans of jails that only look on now, and enforce what was only recorded until now."""
        changes: list[Change] = []
        for name, spec in self.config.jails.items():
            bans = [ban for ban in self.book.of_jail(name).values() if ban.enforce != spec.enforce]
            changes += self.unban([(name, ban.target) for ban in bans], now, "enforce was changed")
            if spec.enforce:
                changes += self.ban(ban._replace(enforce=True) for ban in bans)
        return changes

    def surround(self, surroundings: Surroundings) -> None:
        """Take notice of the host's addresses of now."""
        self._surroundings = surroundings
        self._guards.clear()
        for name, jail in self.jails.items():
            jail.guard = self._guard(self.config.jails[name])

    def sweep(self, now: float) -> float | None:
        """
        Drop what is too old to count, so that memory shrinks when an attack is over.

        A piece of the work, then when to come again: `now` if not all is done yet, None if there is nothing left.
        """
        due = [due for jail in self.jails.values() if (due := jail.sweep(now)) is not None]
        return min(due, default=None)

    def _behind_doors(self, names: Sequence[str], note: Callable[..., None]) -> Callable[..., None]:
        """`note`, but for what the doors at the services of `names` leave of it."""
        doors = self._doors
        if doors is None or not any(map(doors.covers, names)):
            return note

        def note_left(
            lens: int, kind: str, at: float | None, ip: str | None, login: str | None, attempts: int, *rest: object
        ) -> None:
            attempts = doors.left(names[lens], kind, at, ip, login, attempts)
            if attempts:
                note(lens, kind, at, ip, login, attempts, *rest)

        return note_left

    def _watching(self, filter_name: str) -> list[Jail]:
        jails = self.config.jails
        return [self.jails[name] for name in jails if any(watch.filter == filter_name for watch in jails[name].watch)]

    def _entered(self, bans: Sequence[Ban]) -> None:
        """The book has taken up `bans`."""
        self._note_due()
        if allowed := [ban.target for ban in bans if ban.jail == ALLOW]:
            for target in allowed:
                self._allowed.add(target)
            self._look_anew()

    def _ended(self, unbans: list[Unban]) -> list[Unban]:
        """The book has let go of `unbans`: their keys start anew."""
        self._note_due()
        for unban in unbans:
            jail, target = unban.ban.jail, unban.ban.target
            if jail in self.jails:
                self.jails[jail].forget(target)
                if target.realm == "login" and unban.why == "by command":
                    self.jails[jail].alarms.clear(target.who)
            elif jail == ALLOW:
                self._allowed.discard(target)
        if any(unban.ban.jail == ALLOW for unban in unbans):
            self._look_anew()
        return unbans

    def _note_due(self) -> None:
        due = self.book.next_expiry()
        self._due = inf if due is None else due

    def _look_anew(self) -> None:
        """What guards remember of single addresses may be wrong now."""
        for guard in self._guards.values():
            guard.counted.clear()

    def _guard(self, spec: JailSpec) -> Guard:
        """Jails that ignore the same have one guard."""
        ignore = tuple(_canonical(who, spec) for who in (*self.config.daemon.ignoreip, *spec.ignoreip))
        guard = self._guards.get(ignore)
        if guard is None:
            guard = Guard(ignore, self._surroundings.own, self._surroundings.onlink, self._allowed)
            self._guards[ignore] = guard
        return guard


def _canonical(who: str, spec: JailSpec) -> str:
    """Whom not to ban, a login as the jail writes it."""
    return f"login:{canonical_login(who[6:], spec.naming)}" if who.startswith("login:") else who
