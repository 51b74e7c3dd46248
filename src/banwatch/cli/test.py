"""`banwatch test`: which lines of a log a filter finds, and for whom they count."""

import argparse
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from banwatch.cli.explain import Explainer, render_reason
from banwatch.cli.filterfile import UsageError, as_messages, load_filter
from banwatch.cli.findings import Sampled, Seen, Summary, describe, scan_lines
from banwatch.cli.logfile import parse_now, read_chunks
from banwatch.cli.output import print_error, print_json, print_text
from banwatch.config.paths import DEFAULT_DIRECTORY
from banwatch.errors import EXIT_DONE, EXIT_REFUSED, BanwatchError
from banwatch.filter import Lens, Scanner, compile_filter
from banwatch.filter.match import name_regex
from banwatch.model import SUCCESS, Match

_EPILOG = """\
Lines are shown for each regex that matches them, hints among them; the daemon counts an attempt that several lines tell of once.

examples:
  banwatch test sshd /var/log/auth.log
  banwatch test sshd --json /var/log/auth.log.2.gz | jq -r .ip | sort | uniq -c
  banwatch test ./mine.yaml --missed - < mine.log
  banwatch test sshd --line 'Nov 20 10:00:00 mx sshd[812]: Failed password for root from 192.0.2.7 port 4242 ssh2'
  journalctl -t sshd -o cat | banwatch test sshd --logtype journal -
A --line that does not match is explained: header, program, or which regex got how far.
exit codes: 0 something matched; 1 nothing did, or a log cannot be read; 2 usage; 78 the filter is broken.
"""


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
        "logs", metavar="LOG", nargs="+", default=[], help="a log, also .gz, .bz2, .xz, .zst or .journal; - is standard input"
    )
    logs.required = False  # nargs="*" would be content with nothing as soon as an option stands before the first LOG
    parser.add_argument("--line", metavar="TEXT", action="append", default=[], help="a line to be tried; may be repeated")
    parser.add_argument("--missed", action="store_true", help="also the lines of the filter's programs that no regex matches")
    parser.add_argument("--now", metavar="TIME", type=_now, default="", help="for dates without a year; default: now")
    parser.add_argument(
        "--logtype",
        choices=("file", "journal"),
        default="file",
        help="journal: lines are messages alone, with neither header nor date; default: file",
    )
    parser.add_argument("--encoding", metavar="NAME", default="utf-8", help="of the lines; default: %(default)s")
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
        spec = as_messages(spec) if args.logtype == "journal" else spec
        filter_ = compile_filter(spec)
        scanner = _open_scanner(Lens(filter_, args.timezone, args.encoding))
        summary = Summary(spec, filter_)
        explainer = Explainer(spec, filter_, args.timezone)
        for number, line in enumerate(args.line, 1):
            summary.add(seen := Seen("--line", number, scanner.match_line(0, line, args.now), line))
            _print_line(seen, explainer, args)
        for log in args.logs:
            chunks = Sampled(read_chunks(log, args.now))
            for seen in scan_lines(scanner, chunks, args.now, args.encoding if args.missed else None):
                summary.add(seen)
                if args.json:
                    print_json(describe(seen, spec.name))
                elif seen.match is None:
                    print_text(f"{seen.file}:{seen.line}: missed: {seen.text}")
            if not (summary.matched or args.json) and (sample := chunks.choose(scanner)) is not None:
                print_text(f"{sample.file}:{sample.line}: {explainer.explain(sample.text).why}: {sample.text}")
    except BanwatchError as error:
        print_error(error, as_json=args.json)
        return error.code
    if not args.json:
        for text in summary.render(scanner.lines + len(args.line)):
            print_text(text)
    return EXIT_DONE if summary.matched else EXIT_REFUSED


def _open_scanner(lens: Lens) -> Scanner:
    try:
        return Scanner([lens])
    except ValueError as error:
        raise UsageError(str(error)) from None


def _print_line(seen: Seen, explainer: Explainer, args: argparse.Namespace) -> None:
    """A line that was typed: what it gives, or why it gives nothing."""
    match = seen.match
    if match is None and (args.missed or not args.json):
        reason = explainer.explain(seen.text)
        if args.json:
            print_json(describe(seen, explainer.name) | {"why": reason.why})
        else:
            first, *places = render_reason(reason)
            print_text(f"no match: {first}")
            for text in places:
                print_text(text)
    elif match is not None:
        print_json(describe(seen, explainer.name)) if args.json else print_text(_render(match))
    if not args.json and (wrong := explainer.explain_date(seen.text, args.now)):
        print_text(f"  {wrong}")


def _render(match: Match) -> str:
    who = " ".join(filter(None, (match.ip, match.login and f"login {match.login!r}")))
    count = f", {match.attempts} attempts" if match.attempts > 1 and match.kind != SUCCESS else ""
    return f"{match.kind}: {who}{count} ({name_regex(match.kind, match.regex, match.hint)})"


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
