"""`banwatch-client`: its arguments; what the commands do is in asking.py."""

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence

from banwatch import __version__
from banwatch.cli import asking, recall
from banwatch.cli.output import Parser, leave_quietly, print_error
from banwatch.client import DEFAULT, DEFAULT_SOCKET, Client
from banwatch.errors import EXIT_DONE, BanwatchError

_EPILOG = """\
examples:
  banwatch-client status sshd                    what one jail has seen and done
  banwatch-client ban 192.0.2.7 --for 1h         keep an address out, on all ports
  banwatch-client ban sshd 2001:db8::/48         keep a network out, on the ports of a jail
  banwatch-client ban - < addresses.txt          all of a list, or none if one of them is refused
  banwatch-client unban 192.0.2.7                let it in again
  banwatch-client banned --json | jq -r .who     who is kept out, for programs

WHO is an address, a network, login:NAME, or - to read them from standard input, one a line.
exit codes: 0 done, 1 refused or nothing found, 2 usage, 69 daemon or firewall not reachable, 78 configuration.
"""

Run = Callable[[Client, argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command: its exit code."""
    return leave_quietly(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    parser = make_parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return EXIT_DONE
    run: Run = args.run
    try:
        with Client(args.socket, args.timeout) as client:
            return run(client, args)
    except BanwatchError as error:
        print_error(error, args.json)
        return error.code


def make_parser() -> argparse.ArgumentParser:
    """All commands and their arguments."""
    parser = Parser(
        prog="banwatch-client",
        description="Asks or tells the running banwatch.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"banwatch-client {__version__}")
    _add_common(parser, None, 10.0)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")

    def add(name: str, run: Run, text: str, usage: str = "") -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", usage=f"banwatch-client {name} {usage}[--json]"
        )
        _add_common(command, argparse.SUPPRESS, argparse.SUPPRESS)
        command.add_argument("--json", action="store_true", help="one object a line, for programs")
        command.set_defaults(run=run, fail=command.error)
        return command

    status = add("status", asking.status, "the jails, or what one jail has seen and done", "[JAIL|--logins] ")
    status.add_argument("jail", metavar="JAIL", nargs="?")
    status.add_argument("--logins", action="store_true", help="banned logins, accounts that look compromised, and doors")
    ban = add("ban", asking.ban, "keep WHO out: in JAIL, else in manual, on all ports", "[JAIL] WHO…|- [--for T] [--force] ")
    ban.add_argument("words", metavar="WHO", nargs="+")
    ban.add_argument("--for", dest="seconds", metavar="T", type=_duration, default=DEFAULT, help="like 10m, 1h30m or forever")
    ban.add_argument("--force", action="store_true", help="also who is ignored, or a very wide network")
    unban = add("unban", asking.unban, "let WHO in again: in JAIL, else in every jail", "[JAIL] WHO…|-|--all ")
    unban.add_argument("words", metavar="WHO", nargs="*")
    unban.add_argument("--all", action="store_true", help="everybody")
    allow = add("allow", asking.allow, "let WHO in, whatever any jail decides", "WHO…|- [--for T] ")
    allow.add_argument("words", metavar="WHO", nargs="+")
    allow.add_argument("--for", dest="seconds", metavar="T", type=_duration, default=DEFAULT, help="default: forever")
    add("banned", asking.banned, "who is kept out, where and until when")
    add("allowed", asking.allowed, "who gets in by `allow`, and until when")
    why = add("why", recall.why, "why WHO is banned, or is not, line by line", "WHO ")
    why.add_argument("who", metavar="WHO")
    history = add("history", recall.history, "who was banned and let in again", "[WHO] [--since T] ")
    history.add_argument("who", metavar="WHO", nargs="?")
    history.add_argument("--since", metavar="T", type=_since, help="like 1d, 2026-11-27 or '2026-11-27 08:00:00'")
    export = add("export", recall.export, "the bans, for `import` elsewhere: JSON, one a line", "[--ipset] ")
    export.add_argument("--ipset", action="store_true", help="as `ipset save` writes it")
    import_ = add("import", recall.import_, "take over bans of `export` or `ipset save`", "[--map SET=JAIL]… FILE|- ")
    import_.add_argument("file", metavar="FILE")
    text = "the jail that takes over a set, or a jail of elsewhere; --map SET= leaves it out"
    import_.add_argument("--map", dest="maps", metavar="SET=JAIL", type=_map, action="append", default=[], help=text)
    add("ping", asking.ping, "whether the daemon answers")
    add("reload", asking.reload, "read the configuration again, all of it or nothing")
    stop = add("stop", asking.stop, "stop the daemon; bans stay until their time is over", "[--flush] ")
    stop.add_argument("--flush", action="store_true", help="take all bans and rules out of the kernel")
    return parser


def _add_common(parser: argparse.ArgumentParser, socket: object, timeout: object) -> None:
    # The commands take them too; there they have no default, or it would win over what stands before the command.
    text = f"default: BANWATCH_SOCKET, else {DEFAULT_SOCKET}"
    parser.add_argument("--socket", metavar="PATH", default=socket, help=text)
    parser.add_argument(
        "--timeout", metavar="S", type=_timeout, default=timeout, help="seconds to wait for an answer; default: 10"
    )


def _timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"expected seconds, got {text!r}")
    return seconds


def _map(text: str) -> tuple[str, str]:
    name, sign, jail = text.partition("=")
    if not name or not sign:
        raise argparse.ArgumentTypeError(f"expected SET=JAIL, got {text!r}")
    return name, jail


def _since(text: str) -> float:
    """An instant: a date with or without a time of day, of this system's zone, or so long ago."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError):
        seconds = _duration(text)
        return 0.0 if seconds is None else time.time() - seconds


def _duration(text: str) -> float | None:
    from banwatch.config.duration import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
