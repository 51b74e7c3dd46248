"""
Which scanner reads a source, and which jails are behind it.

Compiling what a source is scanned with takes some hundred milliseconds. It can be done beforehand, in another thread, and what
was compiled lives on over a reload as far as the configuration is the same.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from banwatch.config.model import Config, Watch
from banwatch.filter.once import Once
from banwatch.filter.recall import load_once
from banwatch.filter.scan import Lens, Scanner
from banwatch.jail.jail import Jail

Patterns = frozenset[str] | None
"""The configured paths and globs that lead to a source; None is one that everybody watches (replay)."""

Scanners = dict[tuple[Lens, ...], Scanner]
"""By what they look for: sources that are scanned for the same share a scanner."""


class Scanned(NamedTuple):
    """Lines read; lines looked at closely and lines matched, once for each filter."""

    lines: int = 0
    candidates: int = 0
    matches: int = 0


@dataclass(frozen=True, slots=True)
class Lane:
    """A scanner for the sources that the same watches see; for each of its lenses its filter's name and the jails behind it."""

    scanner: Scanner
    jails: tuple[tuple[Jail, ...], ...]
    names: tuple[str, ...]
    once: tuple[Once | None, ...]
    none: tuple[None, ...]
    watching: frozenset[str]


class Lanes:
    """
    The lanes of one configuration, each made when it is first asked for.

    Args:
        jails: by name, one for each of `config`.
        older: those before a reload. What they counted, and which attempts they saw, goes on.
        scanners: compiled beforehand for this configuration (see compile_scanners).
    """

    def __init__(
        self, config: Config, jails: Mapping[str, Jail], older: "Lanes | None" = None, scanners: Scanners | None = None
    ) -> None:
        self._config = config
        self._jails = jails
        self._lanes: dict[Patterns, Lane] = {}
        self._scanners: Scanners = {}
        self._once: dict[str, Once] = {}
        self._before = Scanned()
        if older is not None:
            self._once, self._before = older._once, older._before
            self._scanners = older._scanners | (scanners or {})
            self._go_on_with(older._lanes, older._scanners)

    def of(self, patterns: Patterns) -> Lane:
        """The lane of the sources that these patterns lead to."""
        lane = self._lanes.get(patterns)
        if lane is None:
            lane = self._lanes[patterns] = self._make(patterns)
        return lane

    def is_ready(self, patterns: Patterns) -> bool:
        """Whether a source of these patterns can be scanned without anything being compiled first."""
        return patterns in self._lanes and self._lanes[patterns].scanner.opened

    def take(self, scanners: Scanners) -> None:
        """Use these, compiled beforehand for this configuration, where none is in use yet."""
        self._scanners = scanners | self._scanners

    def known(self) -> tuple[Collection[Patterns], Scanners]:
        """For which patterns there is a lane, and the scanners."""
        return list(self._lanes), dict(self._scanners)

    @property
    def once(self) -> Mapping[str, Once]:
        """By filter what sees to it that an attempt told twice counts once."""
        return self._once

    def load_once(self, name: str, records: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
        """Have the Once of a filter go on with what it knew in another life."""
        if (once := self._once_for(name)) is not None:
            load_once(once, name, records)

    def scanned(self) -> Scanned:
        """What all scanners counted since the start, those before a reload included."""
        return _sum((self._before, *map(_counts, self._scanners.values())))

    def _go_on_with(self, lanes: Iterable[Patterns], scanners: Scanners) -> None:
        for patterns in lanes:
            self.of(patterns)
        used = {id(lane.scanner) for lane in self._lanes.values()}
        gone = [scanner for scanner in scanners.values() if id(scanner) not in used]
        self._before = _sum((self._before, *map(_counts, gone)))
        self._scanners = {lenses: scanner for lenses, scanner in self._scanners.items() if id(scanner) in used}

    def _make(self, patterns: Patterns) -> Lane:
        behind: dict[Lens, list[Jail]] = {}
        for lens, name in _lenses(self._config, patterns):
            jail = self._jails[name]
            if jail not in behind.setdefault(lens, []):
                behind[lens].append(jail)
        lenses = tuple(behind)
        if lenses not in self._scanners:
            self._scanners[lenses] = Scanner(lenses)
        return Lane(
            self._scanners[lenses],
            tuple(map(tuple, behind.values())),
            tuple(lens.filter.name for lens in lenses),
            tuple(self._once_for(lens.filter.name) for lens in lenses),
            (None,) * len(lenses),
            frozenset(jail.spec.name for jails in behind.values() for jail in jails),
        )

    def _once_for(self, filter_name: str) -> Once | None:
        """What sees to it that an attempt told twice counts once; a filter without hints tells each once."""
        if not self._config.filters[filter_name].hintregex:
            return None
        return self._once.setdefault(filter_name, Once())


def compile_scanners(config: Config, sources: Iterable[Patterns], known: Scanners) -> Scanners:
    """
    What `sources` are scanned with under `config`, ready to be used; touches nothing that is in use.

    Args:
        known: scanners that are there already.
    """
    scanners: Scanners = {}
    for patterns in sources:
        lenses = tuple(dict.fromkeys(lens for lens, _ in _lenses(config, patterns)))
        scanner = scanners[lenses] = scanners.get(lenses) or known.get(lenses) or Scanner(lenses)
        scanner.open()
    return scanners


def _lenses(config: Config, patterns: Patterns) -> Iterable[tuple[Lens, str]]:
    """Each lens that a source is seen through, with the name of the jail behind it."""
    for spec in config.jails.values():
        for watch in spec.watch:
            if patterns is None or not patterns.isdisjoint(watch.patterns):
                yield lens_of(config, watch), spec.name


def lens_of(config: Config, watch: Watch) -> Lens:
    """How the lines of a watched service are read."""
    zone: tzinfo | None = None if watch.timezone is None else ZoneInfo(watch.timezone)
    return Lens(config.compiled[watch.filter], zone, watch.encoding)


def _counts(scanner: Scanner) -> Scanned:
    return Scanned(scanner.lines, scanner.candidates, scanner.matches)


def _sum(counts: Iterable[Scanned]) -> Scanned:
    return Scanned(*map(sum, zip(*counts, strict=True)))
