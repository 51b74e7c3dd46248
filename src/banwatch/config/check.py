"""
What only shows when the configuration is tried: filters that do not find what their examples hold or look suspicious, and jails
whose ports nobody serves.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from banwatch.config.lint import lint_filter
from banwatch.config.model import Config, Example, FilterSpec, JailSpec, Mark, Problem
from banwatch.config.ports import render_ports
from banwatch.config.problem import sorted_problems
from banwatch.filter.match import Filter, name_regex
from banwatch.filter.scan import Lens, Scanner
from banwatch.model import Match

Listening = frozenset[tuple[str, int]]

_LISTEN, _BOUND = "0A", "07"
_TABLES = (("tcp", "tcp", _LISTEN), ("tcp6", "tcp", _LISTEN), ("udp", "udp", _BOUND), ("udp6", "udp", _BOUND))


def check_config(config: Config, now: float, listening: Listening | None = None) -> list[Problem]:
    """
    Problems and warnings beyond those that loading found, sorted.

    Args:
        now: for dates without a year in examples.
        listening: see warn_unserved_ports.
    """
    problems = warn_unserved_ports(config, listening)
    for name, spec in config.filters.items():
        problems.extend(_try_examples(spec, config.compiled[name], now))
        problems.extend(lint_filter(spec, config.compiled[name]))
    return list(sorted_problems(problems))


def warn_unserved_ports(config: Config, listening: Listening | None = None) -> list[Problem]:
    """
    A warning for each jail that would ban from ports of which none is served: the service is elsewhere, and so is the attacker.

    Jails that ban nobody, or that wait for a source to appear, are left in peace.

    Args:
        listening: what is served, (protocol, port); None asks this system.
    """
    concerned = [spec for spec in config.jails.values() if spec.enforce and spec.ports is not None and _is_on(spec)]
    if not concerned:
        return []
    served = read_listening() if listening is None else listening
    return [_unserved(spec) for spec in concerned if not _is_served(spec, served)]


def read_listening(tables: Path = Path("/proc/net")) -> Listening:
    """The (protocol, port) pairs on which something on this host listens, as proc(5) tells; a missing table is an empty one."""
    found = set()
    for name, protocol, state in _TABLES:
        try:
            lines = (tables / name).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[3] == state:
                found.add((protocol, int(columns[1].rpartition(":")[2], 16)))
    return frozenset(found)


def _is_on(spec: JailSpec) -> bool:
    if spec.enabled == "true" or any(watch.journal and not watch.logs for watch in spec.watch):
        return True
    paths = (path for watch in spec.watch for path in watch.logs)
    return any(any(Path("/").glob(path.lstrip("/"))) for path in paths)


def _is_served(spec: JailSpec, served: Listening) -> bool:
    ranges = spec.ports or ()
    return any(protocol in spec.protocol and first <= port <= last for protocol, port in served for first, last in ranges)


def _unserved(spec: JailSpec) -> Problem:
    mark = spec.marks.get("ports") or spec.marks.get("", Mark("", 0))
    ports = f"{'/'.join(spec.protocol)} {render_ports(spec.ports)}"
    note = f"nothing listens on {ports}: bans would close no door"
    return Problem(*mark, f"{spec.name}.ports", "a port on which something listens", ports, spec.name, warning=True, note=note)


def _try_examples(spec: FilterSpec, compiled: Filter, now: float) -> Iterator[Problem]:
    scanner = Scanner([Lens(compiled)])
    unseen = dict(_regexes(spec))
    for index, example in enumerate(spec.examples):
        match = scanner.match_line(0, example.log, now)
        if match is not None:
            unseen.pop(_path(match), None)
        for expected, got in _differences(example, match):
            yield Problem(*example.mark, f"examples[{index}]", expected, got, filter=spec.name)
    for path, mark in unseen.items():
        yield Problem(*mark, path, "an example", "", filter=spec.name, warning=True, note="no example matches this regex")


def _regexes(spec: FilterSpec) -> Iterator[tuple[str, Mark]]:
    lists = [(f"failregex.{kind}", regexes) for kind, regexes in spec.failregex.items()]
    lists += [(f"hintregex.{kind}", regexes) for kind, regexes in spec.hintregex.items()]
    lists.append(("successregex", spec.successregex))
    entries = [(f"failfields.{kind}", found) for kind, found in spec.failfields.items()]
    entries += [(f"hintfields.{kind}", found) for kind, found in spec.hintfields.items()]
    entries.append(("successfields", spec.successfields))
    for path, regexes in (*lists, *entries):
        for index in range(len(regexes)):
            yield f"{path}[{index}]", spec.marks[f"{path}[{index}]"]


def _path(match: Match) -> str:
    return name_regex(match.kind, match.regex, match.hint)


def _differences(example: Example, match: Match | None) -> Iterable[tuple[str, str]]:
    """(expected, got) for all in which a match is not what the example says."""
    if example.kind is None or match is None or match.kind != example.kind:
        expected = example.kind or "no match"
        got = "no match" if match is None else f"{match.kind} by {_path(match)}"
        return [(expected, got)] if expected != got else []
    wanted = {"ip": None, "login": None, "count": "1", **example.expect}
    pairs = [(name, value, _actual(match, name)) for name, value in wanted.items()]
    return [(_named(name, value), _named(name, actual)) for name, value, actual in pairs if value != actual]


def _actual(match: Match, name: str) -> str | None:
    known = {
        "ip": match.ip,
        "login": match.login,
        "count": str(match.attempts),
        "hint": "true" if match.hint else "false",
        "session": match.session,
    }
    return known[name] if name in known else match.tags.get(name)


def _named(name: str, value: str | None) -> str:
    return f"no {name}" if value is None else f"{name} {value}"
