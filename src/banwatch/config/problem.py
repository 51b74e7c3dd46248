"""
What is said about a value that does not fit, in the form that every message about the configuration has.

    jails.d/sshd.yaml:7: sshd.rules.ip.bantime: expected a duration like "10m" or "forever", got "ten minutes"
"""

import json
from collections.abc import Iterable

from banwatch.config.model import Problem

LONGEST = 80


class UnfitError(ValueError):
    """
    A text is not the value that it should be.

    Args:
        expected: what would be right.
        got: the text.
    """

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"expected {expected}, got {quote(got)}")
        self.expected = expected
        self.got = got


def quote(text: str) -> str:
    """`text` in double quotes, control characters escaped, cut to LONGEST characters."""
    cut = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return _escape(json.dumps(cut, ensure_ascii=False))


def render_problem(problem: Problem) -> str:
    """One line: file, line (unless it is the file as a whole), key, and what is wrong; never more than one."""
    where = f"{problem.file}:{problem.line}" if problem.line else problem.file
    parts = [where, "warning" if problem.warning else "", problem.key, problem.note or _expectation(problem)]
    return _escape(": ".join(part for part in parts if part))


def render_problems(problems: Iterable[Problem], outcome: str = "") -> str:
    """
    All problems, a line each, sorted by file and line; then, if there is an `outcome`, how many they are and what happened.

    The outcome is a sentence such as "the running configuration was kept".
    """
    ordered = sorted_problems(problems)
    lines = [render_problem(problem) for problem in ordered]
    if outcome:
        lines.append(f"{count_problems(ordered)}; {outcome}.")
    return "\n".join(lines)


def count_problems(problems: Iterable[Problem]) -> str:
    """How many there are, in words: "2 problems, 1 warning"."""
    ordered = tuple(problems)
    warnings = sum(problem.warning for problem in ordered)
    counted = [_plural(len(ordered) - warnings, "problem")] if len(ordered) > warnings or not warnings else []
    if warnings:
        counted.append(_plural(warnings, "warning"))
    return ", ".join(counted)


def sorted_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """By file, line and key, each once."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: (problem.file, problem.line, problem.key, problem.expected)))


def _expectation(problem: Problem) -> str:
    return f"expected {problem.expected}, got {quote(problem.got) if problem.got else 'nothing'}"


def _escape(text: str) -> str:
    return "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in text)


def _plural(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
