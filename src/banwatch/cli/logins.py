"""`banwatch logins --sync`: has the files for services say who is refused now, also when no daemon is there to do it."""

import argparse
import time
from pathlib import Path

from banwatch.cli.output import print_error, print_json, print_text
from banwatch.config.load import DIRECTORY, load_daemon
from banwatch.errors import EXIT_CONFIG, EXIT_DONE, EXIT_REFUSED, ConfigError, ControlError
from banwatch.logins.files import DenyFiles

_EPILOG = """\
The daemon keeps the files up to date by itself. This is for when it is gone: bans of logins end on time all the same.
exit codes: 0 done, 1 the files cannot be read or written, 78 configuration.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "logins",
        help="let bans of logins end although the daemon is gone",
        description="Bring the files for services (doors.files) up to date.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sync", action="store_true", required=True, help="take out who is banned no more")
    parser.add_argument("--config", metavar="DIR", type=Path, default=DIRECTORY, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the files that have to change: the exit code."""
    spec, problems = load_daemon(args.config)
    if any(not problem.warning for problem in problems):
        print_error(ConfigError("banwatch.yaml cannot be used", "banwatch check tells why"), args.json)
        return EXIT_CONFIG
    files = DenyFiles(spec.doors.files)
    changed: list[str] = []
    try:
        # Where nothing was ever written nobody is refused.
        if files.directory.exists():
            changed = files.sync(time.time())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        print_error(ControlError(f"{files.directory} is not up to date: {reason}"), args.json)
        return EXIT_REFUSED
    if args.json:
        print_json({"changed": changed})
    else:
        for name in changed:
            print_text(f"{files.directory / name} written")
    return EXIT_DONE
