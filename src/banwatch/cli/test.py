"""`banwatch test`: which lines of a log a filter finds, and for whom they count."""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import tzinfo
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from banwatch.cli.logfile import parse_now, read_chunks
from banwatch.cli.output import print_error, print_json, print_text
from banwatch.config.build import build_filter
from banwatch.config.files import UnreadableError, read_text
from banwatch.config.load import load_config
from banwatch.config.model import FilterSpec, Mark
from banwatch.config.paths import DEFAULT_DIRECTORY
from banwatch.config.problem import sorted_problems
from banwatch.config.read import Reader
from banwatch.config.tree import NotYamlError, compose
from banwatch.errors import EXIT_DONE, EXIT_REFUSED, EXIT_USAGE, BanwatchError, ConfigError
from banwatch.filter import Filter, Lens, Scanner, compile_filter
from banwatch.filter.match import name_regex
from banwatch.model import SUCCESS, Chunk, Match

_EPILOG = """\
Lines are shown for each regex that matches them, hints among them; the daemon counts an attempt that several lines tell of once.

examples:
  banwatch test sshd /var/log/auth.log
  banwatch test sshd --json /var/log/auth.log.2.gz | jq -r .ip | sort | uniq -c
  banwatch test ./mine.yaml --missed - < mine.log
  banwatch test sshd --line 'Nov 20 10:00:00 mx sshd[812]: Failed password for root from 192.0.2.7 port 4242 ssh2'
exit codes: 0 something matched; 1 nothing did, or a log cannot be read; 2 usage; 78 the filter is broken.
"""


class Seen(NamedTuple):
    """A line, counted from 1, with its match; None where it is the filter's to read but no regex matches it."""

    file: str
    line: int
    match: Match | None
    text: str


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "test",
        help="which lines count, and for whom",
        description="Tell which lines of a log a filter finds.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("filter", metavar="FILTER", help="its name, or the path of a YAML file")
    logs = parser.add_argument(
        "logs", metavar="LOG", nargs="+", default=[], help="a log, also .gz, .bz2 or .xz; - is standard input"
    )
    logs.required = False  # nargs="*" would be content with nothing as soon as an option stands before the first LOG
    parser.add_argument("--line", metavar="TEXT", action="append", default=[], help="a line to be tried; may be repeated")
    parser.add_argument("--missed", action="store_true", help="also the lines of the filter's programs that no regex matches")
    parser.add_argument("--now", metavar="TIME", type=_now, default="", help="for dates without a year; default: now")
    parser.add_argument("--timezone", metavar="ZONE", type=_zone, help="of dates that name none; default: this system's")
    parser.add_argument("--config", metavar="DIR", type=Path, default=DEFAULT_DIRECTORY, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the lines that matter, as objects or as a summary: the exit code."""
    try:
        if not args.logs and not args.line:
            raise UsageError("a LOG or --line is needed", "banwatch test --help")
        spec = load_filter(args.filter, args.config)
        filter_ = compile_filter(spec)
        scanner = Scanner([Lens(filter_, args.timezone)])
        summary = Summary(spec, filter_)
        for seen in _read(scanner, args):
            summary.add(seen)
            if args.json:
                print_json(describe(seen, spec.name))
            elif seen.match is None:
                print_text(f"{seen.file}:{seen.line}: missed: {seen.text}")
            elif args.line:
                print_text(_render(seen.match))
    except BanwatchError as error:
        print_error(error, as_json=args.json)
        return error.code
    if not args.json:
        for text in summary.render(scanner.lines + len(args.line)):
            print_text(text)
    return EXIT_DONE if summary.matched else EXIT_REFUSED


class UsageError(BanwatchError):
    """The arguments ask for what is not there."""

    code = EXIT_USAGE


def load_filter(name: str, directory: Path) -> FilterSpec:
    """
    The filter of that name as `directory` has it, or the one that stands in a file of its own.

    Args:
        name: a path if it has a slash in it, or ends in .yaml.
    Raises:
        UsageError: there is none of that name.
        ConfigError: it has problems.
    """
    if "/" in name or name.endswith((".yaml", ".yml")):
        return _read_filter(Path(name))
    config = load_config(directory)
    if name in config.filters:
        return config.filters[name]
    problems = [problem for problem in config.problems if problem.filter == name]
    if problems:
        raise ConfigError(f"the filter {name} is broken", problems=problems)
    raise UsageError(f"there is no filter {name!r}", f"filters: {', '.join(sorted(config.filters))}")


def scan_lines(scanner: Scanner, chunks: Iterable[Chunk], now: float, missed: bool) -> Iterator[Seen]:
    """What the lines of one log give, in their order; the missed ones too if asked for."""
    before = 0
    for chunk in chunks:
        data, place, number = chunk.data, 0, before + 1
        for match in scanner.scan(chunk, now):
            if missed:
                yield from _missed(scanner, chunk, place, match.start, number)
            number += data.count(b"\n", place, match.start)
            place = match.start
            yield Seen(chunk.source, number, match, match.line)
            if missed:
                place, number = data.find(b"\n", place) + 1 or len(data), number + 1
        if missed:
            yield from _missed(scanner, chunk, place, len(data), number)
        before += data.count(b"\n")


def describe(seen: Seen, name: str) -> dict[str, Any]:
    """One line as an object; a missed one has its text, and no kind."""
    match = seen.match
    if match is None:
        return {"file": seen.file, "line": seen.line, "filter": name, "kind": None, "text": seen.text}
    return {
        "file": seen.file,
        "line": seen.line,
        "at": match.at,
        "filter": name,
        "kind": match.kind,
        "ip": match.ip,
        "login": match.login,
        "count": match.attempts,
        "regex": name_regex(match.kind, match.regex, match.hint),
        "tags": dict(match.tags),
    }


class Summary:
    """How often each regex matched."""

    def __init__(self, spec: FilterSpec, filter_: Filter) -> None:
        self._name = spec.name
        self._regexes = [(name_regex(p.kind, p.index, p.hint), p.written) for p in filter_.rules]
        self._hits = Counter[str]()
        self._kinds = Counter[str]()
        self.matched = self.missed = 0

    def add(self, seen: Seen) -> None:
        """Count one line."""
        if seen.match is None:
            self.missed += 1
            return
        self.matched += 1
        self._hits[name_regex(seen.match.kind, seen.match.regex, seen.match.hint)] += 1
        self._kinds[seen.match.kind] += 1

    def render(self, lines: int) -> Iterator[str]:
        """The summary's lines."""
        width = max((len(name) for name, _ in self._regexes), default=0)
        for name, written in self._regexes:
            yield f"{self._hits[name]:8}  {name:{width}}  {written}"
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self._kinds.items()))
        missed = f", {self.missed} missed" if self.missed else ""
        yield f"{self._name}: {lines} lines, {self.matched} matched{f' ({kinds})' if kinds else ''}{missed}"


def _read(scanner: Scanner, args: argparse.Namespace) -> Iterator[Seen]:
    for number, line in enumerate(args.line, 1):
        match = scanner.match_line(0, line, args.now)
        if match is not None or args.missed:
            yield Seen("--line", number, match, line)
    for log in args.logs:
        yield from scan_lines(scanner, read_chunks(log, args.now), args.now, args.missed)


def _missed(scanner: Scanner, chunk: Chunk, start: int, end: int, number: int) -> Iterator[Seen]:
    """The lines from one match to the next that the filter's header fits; `number` is the first one's."""
    for raw in chunk.data[start:end].splitlines() if start < end else ():
        text = raw.decode("utf-8", "backslashreplace")
        if scanner.fits(0, text):
            yield Seen(chunk.source, number, None, text)
        number += 1


def _render(match: Match) -> str:
    who = " ".join(filter(None, (match.ip, match.login and f"login {match.login!r}")))
    count = f", {match.attempts} attempts" if match.attempts > 1 and match.kind != SUCCESS else ""
    return f"{match.kind}: {who}{count} ({name_regex(match.kind, match.regex, match.hint)})"


def _read_filter(path: Path) -> FilterSpec:
    name = path.name.removesuffix(".yaml").removesuffix(".yml")
    reader = Reader(filter=name)
    try:
        table, problems = compose(read_text(path, str(path)), str(path))
    except (UnreadableError, NotYamlError) as error:
        raise ConfigError(f"the filter {path} is broken", problems=[error.problem]) from None
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    reader.problems.extend(problems)
    spec = build_filter(reader, name, table, Mark(str(path), 0))
    if spec is None:
        raise ConfigError(f"the filter {path} is broken", problems=sorted_problems(reader.problems))
    return spec


def _now(text: str) -> float:
    try:
        return parse_now(text or None)
    except BanwatchError as error:
        raise argparse.ArgumentTypeError(error.message) from None


def _zone(text: str) -> tzinfo:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        raise argparse.ArgumentTypeError(f"expected a time zone like Europe/Berlin or UTC, got {text!r}") from None
