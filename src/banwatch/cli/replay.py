"""`banwatch replay`: what would have been banned, and when."""

import argparse
import gc
import json
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from json.encoder import encode_basestring_ascii as _quote
from math import inf
from pathlib import Path
from typing import Any

from banwatch.cli.compare import compare, describe_difference, render_comparison, render_difference, summarize_differences
from banwatch.cli.logfile import parse_now
from banwatch.cli.order import Piece, arrange, read_in_order, total_size
from banwatch.cli.outcome import Outcome
from banwatch.cli.output import print_error, print_json, print_lines, print_text
from banwatch.cli.progress import Progress
from banwatch.cli.summary import render_at, render_summary, summarize
from banwatch.config.duration import render_duration
from banwatch.config.load import DIRECTORY, load_config
from banwatch.config.model import Config
from banwatch.engine import Change, Engine
from banwatch.errors import EXIT_DONE, EXIT_REFUSED, BanwatchError, ConfigError
from banwatch.model import Match, Unban

_EPILOG = """\
Every enabled jail sees every log; the lines' own dates are the clock. Files that were rotated are read as the one log that they
were; different logs of the same days are read side by side.

With --compare there is a line for each key that would be banned under one configuration only, or first at another time: gone,
new, earlier, later.

examples:
  banwatch replay /var/log/auth.log*
  banwatch replay --jail sshd --json auth.log.2.gz auth.log.1 | jq -r 'select(.action == "ban").who'
  banwatch replay --json --summary /var/log/auth.log | tail -n 1
  banwatch replay --compare ./new-configuration /var/log/auth.log
exit codes: 0 somebody would have been banned; 1 nobody, or a log cannot be read; 2 usage; 78 the configuration is unusable.
"""


_GARBAGE = 100_000


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "replay",
        help="who would have been banned, and when",
        description="Decide on old logs, as fast as they can be read; nobody is banned.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    formats = "a log, also .gz, .bz2, .xz, .zst or .journal; - is standard input"
    parser.add_argument("logs", metavar="LOG", nargs="+", help=formats)
    parser.add_argument("--config", metavar="DIR", type=Path, default=DIRECTORY, help="default: %(default)s")
    parser.add_argument("--jail", metavar="J", help="this jail alone, even if it is not enabled")
    parser.add_argument("--compare", metavar="DIR", type=Path, help="what would be different under another configuration")
    parser.add_argument("--now", metavar="TIME", help="when the newest log ends, for dates without a year; default: now")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--summary", action="store_true", help="with --json: at the end one object more, {summary: …}")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every ban and unban, or every difference, in the order of time: the exit code."""
    try:
        now = parse_now(args.now)
        engine = Engine(_load(args.config, args.jail))
        other = None if args.compare is None else Engine(_load(args.compare, args.jail))
        logs = arrange(args.logs, now)
        progress = Progress(
            sys.stderr, total_size(logs), lambda: f", {engine.lanes.scanned().lines} lines, {len(engine.book)} banned"
        )
        pieces = read_in_order(logs, progress.add)
        with _seldom_collected():
            if other is None:
                return _replay(args, engine, pieces, progress)
            return _compare(args, engine, other, pieces, progress)
    except BanwatchError as error:
        print_error(error, as_json=args.json)
        return error.code


def replay(engine: Engine, pieces: Iterable[Piece], outcome: Outcome | None = None) -> Iterator[Change]:
    """
    What changes in the book as the lines pass, in the order of time.

    Args:
        outcome: takes it all in; None if nobody will ask it.
    """
    return chain.from_iterable(_replay_pieces(engine, pieces, outcome))


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


def _replay_pieces(engine: Engine, pieces: Iterable[Piece], outcome: Outcome | None) -> Iterator[list[Change]]:
    """The same, as many at once as there are."""
    held: list[Change] = []
    for piece in pieces:
        changes = _feed(engine, piece, outcome)
        if piece.since == inf:
            yield changes
            continue
        # A later piece may have something that happened before this.
        held = sorted([*held, *changes], key=_at)
        ready = bisect_left(held, piece.since, key=_at)
        yield held[:ready]
        del held[:ready]
    yield held


def _replay(args: argparse.Namespace, engine: Engine, pieces: Iterable[Piece], progress: Progress) -> int:
    outcome = None if args.json and not args.summary else Outcome(engine.config)
    found = False
    for changes in filter(None, _replay_pieces(engine, pieces, outcome)):
        found = True
        progress.clear()
        if args.json:
            print_lines(map(_render_json, changes))
            continue
        for change in changes:
            print_text(_render(change))
    progress.clear()
    if outcome is not None:
        summary = summarize(engine, outcome)
        _print_summary(args, summary, render_summary(summary))
    return EXIT_DONE if found else EXIT_REFUSED


def _compare(args: argparse.Namespace, before: Engine, after: Engine, pieces: Iterable[Piece], progress: Progress) -> int:
    sides = [(engine, Outcome(engine.config)) for engine in (before, after)]
    for piece in pieces:
        for engine, outcome in sides:
            _feed(engine, piece, outcome)
    progress.clear()
    differences = compare(sides[0][1].firsts, sides[1][1].firsts)
    for each in differences:
        print_json(describe_difference(each)) if args.json else print_text(render_difference(each))
    if args.summary or not args.json:
        summary = summarize_differences(differences, *(summarize(*side) for side in sides))
        _print_summary(args, summary, render_comparison(summary, (str(args.config), str(args.compare))))
    return EXIT_DONE if any(outcome.firsts for _, outcome in sides) else EXIT_REFUSED


def _feed(engine: Engine, piece: Piece, outcome: Outcome | None) -> list[Change]:
    if outcome is None:
        return engine.feed(piece.chunk, None)
    matches: list[Match] = []
    changes = engine.feed(piece.chunk, None, matches.append)
    outcome.add(matches, changes, piece.chunk.read_at)
    return changes


def _print_summary(args: argparse.Namespace, summary: dict[str, Any], lines: Iterable[str]) -> None:
    if args.json:
        print_json({"summary": summary})
        return
    for line in lines:
        print_text(line)


def _load(directory: Path, jail: str | None) -> Config:
    """The configuration with the jails that are to be replayed."""
    config = load_config(directory, wanted=() if jail is None else (jail,))
    if jail is not None and jail in config.broken:
        raise ConfigError(f"the jail {jail} has problems", problems=config.problems_of(jail))
    if config.unusable:
        raise ConfigError(config.unusable, problems=config.problems)
    if jail is None:
        return config
    if jail not in config.jails:
        raise ConfigError(f"there is no jail {jail!r}", f"jails: {', '.join(sorted(config.jails))}")
    return replace(config, jails={jail: config.jails[jail]})


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """
    Python's search for cycles comes once for many lines, not hundreds of times for each chunk: what a line makes has none.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_GARBAGE, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _at(change: Change) -> float:
    return change.at


def _render_json(change: Change) -> str:
    """`describe` as JSON, written out: of an attack there are more of these than a general encoder is made for."""
    if isinstance(change, Unban):
        action, ban = "unban", change.ban
    else:
        action, ban = "ban", change
    until = "null" if ban.until is None else repr(ban.until)
    return (
        f'{{"at": {change.at!r}, "jail": {_NAMES[ban.jail]}, "action": "{action}", "by": "{ban.by}", '
        f'"who": {_quote(ban.target.who)}, "until": {until}, "failures": {ban.failures}, "rule": {_NAMES[ban.rule]}}}\n'
    )


class _Names(dict[str | None, str]):
    """Names from the configuration as JSON."""

    def __missing__(self, name: str | None) -> str:
        text = self[name] = json.dumps(name)
        return text


_NAMES = _Names()


def _render(change: Change) -> str:
    ban = change.ban if isinstance(change, Unban) else change
    if isinstance(change, Unban):
        return f"{render_at(change.at)} [{ban.jail}] Unban {ban.target}"
    length = None if ban.until is None else float(round(ban.until - ban.at))
    return f"{render_at(change.at)} [{ban.jail}] Ban {ban.target} for {_render_length(length)}: {ban.why}"


_render_length = lru_cache(maxsize=64)(render_duration)
