"""`banwatch check`: whether the configuration is right, with everything that is not."""

import argparse
import time
from pathlib import Path

from banwatch.cli.output import print_json, print_text
from banwatch.config.check import check_config
from banwatch.config.load import DIRECTORY, load_config
from banwatch.config.model import Config, Problem
from banwatch.config.problem import count_problems, render_problem, sorted_problems
from banwatch.errors import EXIT_CONFIG, EXIT_DONE
from banwatch.logins.readable import warn_unreadable

_EPILOG = """\
Reads what `banwatch run` would read, tries the examples of every filter, and looks for jails on whose ports nothing listens.
exit codes: 0 right, perhaps with warnings; 78 not.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "check",
        help="is the configuration right?",
        description="Tell all problems of the configuration.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="DIR", type=Path, default=DIRECTORY, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every problem: the exit code."""
    config = load_config(args.config)
    unreadable = warn_unreadable(config.daemon.doors.files)
    problems = sorted_problems((*config.problems, *check_config(config, time.time()), *unreadable))
    wrong = config.unusable is not None or any(not problem.warning for problem in problems)
    if args.json:
        for problem in problems:
            print_json(_as_object(problem))
    else:
        for problem in problems:
            print_text(render_problem(problem))
        print_text(f"{count_problems(problems)}; {_outcome(config, wrong)}.")
    return EXIT_CONFIG if wrong else EXIT_DONE


def _as_object(problem: Problem) -> dict[str, object]:
    """What `docs/configuration.md` promises; a warning says that it is one."""
    keys = ("file", "line", "key", "expected", "got")
    warning = {"warning": True} if problem.warning else {}
    return {key: getattr(problem, key) for key in keys} | warning


def _outcome(config: Config, wrong: bool) -> str:
    if config.unusable is not None:
        return f"the daemon would not start: {config.unusable}"
    if config.broken:
        return f"the daemon would leave out {', '.join(config.broken)}"
    return "the daemon would start all the same" if wrong else "the daemon would start"
