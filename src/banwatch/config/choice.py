"""
Which of its two alternatives a watch reads: the journal, whose fields nobody can forge, or files. Pure.

The journal tells more than it can keep apart: that it is there says nothing about a service that writes files of its own.
Therefore it is chosen where it has an entry of the service. Where it has none, both are listened to until it has one.
"""

from collections.abc import Callable
from dataclasses import replace

from banwatch.config.model import Config, Watch


def choose(config: Config, holds: Callable[[str], bool] | None, exists: Callable[[str], bool]) -> Config:
    """
    The same with the alternatives that are not read taken out.

    Args:
        holds: whether the journal has an entry that a pattern matches; None if it cannot be read.
        exists: whether a path or glob leads to something.
    """
    return _each_watch(config, lambda watch: _choose(watch, holds, exists))


def prefer_journal(config: Config, patterns: frozenset[str]) -> Config:
    """The same without the logs of those that wait for an entry which these patterns match."""
    return _each_watch(config, lambda watch: _narrow(watch, "journal") if _is_open(watch, patterns) else watch)


def is_open(config: Config, patterns: frozenset[str]) -> bool:
    """Whether it is not decided yet for a watch with these patterns."""
    return any(_is_open(watch, patterns) for spec in config.jails.values() for watch in spec.watch)


def _each_watch(config: Config, change: Callable[[Watch], Watch]) -> Config:
    jails = {name: replace(spec, watch=tuple(map(change, spec.watch))) for name, spec in config.jails.items()}
    return config if jails == config.jails else replace(config, jails=jails)


def _choose(watch: Watch, holds: Callable[[str], bool] | None, exists: Callable[[str], bool]) -> Watch:
    if watch.source != "auto":
        return _narrow(watch, watch.source)
    if not watch.logs or not watch.journal:
        return watch
    in_journal = replace(watch, logs=())
    if holds is None or (watch.own_logs and any(map(exists, watch.logs))):
        return _narrow(watch, "logs")
    if any(map(holds, in_journal.patterns)):
        return in_journal
    return _narrow(watch, "logs") if watch.own_logs else watch


def _narrow(watch: Watch, source: str) -> Watch:
    return replace(watch, logs=()) if source == "journal" else replace(watch, journal=())


def _is_open(watch: Watch, patterns: frozenset[str]) -> bool:
    return bool(watch.logs and watch.journal) and not patterns.isdisjoint(replace(watch, logs=()).patterns)
