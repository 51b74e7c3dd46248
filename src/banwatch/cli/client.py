"""
`banwatch-client`: asks or tells the running daemon.

Imports are few, and some come late: a script may start this for every address it bans.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from banwatch import __version__
from banwatch.cli.output import Parser, leave_quietly, print_error, print_json, print_note, print_text
from banwatch.client import DEFAULT, DEFAULT_SOCKET, Client, Default
from banwatch.errors import EXIT_DONE, EXIT_REFUSED, BanwatchError

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

    status = add("status", _status, "the jails, or what one jail has seen and done", "[JAIL] ")
    status.add_argument("jail", metavar="JAIL", nargs="?")
    ban = add("ban", _ban, "keep WHO out: in JAIL, else in manual, on all ports", "[JAIL] WHO…|- [--for T] [--force] ")
    ban.add_argument("words", metavar="WHO", nargs="+")
    ban.add_argument("--for", dest="seconds", metavar="T", type=_duration, default=DEFAULT, help="like 10m, 1h30m or forever")
    ban.add_argument("--force", action="store_true", help="also who is ignored, or a very wide network")
    unban = add("unban", _unban, "let WHO in again: in JAIL, else in every jail", "[JAIL] WHO…|-|--all ")
    unban.add_argument("words", metavar="WHO", nargs="*")
    unban.add_argument("--all", action="store_true", help="everybody")
    allow = add("allow", _allow, "let WHO in, whatever any jail decides", "WHO…|- [--for T] ")
    allow.add_argument("words", metavar="WHO", nargs="+")
    allow.add_argument("--for", dest="seconds", metavar="T", type=_duration, default=DEFAULT, help="default: forever")
    add("banned", _banned, "who is kept out, where and until when")
    add("ping", _ping, "whether the daemon answers")
    add("reload", _reload, "read the configuration again, all of it or nothing")
    stop = add("stop", _stop, "stop the daemon; bans stay until their time is over", "[--flush] ")
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


def _duration(text: str) -> float | None:
    from banwatch.config.duration import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _status(client: Client, args: argparse.Namespace) -> int:
    from banwatch.cli.tree import notes, render_jail, render_jails

    status = client.status(args.jail)
    if args.json:
        _print_objects(status["jails"])
        return EXIT_DONE
    trees = [render_jail(status["jails"][0])] if args.jail else [render_jails(jail["jail"] for jail in status["jails"])]
    sys.stdout.write("\n".join(trees) + "\n")
    for note in notes(status):
        print_note(note)
    return EXIT_DONE


def _ban(client: Client, args: argparse.Namespace) -> int:
    from banwatch.cli.who import collect_who, split_jail

    jail, words = split_jail(args.words)
    result = client.ban(collect_who(words, sys.stdin.buffer), jail, args.seconds, args.force)
    if args.json:
        _print_objects(result["bans"])
    else:
        for ban in result["bans"]:
            print_text(f"{_name(ban)} banned in {ban['jail']} {_end(ban)}{'' if ban['enforced'] else ', not enforced'}")
    return EXIT_DONE


def _unban(client: Client, args: argparse.Namespace) -> int:
    from banwatch.cli.who import collect_who, split_jail

    jail, words = split_jail(args.words)
    if args.all and words:
        args.fail("WHO and --all exclude each other")
    who = [] if args.all else collect_who(words, sys.stdin.buffer)
    count = client.unban(who, jail, everyone=args.all)
    if args.json:
        print_json({"unbanned": count})
    elif args.all:
        print_text(f"{count} unbanned")
    else:
        for text in who:
            print_text(f"{text} unbanned")
    return EXIT_DONE if count or args.all else EXIT_REFUSED


def _allow(client: Client, args: argparse.Namespace) -> int:
    from banwatch.cli.who import collect_who

    who = collect_who(args.words, sys.stdin.buffer)
    count = client.allow(who, args.seconds)
    if args.json:
        print_json({"allowed": count})
        return EXIT_DONE
    for text in who:
        print_text(f"{text} allowed {_length(None if isinstance(args.seconds, Default) else args.seconds)}")
    return EXIT_DONE


def _banned(client: Client, args: argparse.Namespace) -> int:
    bans = client.banned()
    if args.json:
        _print_objects(bans)
        return EXIT_DONE
    if not bans:
        print_text("nobody is banned")
    names = [_name(ban) for ban in bans]
    width = min(max(map(len, names), default=0), 43)
    breadth = max((len(ban["jail"]) for ban in bans), default=0)
    for name, ban in zip(names, bans, strict=True):
        origin = ban["origin"] if ban["rule"] is None else f"{ban['origin']} {ban['rule']}"
        print_text(f"{name:{width}}  {ban['jail']:{breadth}}  {_end(ban)}  {origin}{'' if ban['enforced'] else ', not enforced'}")
    return EXIT_DONE


def _ping(client: Client, args: argparse.Namespace) -> int:
    answer = client.ping()
    print_json({"ping": answer}) if args.json else print_text(answer)
    return EXIT_DONE


def _reload(client: Client, args: argparse.Namespace) -> int:
    result = client.reload()
    if args.json:
        print_json(result)
        return EXIT_DONE
    count = len(result["jails"])
    print_text(f"reloaded, {count} jail{'' if count == 1 else 's'}: {', '.join(result['jails'])}")
    for problem in result["problems"]:
        print_note(problem)
    return EXIT_DONE


def _stop(client: Client, args: argparse.Namespace) -> int:
    client.stop(args.flush)
    print_json({"stop": "stopping"}) if args.json else print_text("stopping")
    return EXIT_DONE


def _print_objects(objects: Iterable[Mapping[str, Any]]) -> None:
    for value in objects:
        print_json(value)


def _name(ban: Mapping[str, Any]) -> str:
    return f"login:{ban['who']}" if ban["by"] == "login" else str(ban["who"])


def _end(ban: Mapping[str, Any]) -> str:
    if ban["until"] is None:
        return "for ever"
    from banwatch.config.duration import render_duration

    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ban["until"]))
    return f"until {stamp} ({render_duration(ban['left'])})"


def _length(seconds: float | None) -> str:
    from banwatch.config.duration import render_duration

    return "for ever" if seconds is None else f"for {render_duration(seconds)}"


if __name__ == "__main__":
    sys.exit(main())
