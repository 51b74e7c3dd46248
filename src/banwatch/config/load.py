"""
The configuration of a host: every file read, laid over each other, and turned into one Config with all problems in it.

Later wins: shipped filters/ and jails/ → filters.d/*.yaml and jails.d/*.yaml → banwatch.yaml, which is about the daemon itself.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from banwatch.config.build import Defaults, build_daemon, build_filter, build_jail
from banwatch.config.compiled import CompiledFilters
from banwatch.config.files import UnreadableError, read_text, strays
from banwatch.config.layers import Layers
from banwatch.config.model import Config, DaemonSpec, FilterSpec, JailSpec, Mark, Problem
from banwatch.config.paths import DAEMON_FILE, DEFAULT_DIRECTORY, shipped_dir
from banwatch.config.problem import sorted_problems
from banwatch.config.read import Reader
from banwatch.config.tree import Entry, NotYamlError, Null, Table, compose
from banwatch.errors import ConfigError
from banwatch.model import KINDS

DIRECTORY: Final = DEFAULT_DIRECTORY
NO_JAIL: Final = "no jail remains"

Breakages = dict[str, list[Problem]]


def load_config(
    directory: Path = DIRECTORY, shipped: Path | None = None, older: Config | None = None, wanted: Collection[str] = ()
) -> Config:
    """
    Everything that `directory` and the shipped files say. Never raises for what stands in them.

    Args:
        directory: may be absent if it is the default one.
        shipped: has `filters` and `jails` in it; None is shipped_dir().
        older: an earlier configuration; filters that are the same there are not compiled again.
        wanted: jails that are to be there even if they are `enabled: false`.
    """
    shipped = shipped or shipped_dir()
    layers = Layers()
    layers.add_filters((shipped / "filters", str(shipped / "filters")), strict=False)
    layers.add_filters((directory / "filters.d", "filters.d"))
    layers.add_jails((shipped / "jails", str(shipped / "jails")), strict=False)
    layers.add_jails((directory / "jails.d", "jails.d"))
    problems = layers.problems

    daemon, defaults, daemon_problems = _load_daemon(directory)
    problems += daemon_problems
    filters = _build_filters(layers.filters, layers.broken_filters, problems)
    compiled = _compile_filters(filters, shipped, older, layers.broken_filters, problems)
    kinds = {name: _kinds(filters.get(name)) for name in (*layers.filters, *layers.broken_filters)}
    bare = {name for name, spec in filters.items() if not any("<SYSLOG>" in text or text == "syslog" for text in spec.header)}
    specs = _build_jails(layers.jails, layers.broken_jails, problems, defaults, kinds, bare)
    _refuse_shared_sets(specs, layers.broken_jails, problems)
    used = [spec for spec in specs if spec.enabled != "false" or spec.name in wanted]
    _break_watchers(used, layers.broken_jails, layers.broken_filters)
    replaced = _replaced([spec for spec in used if spec.enabled != "false" and spec.name not in layers.broken_jails])

    broken = tuple(sorted(layers.broken_jails))
    jails = {spec.name: spec for spec in used if spec.name not in {*layers.broken_jails, *replaced} or spec.name in wanted}
    if not jails:
        problems.append(Problem("jails.d", 0, "", "at least one jail that can run", "", note=NO_JAIL))
    return Config(
        daemon=daemon,
        jails=jails,
        filters={name: filters[name] for name in compiled},
        problems=sorted_problems(problems),
        broken=broken,
        directory=directory,
        broken_by={name: sorted_problems(layers.broken_jails[name]) for name in broken},
        unusable=_unusable(daemon_problems, jails),
        compiled=compiled,
    )


def load_daemon(directory: Path = DIRECTORY) -> tuple[DaemonSpec, Sequence[Problem]]:
    """What banwatch.yaml says alone, and what is wrong with it."""
    daemon, _, problems = _load_daemon(directory)
    return daemon, sorted_problems(problems)


def _load_daemon(directory: Path) -> tuple[DaemonSpec, Defaults, list[Problem]]:
    """banwatch.yaml, which may be absent, and what stands around it."""
    reader = Reader()
    table = Table({}, Mark(DAEMON_FILE, 0))
    try:
        reader.problems.extend(strays(directory))
    except FileNotFoundError:
        if directory != DIRECTORY:
            reader.problems.append(Problem(str(directory), 0, "", "a directory", "no such directory"))
    except OSError as error:
        reader.problems.append(Problem(str(directory), 0, "", "a readable directory", error.strerror or str(error)))
    else:
        try:
            table, problems = compose(read_text(directory / DAEMON_FILE, DAEMON_FILE), DAEMON_FILE)
            reader.problems.extend(problem._replace(jail=None) for problem in problems)
        except FileNotFoundError:
            pass
        except (UnreadableError, NotYamlError) as error:
            reader.problems.append(error.problem)
    daemon, defaults = build_daemon(reader, table)
    return daemon, defaults, reader.problems


def _build_filters(entries: Mapping[str, Entry], broken: Breakages, problems: list[Problem]) -> dict[str, FilterSpec]:
    filters = {}
    for name, entry in entries.items():
        reader = Reader(filter=name)
        spec = build_filter(reader, name, entry.node, entry.mark)
        if spec is not None:
            filters[name] = spec
        problems += reader.problems
        if reader.broken:
            broken.setdefault(name, []).extend(reader.problems)
    return filters


def _compile_filters(
    specs: Mapping[str, FilterSpec], shipped: Path, older: Config | None, broken: Breakages, problems: list[Problem]
) -> CompiledFilters:
    """
    The filters that compile, of those whose files have no problems already.

    What is shipped is known to compile, to regexes that are linear, and has time until it is needed: most hosts run few of
    the services there are.
    """
    own = {name for name, spec in specs.items() if all(mark.file.startswith(f"{shipped}/") for mark in spec.marks.values())}
    compiled = CompiledFilters(specs, proven=own)
    for name, spec in specs.items():
        if older is not None and older.filters.get(name) == spec:
            compiled.take_over(name, older.compiled)
        elif name not in own:
            try:
                compiled[name]
            except ConfigError as error:
                problems += error.problems
                broken.setdefault(name, []).extend(error.problems)
    for name in broken:
        compiled.drop(name)
    return compiled


def _build_jails(
    entries: Mapping[str, Entry],
    broken: Breakages,
    problems: list[Problem],
    defaults: Defaults,
    kinds: Mapping[str, frozenset[str]],
    bare: Collection[str],
) -> list[JailSpec]:
    specs = []
    for name, entry in entries.items():
        reader = Reader(jail=name, prefix=name)
        if isinstance(entry.node, Null):
            reader.deleted(entry.node, "", named=True)
        elif (spec := build_jail(reader, name, entry.node, entry.mark, defaults, kinds, bare)) is not None:
            specs.append(spec)
        problems += reader.problems
        if reader.broken:
            broken.setdefault(name, []).extend(reader.problems)
    return specs


def _refuse_shared_sets(specs: Sequence[JailSpec], broken: Breakages, problems: list[Problem]) -> None:
    """Two jails with one set would end each other's bans."""
    owners = {f"banwatch-{spec.name}": spec.name for spec in specs if spec.set is None}
    for spec in specs:
        if spec.set is not None and (owner := owners.setdefault(spec.set, spec.name)) != spec.name:
            expected = f"a set that no other jail has ({owner} has this one)"
            problem = Problem(*spec.marks["set"], f"{spec.name}.set", expected, spec.set, spec.name)
            problems.append(problem)
            broken.setdefault(spec.name, []).append(problem)


def _break_watchers(specs: Sequence[JailSpec], jails: Breakages, filters: Breakages) -> None:
    """A jail that watches a broken filter is broken by the filter's problems."""
    for spec in specs:
        causes = [problem for watch in spec.watch for problem in filters.get(watch.filter, ())]
        if causes:
            jails.setdefault(spec.name, []).extend(causes)


def _replaced(specs: Sequence[JailSpec]) -> frozenset[str]:
    """The jails whose work one of `specs` does; one that is replaced itself replaces nobody."""
    replaces = {spec.name: set(spec.replaces) - {spec.name} for spec in specs}
    first = set[str]().union(*replaces.values())
    return frozenset(name for jail, names in replaces.items() if jail not in first for name in names)


def _kinds(spec: FilterSpec | None) -> frozenset[str]:
    """The kinds a filter can find; of a filter with problems, which cannot be known, all."""
    return frozenset(KINDS) if spec is None else frozenset((*spec.failregex, *spec.hintregex, *spec.failfields, *spec.hintfields))


def _unusable(daemon_problems: Sequence[Problem], jails: Mapping[str, JailSpec]) -> str | None:
    wrong = [problem for problem in daemon_problems if not problem.warning]
    if wrong:
        return f"{wrong[0].file} cannot be used"
    return None if jails else NO_JAIL
