"""
What is known of a ban, by which its lines are found again among the matches of a log. Pure.

A window holds the times of attempts, not their lines: under a spray there are a hundred thousand of them, and hardly anybody
asks. The log has them all.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from banwatch.address import family_of, network_of, pack
from banwatch.filter.once import Once
from banwatch.filter.scan import Lens
from banwatch.jail.window import GRAIN
from banwatch.login import PLAIN, Naming, canonical_login
from banwatch.model import SUCCESS, Match, Target
from banwatch.store.values import Line

TEXT = 500
"""Characters of a line that are kept."""

LINES = 20
"""Lines that are kept of one ban: the last ones."""


class Where(NamedTuple):
    """
    A log in which lines may stand, or a journal match, and how they are read.

    Args:
        end: (device, inode, offset): up to here it has been read.
    """

    source: str
    lens: Lens
    end: tuple[int, int, int]


class Clue(NamedTuple):
    """
    Args:
        kinds: what the rule counts.
        since, until: the times between which the attempts were.
        attempts: how many there were.
        naming: how logins are written that lines have in other ways.
    """

    target: Target
    kinds: frozenset[str]
    since: float
    until: float
    attempts: int
    logs: tuple[Where, ...]
    naming: Naming = PLAIN


class Found(NamedTuple):
    """A match, and where its line stands: at which offset, or in the journal at which time, in microseconds."""

    match: Match
    file: str
    offset: int


class Sieve:
    """
    The matches that may belong to any of `clues`, by clue.

    Matches come in the order of the log, or a stretch at a time from the end of the log backwards (see `turn_back`).
    """

    def __init__(self, clues: Iterable[Clue]) -> None:
        self._clues = list(clues)
        self._wanted: dict[Target, list[int]] = {}
        self._widths: dict[int, set[int]] = {4: set(), 6: set()}
        self._namings: set[Naming] = set()
        for number, clue in enumerate(self._clues):
            self._wanted.setdefault(clue.target, []).append(number)
            if clue.target.realm == "login":
                self._namings.add(clue.naming)
            else:
                self._widths[family_of(clue.target.who)].add(pack(clue.target.who)[1])
        self._found: list[list[Found]] = [[] for _ in self._clues]
        self._before: list[list[Found]] = [[] for _ in self._clues]
        self._missing = [clue.attempts for clue in self._clues]
        self._spare = [clue.attempts + LINES for clue in self._clues]

    @property
    def satisfied(self) -> bool:
        """There is nothing more to look for."""
        return all(missing <= 0 or spare <= 0 for missing, spare in zip(self._missing, self._spare, strict=True))

    def add(self, found: Found) -> None:
        """Keep it, if somebody wants it."""
        match = found.match
        for target in self._targets(match):
            for number in self._wanted.get(target, ()):
                clue = self._clues[number]
                if match.kind != SUCCESS and match.kind not in clue.kinds:
                    continue
                self._found[number].append(found)
                if match.kind != SUCCESS and not match.hint:
                    self._spare[number] -= match.attempts
                    if _is_within(clue, match.at):
                        self._missing[number] -= match.attempts

    def turn_back(self) -> None:
        """What comes from here on stands before all that came until now."""
        self._before = [new + old for new, old in zip(self._found, self._before, strict=True)]
        self._found = [[] for _ in self._clues]

    def lines(self) -> list[tuple[Line, ...]]:
        """What counted, for each clue."""
        self.turn_back()
        return [_choose(clue, found) for clue, found in zip(self._clues, self._before, strict=True)]

    def _targets(self, match: Match) -> Iterable[Target]:
        if match.login:
            yield from {Target("login", canonical_login(match.login, naming)) for naming in self._namings}
        if match.ip is not None:
            for width in self._widths[family_of(match.ip)]:
                yield Target("net", network_of(match.ip, min(width, 32), width))


def _is_within(clue: Clue, at: float | None) -> bool:
    return at is None or clue.since - GRAIN <= at <= clue.until + GRAIN


def _choose(clue: Clue, found: Sequence[Found]) -> tuple[Line, ...]:
    """What counted; where no line is of that time, dates of another one were taken for now: the last lines there are."""
    within = [one for one in found if _is_within(clue, one.match.at)]
    if any(one.match.kind != SUCCESS for one in within):
        return _counted(clue, within)
    others = [one for one in found if one.match.kind != SUCCESS and not one.match.hint]
    return tuple(_line(clue, one) for one in others[-min(clue.attempts, LINES) :])


def _counted(clue: Clue, found: Iterable[Found]) -> tuple[Line, ...]:
    """
    Those of `found` that counted: each attempt once, without what a success took back, until there were enough.

    In the same second more lines may have come after the ban.
    """
    once: dict[str, Once] = {}
    counted: list[tuple[Found, int]] = []
    for each in sorted(found, key=lambda one: one.match.at or clue.until):
        match = once.setdefault(each.match.filter, Once()).admit(each.match)
        if match is None:
            continue
        if match.kind == SUCCESS:
            counted = [one for one in counted if one[0].match.login != match.login or one[0].match.ip != match.ip]
        elif sum(attempts for _, attempts in counted) < clue.attempts:
            counted.append((each, match.attempts))
    return tuple(_line(clue, each) for each, _ in counted[-LINES:])


def _line(clue: Clue, found: Found) -> Line:
    match = found.match
    return Line(found.file, found.offset, clue.until if match.at is None else match.at, match.line[:TEXT])
