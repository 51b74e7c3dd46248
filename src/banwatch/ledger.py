"""
What there is to remember, and what becomes of it in another life: joins the engine and the logs with the scribe.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from math import inf

from banwatch.config.model import Rule
from banwatch.engine import Engine
from banwatch.evidence.clue import Clue, Where
from banwatch.filter.recall import dump_once
from banwatch.inquiry import clue_of
from banwatch.jail.journaled import JournaledWindow
from banwatch.lanes import lens_of
from banwatch.model import ALLOW, JOURNAL, Ban, Chunk, Position, Unban
from banwatch.sources.base import SourceState
from banwatch.store.restore import restore
from banwatch.store.values import Delta, Key, Record, Saved

Change = Ban | Unban

HOSTS, HOMES = "+hosts", "+homes"
"""In the place of a rule, whose name has no +: who got in, and whence a login comes (jail/known.py)."""

ONCE = "+once"
"""The same, in the place of a jail the name of a filter: which attempts were told of already (filter/once.py)."""


class Ledger:
    """
    What the scribe asks (scribe.Desk).

    Args:
        clock: the wall clock.
        enact: called with what changes in the book when it is read late.

    Attributes:
        engine: the engine of now; a reload replaces it.
        parked: bans of jails whose configuration has problems: nobody decides that they should end.
    """

    engine: Engine

    def __init__(self, clock: Callable[[], float], enact: Callable[[Sequence[Change]], object]) -> None:
        self.parked: list[Ban] = []
        self._clock = clock
        self._enact = enact
        self._ended: set[Key] | None = set()  # until it is known what an earlier life left
        self._sources: Callable[[], Mapping[str, SourceState]] = dict
        self._places: dict[str, Position] = {}
        self._heard: dict[str, tuple[float, dict[str, Record]]] = {}  # what each Once said last, and up to which time
        self._where: dict[str, tuple[Where, ...]] = {}  # by jail, until something has been read

    def restore(self, saved: Saved) -> list[Unban]:
        """Have the engine go on where it was: the ends of bans that are over, or that nobody wants any more."""
        bans, ended = restore(saved.bans, self._clock())
        self.parked = [ban for ban in bans if ban.jail in self.engine.config.broken]
        self.engine.restore([ban for ban in bans if ban.jail not in self.engine.config.broken])
        self._load_windows(saved)
        self._ended = None
        return [*ended, *self.engine.drop_jails(self._clock())]

    def _load_windows(self, saved: Saved) -> None:
        """What was counted goes on under rules that count the same."""
        for name, jail in self.engine.jails.items():
            for rule in jail.spec.rules:
                counts, records = saved.windows.get((name, rule.name), ("", {}))
                window = jail.window(rule.name)
                if counts == _counts(rule) and isinstance(window, JournaledWindow):
                    window.load(records.items())
            hosts, homes = (saved.windows.get((name, kind), ("", {}))[1].items() for kind in (HOSTS, HOMES))
            jail.known.load(hosts, homes)
        for (name, kind), (_, records) in saved.windows.items():
            if kind == ONCE and name in self.engine.config.filters:
                self.engine.lanes.load_once(name, records.items())

    def unpark(self) -> list[Ban]:
        """The bans of jails that can run now, in the book; those of jails that are gone are forgotten."""
        config = self.engine.config
        back = [ban for ban in self.parked if ban.jail in config.jails]
        self.parked = [ban for ban in self.parked if ban.jail in config.broken]
        return self.engine.ban(back)

    def follow(self, sources: Callable[[], Mapping[str, SourceState]], positions: Mapping[str, Position]) -> None:
        """From here on it is known where the logs are, and how far they have been read."""
        self._sources = sources
        self._places.update(positions)
        self._where.clear()

    def where(self, jail: str) -> tuple[Where, ...]:
        """The logs that a jail watches, as far as they have been read."""
        found = self._where.get(jail)
        if found is None:
            found = self._where[jail] = self._look(jail)
        return found

    def _look(self, jail: str) -> tuple[Where, ...]:
        spec = self.engine.config.jails.get(jail)
        if spec is None:
            return ()
        found: list[Where] = []
        states = self._sources().values()
        for watch in spec.watch:
            lens, patterns = lens_of(self.engine.config, watch), frozenset(watch.patterns)
            for state in states:
                place = self._places.get(JOURNAL if state.source.startswith(f"{JOURNAL}:") else state.source)
                if place is not None and not patterns.isdisjoint(state.patterns):
                    found.append(Where(state.source, lens, (place.device, place.inode, place.offset)))
        return tuple(found)

    # scribe.Desk

    def bans(self) -> Iterable[Ban]:
        return chain(self.engine.book, self.parked)

    def ban(self, key: Key) -> Ban | None:
        return self.engine.book.get(*key)

    def windows(self, everything: bool) -> Sequence[Delta]:
        deltas: list[Delta] = []
        for name, jail in self.engine.jails.items():
            for rule in jail.spec.rules:
                window = jail.window(rule.name)
                assert isinstance(window, JournaledWindow)
                deltas.append(Delta(name, rule.name, _counts(rule), window.dump() if everything else window.changes()))
            hosts, homes = jail.known.changes(everything)
            deltas += Delta(name, HOSTS, "", hosts), Delta(name, HOMES, "", homes)
        for name, once in self.engine.lanes.once.items():
            since, before = self._heard.get(name, (-inf, {}))
            heard = dict(dump_once(once, -inf if everything else since))
            if everything or not heard.items() <= before.items():
                deltas.append(Delta(name, ONCE, "", list(heard.items())))
            self._heard[name] = once.time, heard
        return [delta for delta in deltas if delta.records]

    def clue(self, ban: Ban) -> Clue | None:
        return clue_of(ban, self.engine, self.where) if ban.origin == "rule" else None

    def reads(self, chunk: Chunk) -> None:
        self._places[chunk.source] = chunk.position
        self._where.clear()

    def ends(self, unban: Unban) -> None:
        if self._ended is not None:
            self._ended.add((unban.ban.jail, unban.ban.target))

    def found(self, saved: Saved) -> None:
        """Bans of an earlier life that come late: what has been decided since is newer."""
        ended = self._ended or set()
        known = self.engine.jails.keys() | {ALLOW}
        bans = [ban for ban in restore(saved.bans, self._clock()).bans if (ban.jail, ban.target) not in ended]
        self.parked = [ban for ban in bans if ban.jail in self.engine.config.broken]
        self._ended = None
        self._enact(self.engine.ban([ban for ban in bans if ban.jail in known]))


def _counts(rule: Rule) -> str:
    """What a window is about: it goes on only where this stays the same, as at a reload (Tally.goes_on_as)."""
    prefix = f" /{rule.prefix[0]} /{rule.prefix[1]}" if rule.by == "net" else ""
    return f"{' '.join(sorted(rule.count))} by {rule.by}{prefix} within {rule.limit.findtime:.15g}"
