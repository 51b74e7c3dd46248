"""`banwatch`: finds the command and starts it."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from banwatch import __version__
from banwatch.cli.output import leave_quietly
from banwatch.errors import EXIT_DONE

COMMANDS = ("run", "check", "test", "replay", "logins")
"""Each is a module of this package with `add_parser(subparsers)`, which sets `run` to what returns the exit code."""

_EPILOG = """\
examples:
  banwatch run                             protect this host, in the foreground
  banwatch run --dry-run                   decide and tell, touch no firewall
  banwatch check                           is the configuration right?
  banwatch test sshd /var/log/auth.log     which lines count, and for whom
  banwatch replay /var/log/auth.log        who would have been banned, and when

banwatch-client talks to the running daemon.
"""


def make_parser(commands: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser with these commands; one alone spares the import of the others."""
    parser = argparse.ArgumentParser(
        prog="banwatch",
        description="Reads logs as they are written, counts failures exactly, bans in the kernel.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"banwatch {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for name in commands:
        import_module(f"banwatch.cli.{name}").add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command: its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = make_parser(words[:1] if words and words[0] in COMMANDS else COMMANDS)
    args = parser.parse_args(words)
    if args.command is None:
        parser.print_help()
        return EXIT_DONE
    return leave_quietly(lambda: int(args.run(args)))


if __name__ == "__main__":
    sys.exit(main())
