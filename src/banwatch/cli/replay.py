"""`banwatch replay`: what would have been banned, and when."""

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from banwatch.cli.logfile import first_date, parse_now, read_chunks
from banwatch.cli.output import print_error, print_json, print_text
from banwatch.config.duration import render_duration
from banwatch.config.load import DIRECTORY, load_config
from banwatch.config.model import Config
from banwatch.engine import Change, Engine
from banwatch.errors import EXIT_DONE, EXIT_REFUSED, BanwatchError, ConfigError
from banwatch.model import Unban

_EPILOG = """\
Every enabled jail sees every log; the lines' own dates are the clock. Files are taken in the order of their first date.

examples:
  banwatch replay /var/log/auth.log.1 /var/log/auth.log
  banwatch replay --jail sshd --json auth.log.2.gz auth.log.1
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "replay",
        help="who would have been banned, and when",
        description="Decide on old logs, as fast as they can be read; nobody is banned.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("logs", metavar="LOG", nargs="+", help="a log, also .gz, .bz2 or .xz; - is standard input")
    parser.add_argument("--config", metavar="DIR", type=Path, default=DIRECTORY, help="default: %(default)s")
    parser.add_argument("--jail", metavar="J", help="this jail alone")
    parser.add_argument("--now", metavar="TIME", help="when the log ends, for dates without a year; default: now")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every ban and unban in the order of time: the exit code."""
    try:
        engine = Engine(_select(load_config(args.config), args.jail))
        counts = Counter[str]()
        for change in replay(engine, args.logs, parse_now(args.now)):
            seen = describe(change)
            counts[seen["action"]] += 1
            print_json(seen) if args.json else print_text(_render(change))
    except BanwatchError as error:
        print_error(error, as_json=args.json)
        return error.code
    if not args.json:
        print_text(_summary(engine, counts))
    return EXIT_DONE if counts else EXIT_REFUSED


def replay(engine: Engine, logs: Iterable[str], now: float) -> Iterator[Change]:
    """
    What changes in the book as the lines of `logs` pass, in the order of time.

    Args:
        now: dates without a year are at most a day later than this.
    """
    for log in sorted(logs, key=lambda log: first_date(log, now)):
        for chunk in read_chunks(log, now):
            yield from engine.feed(chunk, None)


def describe(change: Change) -> dict[str, Any]:
    """One ban or unban as an object."""
    ban = change.ban if isinstance(change, Unban) else change
    return {
        "at": change.at,
        "jail": ban.jail,
        "action": "unban" if isinstance(change, Unban) else "ban",
        "by": ban.by,
        "who": ban.target.who,
        "until": ban.until,
        "failures": ban.failures,
        "rule": ban.rule,
    }


def _select(config: Config, jail: str | None) -> Config:
    """The configuration with the jails that are to be replayed."""
    if config.unusable:
        raise ConfigError(config.unusable, problems=config.problems)
    if jail is None:
        return config
    if jail not in config.jails:
        raise ConfigError(f"there is no jail {jail!r}", f"jails: {', '.join(sorted(config.jails))}")
    return replace(config, jails={jail: config.jails[jail]})


def _render(change: Change) -> str:
    ban = change.ban if isinstance(change, Unban) else change
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(change.at))
    if isinstance(change, Unban):
        return f"{stamp} [{ban.jail}] Unban {ban.target}"
    length = None if ban.until is None else float(round(ban.until - ban.at))
    return f"{stamp} [{ban.jail}] Ban {ban.target} for {render_duration(length)}: {ban.why}"


def _summary(engine: Engine, counts: Counter[str]) -> str:
    attempts = sum(jail.total_failed for jail in engine.jails.values())
    return f"{engine.scanned().lines} lines, {attempts} failures, {counts['ban']} bans"
