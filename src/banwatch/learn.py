"""
Who got in during the last month, from the logs that are still there, rotated and packed ones too.

Without it every owner would be a stranger to a banwatch that starts for the first time. Only good logins are looked for, which
is quick; it is done in a thread, after everything else runs.
"""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from glob import escape, iglob
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from banwatch.cli.logfile import read_chunks
from banwatch.config.model import Config, FilterSpec, Watch
from banwatch.errors import SourceError
from banwatch.filter.match import Filter, compile_filter
from banwatch.filter.scan import Lens, Scanner
from banwatch.jail.known import DAY, MONTH
from banwatch.model import SUCCESS

MOST: Final = 512 * 1024 * 1024
"""Bytes that are read at most, unpacked; the newest logs first."""

KEPT: Final = 100_000
"""Good logins at most, of each account from each address on each day one."""

PAUSE: Final = 0.001
"""Seconds between two pieces of a log: a ban that waits comes first."""

_ROTATED: Final = re.compile(r"(?:[.-]\d{1,14})?(?:\.(?:gz|bz2|xz|zst))?")


class Success(NamedTuple):
    """`login`, as its log has it, got in from `ip`."""

    jail: str
    ip: str
    login: str
    at: float


def is_worth_it(config: Config) -> bool:
    """Whether anything depends on who got in: a rule about logins, or a door."""
    doors = config.daemon.doors
    asked = doors.dovecot.port or doors.exim.socket or doors.files.any()
    return bool(asked) or any(rule.by == "login" for spec in config.jails.values() for rule in spec.rules)


def learn_logins(config: Config, now: float) -> list[Success]:
    """The good logins of the last month in the logs of all jails, the latest of each account, address and day."""
    found: dict[tuple[str, str, str, float], Success] = {}
    filters: dict[str, Filter] = {}
    left = MOST
    for path, readers in _plan(config, now - MONTH):
        lenses = [_lens(config, filters, watch) for _, watch in readers]
        scanner = Scanner(lenses)
        try:
            for chunk in read_chunks(path, now):
                left -= len(chunk.data)
                for match in scanner.scan(chunk, now):
                    if match.kind != SUCCESS or match.at is None or match.ip is None or not match.login:
                        continue
                    if now - MONTH <= match.at <= now and len(found) < KEPT:
                        jail = readers[match.lens][0]
                        found[jail, match.login, match.ip, match.at // DAY] = Success(jail, match.ip, match.login, match.at)
                time.sleep(PAUSE)
                if left < 0:
                    break
        except SourceError:
            continue  # whoever reads it for its failures tells about it
        if left < 0:
            break
    return sorted(found.values(), key=lambda success: success.at)


def find_logs(patterns: Iterable[str], since: float) -> list[str]:
    """What is there of logs, with what was rotated away, as far as it was written to after `since`; the newest first."""
    times: dict[str, float] = {}
    for pattern in patterns:
        for log in iglob(pattern):  # noqa: PTH207 - patterns are absolute, Path.glob takes relative ones
            for path in iglob(f"{escape(log)}*"):  # noqa: PTH207
                if _ROTATED.fullmatch(path[len(log) :]):
                    try:
                        status = Path(path).stat()
                    except OSError:
                        continue
                    if status.st_mtime >= since:
                        times[path] = status.st_mtime
    return sorted(times, key=lambda path: (-times[path], path))


def _plan(config: Config, since: float) -> Iterator[tuple[str, list[tuple[str, Watch]]]]:
    """Each log, newest first, with the jails that watch it, each with how it does."""
    readers: dict[str, list[tuple[str, Watch]]] = {}
    for name, spec in config.jails.items():
        for watch in spec.watch:
            if _has_success(config.filters[watch.filter]):
                for path in find_logs(watch.logs, since):
                    readers.setdefault(path, []).append((name, watch))
    for path in find_logs(map(escape, readers), since):
        if path in readers:
            yield path, readers[path]


def _has_success(spec: FilterSpec) -> bool:
    return bool(spec.successregex or spec.successfields)


def _lens(config: Config, filters: dict[str, Filter], watch: Watch) -> Lens:
    if watch.filter not in filters:
        alone = replace(config.filters[watch.filter], failregex={}, hintregex={}, failfields={}, hintfields={})
        filters[watch.filter] = compile_filter(alone, proven=True)
    return Lens(filters[watch.filter], None if watch.timezone is None else ZoneInfo(watch.timezone), watch.encoding)
