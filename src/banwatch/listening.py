"""
Everything that is listened to: log files and the journal, each with its own stream of chunks.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from banwatch.config.choice import choose
from banwatch.config.model import Config
from banwatch.errors import SourceError
from banwatch.model import JOURNAL, Position
from banwatch.sources.base import SourceState
from banwatch.sources.journal import Journal
from banwatch.sources.tail import Tail


class Sources:
    """
    `async with Sources() as sources: await sources.follow(config)`; then each of `parts` is read.

    Args:
        resume: where an earlier life left off, by source.
        journal: where journal files are; None is this host's journal.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        resume: Mapping[str, Position] | None = None,
        journal: Path | None = None,
    ) -> None:
        places = dict(resume or {})
        place = places.pop(JOURNAL, None)
        since = max((one.at for one in places.values()), default=0.0)
        self._tail = Tail((), clock=clock, resume=places)
        self._journal = Journal(clock=clock, resume=place, since=since, directory=journal)
        self._had: set[tuple[str, str]] = set()
        self.parts: tuple[Tail | Journal, ...] = (self._tail, self._journal)

    async def __aenter__(self) -> Self:
        await self._tail.__aenter__()
        await self._journal.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._journal.__aexit__(kind, error, trace)
        await self._tail.__aexit__(kind, error, trace)

    async def follow(self, *configs: Config) -> None:
        """Listen to what any of `configs` watches, and to nothing else."""
        patterns = frozenset[str]().union(*(config.patterns() for config in configs))
        journal = frozenset(pattern for pattern in patterns if pattern.startswith(f"{JOURNAL}:"))
        services = {(spec.name, watch) for config in configs for spec in config.jails.values() for watch in spec.watch}
        had = frozenset(pattern for jail, watch in services if (jail, watch.filter) in self._had for pattern in watch.patterns)
        self._had = {(jail, watch.filter) for jail, watch in services}
        await self._tail.set_patterns(patterns - journal)
        await self._journal.set_patterns(journal, max((config.lookback() for config in configs), default=0.0), had)

    def choose(self, config: Config) -> Config:
        """`config`, which is followed, with the alternatives that are not read taken out."""
        there = {pattern for state in self._tail.sources().values() if not state.missing for pattern in state.patterns}
        holds = self._journal.holds
        return choose(config, None if self._journal.fault else lambda pattern: bool(holds(pattern)), there.__contains__)

    @property
    def fault(self) -> SourceError | None:
        """Why the journal, which is there, is not read; None if it is, or if nobody wants it."""
        return self._journal.fault

    def sources(self) -> Mapping[str, SourceState]:
        """The state of every path and journal match in use, and of every path or glob that leads to nothing."""
        return {**self._tail.sources(), **self._journal.sources()}

    def problems(self) -> list[str]:
        """What keeps logs from being followed as they should be."""
        return [*self._tail.problems(), *self._journal.problems()]
