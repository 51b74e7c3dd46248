"""The shipped filters, loaded as the daemon loads them and compiled once."""

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from banwatch.config.load import load_config
from banwatch.config.model import FilterSpec
from banwatch.filter import Lens, Scanner, compile_filter
from banwatch.model import Chunk, Position

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"
NAMES = tuple(sorted(path.stem for path in (ROOT / "filters").glob("*.yaml")))
LISTS = ("failregex", "hintregex", "successregex", "failfields", "hintfields", "successfields")
NOW = 1795824000.0
"""28 November 2026: lines without a year belong to the weeks before."""


@cache
def _specs():
    return load_config(Path("/etc/banwatch"), ROOT).filters


@dataclass(frozen=True)
class Shipped:
    """One shipped filter and a scanner for it."""

    spec: FilterSpec
    scanner: Scanner

    def match(self, line):
        """The Match of one line, or None."""
        return self.scanner.match_line(0, line, NOW)

    def scan(self, data):
        """Line number → Match, for each line of `data` that gives one."""
        chunk = Chunk("log", data, 0, Position(0, 0, 0), live=False, read_at=NOW)
        return {data.count(b"\n", 0, match.start) + 1: match for match in self.scanner.scan(chunk, NOW)}

    def only(self, list_name, kind, index):
        """The same filter with one of its regexes, or one of its mappings of fields."""
        lists = {name: () if name.startswith("success") else {} for name in LISTS}
        source = getattr(self.spec, list_name)
        lists[list_name] = (source[index],) if list_name.startswith("success") else {kind: (source[kind][index],)}
        if list_name.endswith("regex"):
            lists |= {"fields": {}, "header": tuple(header for header in self.spec.header if header != "json")}
        return _ship(replace(self.spec, **lists))


def _ship(spec):
    return Shipped(spec, Scanner([Lens(compile_filter(spec))]))


@cache
def _shipped(name):
    return _ship(_specs()[name])


@pytest.fixture(scope="session")
def shipped():
    """By name: one shipped filter."""
    return _shipped


def _logs():
    return sorted(path for path in CORPUS.glob("*/*.log") if path.parent.name in NAMES)


def _lists(spec):
    by_kind = {name: getattr(spec, name) for name in LISTS}
    by_kind |= {name: {"success": entries} for name, entries in by_kind.items() if name.startswith("success")}
    return {
        (name, kind, index) for name, kinds in by_kind.items() for kind, entries in kinds.items() for index in range(len(entries))
    }


def pytest_generate_tests(metafunc):
    if "filter_name" in metafunc.fixturenames:
        metafunc.parametrize("filter_name", NAMES)
    if "example" in metafunc.fixturenames:
        cases = [(name, example) for name in NAMES for example in _specs()[name].examples]
        metafunc.parametrize(("owner", "example"), cases, ids=[f"{name}:{example.mark.line}" for name, example in cases])
    if "regex_place" in metafunc.fixturenames:
        cases = [(name, place) for name in NAMES for place in sorted(_lists(_specs()[name]))]
        metafunc.parametrize(
            ("owner", "regex_place"), cases, ids=[f"{name}:{kind}:{at}:{index}" for name, (at, kind, index) in cases]
        )
    if "corpus_log" in metafunc.fixturenames:
        logs = _logs()
        reason = pytest.mark.skip(reason=f"no logs to compare with: {CORPUS} does not exist")
        metafunc.parametrize(
            "corpus_log",
            logs or [pytest.param(None, marks=reason)],
            ids=[f"{p.parent.name}-{p.stem}" for p in logs] or ["absent"],
        )


@pytest.fixture
def expected():
    """By log: what each of its lines has to give, by line number."""

    def load(log):
        lines = log.with_name(f"{log.stem}.expect.jsonl").read_text().splitlines()
        return {entry["line"]: entry for entry in map(json.loads, lines)}

    return load
