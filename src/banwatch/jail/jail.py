"""
One jail: the rules, their windows, and what becomes of each match.

    Match ─┬ success ── takes failures out of the windows
           └ failure ── feeds the window of each rule that counts its kind ── limit reached: decide ── Ban

Pure: the time of the attempt and the present come as arguments.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from math import inf

from banwatch.config.model import JailSpec, Rule
from banwatch.jail.alarm import Alarms
from banwatch.jail.decide import Reached, decide
from banwatch.jail.grace import LATEST, Grace
from banwatch.jail.ignoreip import Guard
from banwatch.jail.journaled import JournaledWindow
from banwatch.jail.known import Known
from banwatch.jail.leaks import Leaks
from banwatch.jail.tally import BY, LONGEST_LOGIN, ByIp, Tally
from banwatch.jail.window import Window
from banwatch.login import canonical_login
from banwatch.model import SUCCESS, Alarm, Ban, Match, Realm, Target

SHARED_LOGINS = 4096
"""Login texts of which is remembered what account they mean, as one copy for all attempts."""

LAG_SECONDS = 60.0


class Jail:
    """
    Counts what the filters matched, and says whom to ban.

    Args:
        spec: the jail as configured.
        guard: who is ignored, and by which unit the others are counted. It may be replaced at any time.
        budget: keys per rule.
        journaled: its windows and its knowledge of good logins can tell what has changed in them.
        older: the same jail before a reload, which must not be fed any more. Rules that count the same go on with their
            windows, whatever became of maxretry and bantime; what was counted in total goes on too.

    Attributes:
        total_failed: attempts since the start, one each however many rules count them.
        ignored: attempts from addresses that are ignored.
        spared: times a limit was reached and a target was not banned because it is, or holds, an ignored or own address, or
            one that is known for good logins.
        long_logins: attempts on logins longer than any account's.
        counted, alone, logins, nets, lag: what quick.py needs: the guard's `counted`; by kind the tally that counts it alone, by
            address; shared texts of logins; the addresses banned a moment ago; by how many seconds a line was behind at most.
        lookback: seconds before now within which an attempt can still count: the longest findtime.
        known: who got in, from where.
        leaks: failures of those who are banned here.
        alarms: whose account looks compromised.
        raised: alarms that nobody has taken yet; whoever tells of them empties it.
    """

    def __init__(
        self, spec: JailSpec, guard: Guard, budget: int = 100_000, older: "Jail | None" = None, journaled: bool = False
    ) -> None:
        self.spec = spec
        self.total_failed: int = 0 if older is None else older.total_failed
        self.ignored: int = 0 if older is None else older.ignored
        self.spared: int = 0 if older is None else older.spared
        self.long_logins: int = 0 if older is None else older.long_logins
        self.known: Known = Known(journaled=journaled) if older is None else older.known
        self.leaks: Leaks = Leaks() if older is None else older.leaks
        self.alarms: Alarms = Alarms(spec.alarm) if older is None else older.alarms
        self.alarms.spec = spec.alarm
        self.raised: list[Alarm] = []
        self.logins: dict[str, str] = {}
        self._graces: dict[Realm, Grace] = {"net": Grace(budget), "login": Grace(budget)} if older is None else older._graces
        self.lag: float = 0.0 if older is None else older.lag
        self._lag_before: float = 0.0 if older is None else older._lag_before
        self._lag_turn = -inf
        self._tallies: dict[str, Tally] = {}
        for rule in spec.rules:
            window = _window(rule, budget, None if older is None else older._tallies.get(rule.name), journaled)
            self._tallies[rule.name] = BY[rule.by](rule, window, guard, self._graces["net"], self._graces["login"], self.known)
        self._windows: dict[Realm, list[Window]] = {"net": [], "login": []}
        for tally in self._tallies.values():
            self._windows["login" if tally.rule.by == "login" else "net"].append(tally.window)
        self.nets = self._graces["net"]
        self.lookback: float = max((tally.findtime for tally in self._tallies.values()), default=0.0)
        kinds = frozenset(chain.from_iterable(rule.count for rule in spec.rules))
        self._routes = {kind: tuple(tally for tally in self._tallies.values() if kind in tally.rule.count) for kind in kinds}
        single = ((kind, tallies[0]) for kind, tallies in self._routes.items() if len(tallies) == 1)
        self.alone = {kind: tally for kind, tally in single if isinstance(tally, ByIp)}
        # Windows bring their own counts along; those of rules that are gone are kept here.
        self._evicted = 0 if older is None else older.evicted - sum(tally.window.evicted for tally in self._tallies.values())
        self.guard = guard

    @property
    def guard(self) -> Guard:
        """Who is never banned, and by which unit the others are counted."""
        return self._guard

    @guard.setter
    def guard(self, guard: Guard) -> None:
        self._guard = guard
        self.counted = guard.counted
        for tally in self._tallies.values():
            tally.guard = guard

    @property
    def evicted(self) -> int:
        """Keys that were given up because a window was full."""
        return self._evicted + sum(tally.window.evicted for tally in self._tallies.values())

    def feed(self, match: Match, at: float, now: float, read_at: float | None = None) -> Sequence[Ban]:
        """
        Count `match`, or let it forgive: the bans that it decides, mostly none.

        Args:
            at: when it happened, as far as counting is concerned.
            now: the present; a ban whose end is past is only recorded.
            read_at: when the line was read; for the ban.
        """
        return self.count(match.kind, match.ip, match.login, match.attempts, at, now, read_at)

    def count(
        self, kind: str, ip: str | None, login: str | None, attempts: int, at: float, now: float, read_at: float | None
    ) -> Sequence[Ban]:
        """The same for what counts in a match."""
        tallies = self._routes.get(kind)
        if tallies is None:
            if kind == SUCCESS:
                return self._succeed(ip, login, at, now, read_at)
            return ()
        alone = self.alone.get(kind)
        if alone is not None and ip is not None and (unit := self.counted[ip]) is not None:
            # What most jails do with most lines, written out: there may be half a million in a second.
            login = (self.logins.get(login) or self.remember(login)) if login else None
            if now - at > self.lag:
                self.lag = now - at
            self.total_failed += attempts
            banned = alone.nets.get(unit)
            if banned is not None and at <= banned + LATEST and at >= banned - alone.earliest:
                return ()
            failures = alone.add(unit, at, login, attempts)
            if failures < alone.maxretry:
                return ()
            return self.ban([alone.reached(failures, unit, ip, login)], at, now, read_at)
        unit = None
        if ip is not None and (unit := self.counted[ip]) is None:
            self.ignored += attempts
            return ()
        login = (self.logins.get(login) or self.remember(login)) if login else None
        if now - at > self.lag:
            self.lag = now - at
        keyed = False
        reached: list[Reached] = []
        for tally in tallies:
            failures = tally.count(unit, ip, login, at, attempts)
            if failures >= 0:
                keyed = True
                if failures >= tally.maxretry:
                    reached.append(tally.reached(failures, unit, ip, login))
        if keyed:
            self.total_failed += attempts
        return self.ban(reached, at, now, read_at) if reached else ()

    def note_leak(self, unit: str, at: float, attempts: int, bans: Mapping[Target, Ban]) -> None:
        """Somebody at `unit` failed; a leak if he is banned, among `bans`, for longer than a moment."""
        ban = bans.get(Target("net", unit))
        if ban is not None and ban.enforce and at > ban.at + LATEST:
            self.leaks.note(ban, at, attempts)

    def counts(self, kind: str) -> bool:
        """Whether some rule counts `kind`."""
        return kind in self._routes

    def learn(self, ip: str, login: str, at: float) -> None:
        """`login` got in from `ip` once, long before: nothing has to be forgiven, and nobody to be warned."""
        unit = self._guard.unit(ip)
        account = self.logins.get(login) or self.remember(login)
        if unit is not None and account and len(account) <= LONGEST_LOGIN:
            self.known.note(unit, account, at)

    def forget(self, target: Target) -> None:
        """Empty the windows of `target`: after an unban it starts anew, with its next line."""
        self._empty(target)
        self._graces[target.realm].pop(target.who, None)
        self.leaks.forget(target.who)

    def settle(self, target: Target, at: float) -> None:
        """Empty the windows of `target`, which was banned at `at`; its lines count again 5 s later."""
        self._empty(target)
        self._graces[target.realm].start(target.who, at)

    def currently_failed(self, now: float) -> int:
        """
        How many have an attempt within findtime of `now`: addresses if a rule goes by address, else whatever is counted.
        """
        tallies = [tally for tally in self._tallies.values() if tally.rule.by == "ip"] or list(self._tallies.values())
        failing = [tally.window.failing(now) for tally in tallies]
        return sum(1 for _ in failing[0]) if len(failing) == 1 else len(set(chain.from_iterable(failing)))

    def tracked(self) -> dict[str, int]:
        """How many keys each rule holds."""
        return {name: len(tally.window) for name, tally in self._tallies.items()}

    def window(self, rule: str) -> Window:
        """The window of the rule of that name."""
        return self._tallies[rule].window

    def shift(self, seconds: float) -> None:
        """The clock was set forward by `seconds`, and so are the dates of the lines to come: what counted goes on counting."""
        for tally in self._tallies.values():
            tally.window.shift(seconds)
        for grace in self._graces.values():
            grace.shift(seconds)

    def sweep(self, now: float) -> float | None:
        """
        Drop what can count no more: when to come again, `now` if not all is done yet, None if there is nothing left.

        Lines that are behind (catching up) are measured by their own time: nothing goes that could still count for a line
        as far behind as the furthest of the last minute or two.
        """
        clock = now - max(self.lag, self._lag_before)
        if now >= self._lag_turn:
            self._lag_before, self.lag, self._lag_turn = self.lag, 0.0, now + LAG_SECONDS
        more = False
        for tally in self._tallies.values():
            more |= tally.window.sweep(clock)
        for grace in self._graces.values():
            grace.sweep(clock)
        if more:
            return now
        return now + LAG_SECONDS if any(self.tracked().values()) or any(self._graces.values()) else None

    def remember(self, login: str) -> str:
        """The copy that is kept of a login, for all attempts on it."""
        if len(login) > LONGEST_LOGIN:
            # One character more than any account has: the rules by login see that it is none.
            self.long_logins += 1
            login = login[: LONGEST_LOGIN + 1]
        if len(self.logins) >= SHARED_LOGINS:
            self.logins.clear()
        account = canonical_login(login, self.spec.naming)
        self.logins[login] = account = self.logins.setdefault(account, account)
        return account

    def ban(self, reached: list[Reached], at: float, now: float, read_at: float | None) -> Sequence[Ban]:
        """The bans that follow from what has reached its limit."""
        bans: Sequence[Ban] = ()
        for each in reached:
            decided, spared = decide(each, self.spec, self._guard, self.known, at, now, read_at)
            self.spared += spared
            bans = _merge(bans, decided) if bans else decided
        for ban in bans:
            self.settle(ban.target, at)
        return bans

    def _empty(self, target: Target) -> None:
        for window in self._windows[target.realm]:
            window.discard(target.who)

    def _succeed(self, ip: str | None, login: str | None, at: float, now: float, read_at: float | None) -> Sequence[Ban]:
        unit = None if ip is None else self._guard.unit(ip)
        if ip is None or unit is None or not login:
            return ()
        login = self.logins.get(login) or self.remember(login)
        if not login or len(login) > LONGEST_LOGIN:
            return ()
        networks = self.alarms.note(login, unit, at)
        if not self.alarms.stands(login, at):  # or a thief would make himself at home
            self.known.note(unit, login, at)
        for tally in self._tallies.values():
            tally.forgive(unit, ip, login, at)
        return self._alarm(login, networks, at, now, read_at) if networks else ()

    def _alarm(self, login: str, networks: Sequence[str], at: float, now: float, read_at: float | None) -> Sequence[Ban]:
        spec, target = self.spec.alarm, Target("login", login)
        if spec is None or self._guard.ignored(target) is not None:
            return ()
        why = f"got in from {len(networks)} networks in {spec.networks.findtime:.15g} s"
        self.raised.append(Alarm(self.spec.name, login, tuple(networks), at, why))
        if not spec.ban:
            return ()
        until = None if spec.bantime is None else at + spec.bantime
        enforce = self.spec.enforce and (until is None or until > now)
        self.settle(target, at)
        return (Ban(self.spec.name, target, "login", at, until, None, "rule", len(networks), enforce, why, read_at),)


def _end(ban: Ban) -> float:
    return inf if ban.until is None else ban.until


def _merge(bans: Sequence[Ban], more: Sequence[Ban]) -> Sequence[Ban]:
    """Each target once, with the ban that ends last."""
    merged = {ban.target: ban for ban in bans}
    for ban in more:
        known = merged.get(ban.target)
        if known is None or _end(ban) > _end(known):
            merged[ban.target] = ban
    return tuple(merged.values())


def _window(rule: Rule, budget: int, older: Tally | None, journaled: bool) -> Window:
    if older is None or not older.goes_on_as(rule):
        kind = JournaledWindow if journaled else Window
        return kind(rule.limit.findtime, rule.limit.maxretry, budget)
    older.window.maxretry, older.window.budget = rule.limit.maxretry, budget
    return older.window
