"""What every command does alike: text and JSON lines to standard output, errors to standard error, a quiet end."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn

from banwatch.errors import EXIT_DONE, EXIT_USAGE, BanwatchError, ConfigError, ControlError
from banwatch.text import escape

EXIT_INTERRUPTED = 130


def print_text(text: str) -> None:
    """One line for people, escaped."""
    sys.stdout.write(escape(text) + "\n")


def print_lines(lines: Iterable[str]) -> None:
    """Lines of JSON that somebody has rendered, each with its end."""
    sys.stdout.write("".join(lines))


def print_json(value: object) -> None:
    """One line for programs; ASCII, so that no locale can break it and no text can reach the terminal."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")


def print_error(error: BanwatchError, as_json: bool = False) -> None:
    """
    What went wrong and how to get out of it, to standard error: `{error, code, hint}` or text.

    Problems of the configuration stand above it, a line each; as JSON they are in `problems`.
    """
    problems = error.problems if isinstance(error, ConfigError | ControlError) else ()
    sys.stdout.flush()  # keeps the order of both where they go to the same terminal
    if as_json:
        value: dict[str, object] = {"error": error.message, "code": error.code, "hint": error.hint}
        if problems:
            value["problems"] = [problem._asdict() for problem in problems]
        sys.stderr.write(json.dumps(value) + "\n")
        return
    if problems:
        from banwatch.config.problem import render_problem, sorted_problems

        for problem in sorted_problems(problems):
            sys.stderr.write(escape(render_problem(problem)) + "\n")
    sys.stderr.write(escape(error.message) + "\n")
    if error.hint:
        sys.stderr.write(f"  hint: {escape(error.hint)}\n")


def print_note(text: str) -> None:
    """A line about the answer that is no part of it, to standard error."""
    sys.stdout.flush()
    sys.stderr.write(escape(text) + "\n")


class Parser(argparse.ArgumentParser):
    """Arguments whose errors come as `{error, code, hint}` where `--json` was among them."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the arguments, and leave with EXIT_USAGE."""
        if "--json" in sys.argv:
            sys.stderr.write(json.dumps({"error": message, "code": EXIT_USAGE, "hint": f"{self.prog} --help"}) + "\n")
        else:
            sys.stderr.write(f"{self.format_usage()}{self.prog}: {message}\n")
        sys.exit(EXIT_USAGE)


def leave_quietly(main: Callable[[], int]) -> int:
    """
    The exit code of `main`. Output that nobody reads any more (`… | head`) and Ctrl-C end it without a traceback.

    To be called once, around everything a command does.
    """
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end; that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code
