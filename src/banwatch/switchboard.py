"""
Which jails are on.

A jail that is `enabled: auto` is off until one of its logs is there: no filter is compiled for it, it has no sets, and no rule
of it looks at packets. One that has bans in the kernel from an earlier life is on all the same.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from banwatch.config.model import Config, JailSpec
from banwatch.errors import FirewallError
from banwatch.firewall.base import Firewall
from banwatch.listening import Sources
from banwatch.sources.base import SourceState


@dataclass(frozen=True, slots=True)
class JailView:
    """How a jail is beside what it counts: `on`, `off`, `waiting` or `degraded`, its open files, its problems."""

    state: str
    files: Sequence[str]
    problems: Sequence[str]


class Switchboard:
    """
    Switches jails on, in the firewall and among the sources.

    Attributes:
        on: their names.
        refused: those that are on and go without sets and rules, and why: what one of them names is not there, or cannot be
            used. Their bans are not in force; the others' are.
    """

    def __init__(self, firewall: Firewall, sources: Sources, log: Any) -> None:
        self.on: frozenset[str] = frozenset()
        self.refused: Mapping[str, str] = {}
        self._firewall = firewall
        self._sources = sources
        self._log = log
        self._config: Config

    async def start(self, config: Config, banning: frozenset[str] = frozenset()) -> Config:
        """
        Switch on what has something to do, or has bans: in the kernel, or among `banning`. The configuration with the
        alternatives that are read.

        Raises:
            FirewallError: sets or rules cannot be laid.
        """
        await self._sources.follow(config)
        self._config = config = self._sources.choose(config)
        self.on = self._find(config) | await self._firewall.present(list(config.jails.values())) | banning & config.jails.keys()
        await self.lay()
        await self._sources.follow(config)
        return config

    async def lay(self) -> None:
        """
        Have sets and rules for all that is on, but not for those who are `refused`, which is told.

        Raises:
            FirewallError: they cannot be laid.
        """
        specs = [spec for name, spec in self._config.jails.items() if name in self.on]
        before, self.refused = self.refused, await self._firewall.unusable(specs)
        for name, why in self.refused.items():
            if before.get(name) != why:
                self._log.error("jail is left out of the firewall", jail=name, error=why)
        await self._firewall.setup([spec for spec in specs if spec.name not in self.refused])

    async def narrow(self, config: Config) -> None:
        """Go over to the same jails with fewer sources."""
        self._config = config
        await self._sources.follow(config)

    async def change(self, config: Config) -> Config:
        """
        Go over to the jails of another configuration, which comes back as from start(); those that were on stay so.

        Raises:
            FirewallError: sets or rules cannot be laid; what was before is laid again, as well as it goes.
        """
        await self._sources.follow(self._config, config)
        config = self._sources.choose(config)
        on = self._find(config) | (self.on & config.jails.keys())
        try:
            await self._firewall.setup([spec for name, spec in config.jails.items() if name in on])
        except FirewallError:
            with suppress(FirewallError):  # the first error is the one to be told
                await self.lay()
            await self._sources.follow(self._config)
            raise
        self.on, self._config, self.refused = on, config, {}
        await self._sources.follow(config)
        return config

    async def switch_on(self, jails: frozenset[str]) -> None:
        """Give jails that were off what they need, before their first ban; what fails is told, and tried again with the ban."""
        self.on |= jails
        try:
            await self.lay()
        except FirewallError as error:
            self._log.error("firewall cannot be set up", error=error.message, hint=error.hint or None)
        self._log.info("jails are on now", jails=", ".join(sorted(jails)))

    def view(self, jail: str, problems: Sequence[str]) -> JailView:
        """The state of a jail; `problems` are those that others know of."""
        spec = self._config.jails[jail]
        sources = self._sources_of(spec)
        files = sorted(source.source for source in sources if source.opened)
        refused = [self.refused[jail]] if jail in self.refused else []
        found = [
            *refused,
            *problems,
            *(f"{source.source}: {source.error}" for source in sources if source.error and not source.missing),
        ]
        state = "off" if jail not in self.on else "degraded" if found else "on" if files or not spec.watch else "waiting"
        return JailView(state, files, found)

    def tell_missing(self) -> None:
        """Warn of logs that cannot be read, and of jails that were switched on although no log of theirs is there."""
        for name in sorted(self.on):
            spec = self._config.jails[name]
            sources = self._sources_of(spec)
            alone = not any(source.opened for source in sources)
            for source in sources:
                if source.error and (alone or not source.missing):
                    self._log.warning("log is waited for", jail=name, log=source.source, error=source.error)

    def _find(self, config: Config) -> frozenset[str]:
        there = frozenset(
            pattern for source in self._sources.sources().values() if not source.missing for pattern in source.patterns
        )
        return frozenset(
            name
            for name, spec in config.jails.items()
            if spec.enabled != "auto" or not spec.watch or any(not there.isdisjoint(watch.patterns) for watch in spec.watch)
        )

    def _sources_of(self, spec: JailSpec) -> list[SourceState]:
        patterns = {pattern for watch in spec.watch for pattern in watch.patterns}
        return [source for source in self._sources.sources().values() if not patterns.isdisjoint(source.patterns)]
