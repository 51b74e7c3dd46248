"""`banwatch run`: the daemon, in the foreground."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from banwatch.cli.output import print_error
from banwatch.config.load import DIRECTORY
from banwatch.daemon import Daemon, Options
from banwatch.errors import EXIT_DONE, BanwatchError
from banwatch.host.limits import raise_open_files
from banwatch.host.systemd import Notifier

_EPILOG = """\
signals: HUP reads the configuration anew, USR1 opens the log file anew, TERM and INT stop and leave the bans in the kernel.
exit codes: 0 stopped, 1 another daemon runs, 69 the firewall cannot be used, 78 the configuration cannot be used.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "run",
        help="protect this host, in the foreground",
        description="Read the logs, count, ban.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="DIR", type=Path, default=DIRECTORY, help="default: %(default)s")
    parser.add_argument("--dry-run", action="store_true", help="decide and tell, touch no firewall")
    parser.add_argument("--socket", metavar="PATH", help="the control socket; default: what banwatch.yaml says")
    parser.add_argument(
        "--state",
        metavar="FILE",
        type=_state,
        help="the database, or none; default: what banwatch.yaml says, and none for a dry run",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Live until told to stop: the exit code."""
    raise_open_files()
    notifier = Notifier()
    os.environ.pop("NOTIFY_SOCKET", None)  # children must not speak for us
    sys.setswitchinterval(0.001)  # a ban waits no longer for the thread that writes to the store
    try:
        asyncio.run(Daemon(Options(args.config, args.dry_run, args.socket, args.state), notifier).run())
    except BanwatchError as error:
        print_error(error)
        return error.code
    return EXIT_DONE


def _state(text: str) -> str:
    return text if text == "none" else str(Path(text).absolute())
