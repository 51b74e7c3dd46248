"""
The files of the configuration laid over each other: shipped ones first, then those of the directory in byte order.

What comes out is one tree for each filter and each jail, and what is wrong with the files themselves. A file that cannot be
read breaks the filter or the jails it is about: without it they would run in a way that the operator did not choose.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from banwatch.config.convert import parse_filter_name, parse_jail_name
from banwatch.config.files import SUFFIX, UnreadableError, list_yaml, read_text
from banwatch.config.model import Mark, Problem
from banwatch.config.problem import UnfitError
from banwatch.config.tree import Entry, NotYamlError, compose, merge

_OUTERMOST = re.compile(r"""^["']?([A-Za-z0-9_.-]+)["']?[ \t]*:""", re.MULTILINE)

Place = tuple[Path, str]


class Layers:
    """
    Filters and jails by name, each as its merged entry.

    `problems` has what is wrong with files; `broken_jails` and `broken_filters` whom that concerns.
    """

    def __init__(self) -> None:
        self.filters: dict[str, Entry] = {}
        self.jails: dict[str, Entry] = {}
        self.problems: list[Problem] = []
        self.broken_jails: dict[str, list[Problem]] = {}
        self.broken_filters: dict[str, list[Problem]] = {}

    def add_filters(self, place: Place, strict: bool = True) -> None:
        """Lays the filter files of a directory over what is there; `strict` warns about files that are never read."""
        for path, label in self._list(place, strict):
            name = path.name.removesuffix(SUFFIX)
            try:
                parse_filter_name(name)
                table, problems = compose(read_text(path, label), label)
            except UnfitError as error:
                self._break_filter(name, Problem(label, 0, "", error.expected, name, filter=name))
            except (UnreadableError, NotYamlError, FileNotFoundError) as error:
                self._break_filter(name, _as_problem(error, label)._replace(filter=name))
            else:
                for problem in problems:
                    self._break_filter(name, problem._replace(jail=None, filter=name))
                _lay(self.filters, name, Entry(Mark(label, 0), table))

    def add_jails(self, place: Place, strict: bool = True) -> None:
        """Lays the jail files of a directory over what is there."""
        for path, label in self._list(place, strict):
            text = ""
            try:
                text = read_text(path, label)
                table, problems = compose(text, label)
            except (UnreadableError, NotYamlError, FileNotFoundError) as error:
                self._break_jails(_names(text, path, self.jails), _as_problem(error, label))
                continue
            for problem in problems:
                self._break_jails([problem.jail] if problem.jail else [], problem)
            for name, entry in table.entries.items():
                try:
                    parse_jail_name(name)
                except UnfitError as error:
                    self._break_jails([name], Problem(*entry.mark, name, error.expected, name))
                else:
                    _lay(self.jails, name, entry)

    def _list(self, place: Place, strict: bool) -> list[tuple[Path, str]]:
        directory, label = place
        try:
            files, problems = list_yaml(directory, label)
        except UnreadableError as error:
            self.problems.append(error.problem)
            return []
        if strict:
            self.problems.extend(problems)
        return files

    def _break_filter(self, name: str, problem: Problem) -> None:
        self.problems.append(problem)
        self.broken_filters.setdefault(name, []).append(problem)

    def _break_jails(self, names: Iterable[str], problem: Problem) -> None:
        concerned = list(names)
        named = problem._replace(jail=concerned[0] if len(concerned) == 1 else None)
        self.problems.append(named)
        for name in concerned:
            self.broken_jails.setdefault(name, []).append(named)


def _lay(entries: dict[str, Entry], name: str, entry: Entry) -> None:
    below = entries.get(name)
    entries[name] = entry if below is None else Entry(entry.mark, merge(below.node, entry.node))


def _as_problem(error: Exception, label: str) -> Problem:
    if isinstance(error, UnreadableError | NotYamlError):
        return error.problem
    return Problem(label, 0, "", "a file", "a link to nothing")


def _names(text: str, path: Path, known: Iterable[str]) -> list[str]:
    """The jails that a file which cannot be read is about: as far as its lines tell, else as its name does."""
    found = list(dict.fromkeys(_OUTERMOST.findall(text)))
    stem = path.name.removesuffix(SUFFIX)
    return found or [stem] * (stem in set(known))
