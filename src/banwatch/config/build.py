"""
What was read as the values of model.py: jails, filters, the daemon, each complete and consistent, or None with its problems.

Pure.
"""

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from banwatch.config import schema
from banwatch.config.convert import one_of_text
from banwatch.config.duration import LIMIT
from banwatch.config.model import (
    AlarmSpec,
    ControlSpec,
    DaemonSpec,
    DoorsSpec,
    Example,
    EximSpec,
    FilesSpec,
    FilterSpec,
    FirewallSpec,
    JailSpec,
    Limit,
    LogSpec,
    Mark,
    MetricsSpec,
    PolicySpec,
    Rule,
    StoreSpec,
    Watch,
)
from banwatch.config.ports import ALL, join_ranges
from banwatch.config.read import Reader
from banwatch.config.tree import Node
from banwatch.login import PLAIN, Naming
from banwatch.model import KINDS

_NOT_COMPARED = {"log", "why"}

TRUSTED = (
    "_UID=", "_GID=", "_EXE=", "_SYSTEMD_UNIT=", "_SYSTEMD_CGROUP=", "_SYSTEMD_SLICE=", "_SELINUX_CONTEXT=",
    "_TRANSPORT=kernel", "_TRANSPORT=audit", "_TRANSPORT=driver",
)  # fmt: skip
"""What journald knows of a process and nobody can choose for himself; a _COMM anybody can. systemd.journal-fields(7)."""


class Defaults(NamedTuple):
    """`defaults` of banwatch.yaml, for jails that say nothing themselves."""

    limit: Limit | None = None
    bantime: float | None = 600.0
    naming: Naming = PLAIN


def build_daemon(reader: Reader, node: Node) -> tuple[DaemonSpec, Defaults]:
    """banwatch.yaml; what does not fit is left at its default, so that everything else can still be checked."""
    values = reader.fields(node, schema.DAEMON, "", node.mark)
    defaults = values.get("defaults") or {}
    naming = _naming(defaults.get("login") or {}, PLAIN)
    daemon = DaemonSpec(
        log=LogSpec(**values.get("log") or {}),
        metrics=MetricsSpec(**values.get("metrics") or {}),
        control=ControlSpec(**values.get("control") or {}),
        firewall=FirewallSpec(**values.get("firewall") or {}),
        store=StoreSpec(**values.get("store") or {}),
        ignoreip=defaults.get("ignoreip", ()),
        naming=naming,
        doors=_doors(values.get("doors") or {}),
    )
    return daemon, Defaults(defaults.get("limit"), defaults.get("bantime", 600.0), naming)


def build_filter(reader: Reader, name: str, node: Node, mark: Mark) -> FilterSpec | None:
    """One filter, or None when it has problems; whether its regexes compile is not asked here."""
    values = reader.fields(node, schema.FILTER, "", mark)
    examples = tuple(_examples(reader, values.pop("examples", ())))
    return None if reader.broken else FilterSpec(name=name, **values, examples=examples, marks=reader.marks)


def _examples(reader: Reader, written: Iterable[Mapping[str, Any]]) -> Iterable[Example]:
    for index, values in enumerate(written):
        mark = reader.marks[f"examples[{index}]"]
        kinds = [key for key in values if key not in _NOT_COMPARED]
        if len(kinds) > 1:
            reader.complain(mark, f"examples[{index}]", "one kind at most", ", ".join(kinds))
        kind = kinds[0] if kinds else None
        yield Example(values.get("log", ""), kind, values[kind] if kind else {}, mark)


def build_jail(
    reader: Reader,
    name: str,
    node: Node,
    mark: Mark,
    defaults: Defaults,
    filters: Mapping[str, frozenset[str]],
    bare: Collection[str] = (),
) -> JailSpec | None:
    """
    One jail, or None when it has problems.

    Args:
        filters: the kinds that each known filter has, those with problems included.
        bare: filters that do not read a line with the header of a syslog.
    """
    values = reader.fields(node, schema.JAIL, "", mark)
    bantime = values.pop("bantime", defaults.bantime)
    watch = tuple(_watches(reader, values.pop("watch", {}), filters, bare))
    kinds = frozenset(kind for watched in watch for kind in filters.get(watched.filter, KINDS))
    written = values.pop("rules", {})
    rules = tuple(_rules(reader, written, defaults.limit, bantime, kinds or frozenset(KINDS)))
    if written and not watch and "watch" not in reader.unfit:
        reader.complain(reader.marks["rules"], "watch", "something to watch, because there are rules", "")
    if watch and not written and "rules" not in reader.unfit:
        reader.complain(mark, "rules", "at least one rule", "", "no rule; nothing is counted", warning=True)
    naming = _naming(values.pop("login", {}), defaults.naming)
    alarm = values.pop("alarm", {})
    if reader.broken:
        return None
    for unused in ("hook", "usedns"):
        values.pop(unused)
    ports = values.pop("ports")
    return JailSpec(
        name=name,
        watch=watch,
        rules=rules,
        bantime=bantime,
        ports=None if ports == ALL else join_ranges(ports),
        naming=naming,
        alarm=AlarmSpec(**alarm) if "networks" in alarm else None,
        marks=reader.marks,
        **values,
    )


def _doors(written: Mapping[str, Any]) -> DoorsSpec:
    policy, exim, files = (written.get(name) or {} for name in ("dovecot", "exim", "files"))
    return DoorsSpec(PolicySpec(**policy), EximSpec(**exim), FilesSpec(**files), written.get("kick", ()))


def _naming(written: Mapping[str, Any], otherwise: Naming) -> Naming:
    realms = frozenset(written["realms"]) if "realms" in written else otherwise.realms
    return Naming(written.get("domain", otherwise.domain), realms, written.get("extension", otherwise.extension))


def _watches(
    reader: Reader, written: Mapping[str, Any], filters: Mapping[str, frozenset[str]], bare: Collection[str]
) -> Iterable[Watch]:
    for name, values in written.items():
        path = f"watch.{name}"
        chosen = values.pop("filter", name)
        if chosen not in filters and f"{path}.filter" not in reader.unfit:
            near = difflib.get_close_matches(chosen, filters, 1)
            note = f"no filter is named {chosen}; did you mean {near[0]}?" if near else ""
            reader.complain(_mark(reader, path, "filter"), path, f"a filter ({', '.join(sorted(filters))})", chosen, note)
        _check_sources(reader, path, values)
        if values.get("journal") and chosen in bare:
            note = f"the filter {chosen} does not read entries of the journal: its header has no `syslog`"
            reader.complain(
                _mark(reader, path, "journal"), f"{path}.journal", "a filter with header: syslog", "", note, warning=True
            )
        yield Watch(filter=chosen, own_logs=_has_own_logs(reader, path), **values)


def _check_sources(reader: Reader, path: str, values: Mapping[str, Any]) -> None:
    logs, journal, source = values.get("logs"), values.get("journal"), values.get("source")
    if logs == () and (journal == () or source == "logs"):
        reader.complain(_mark(reader, path, "logs"), f"{path}.logs", "at least one path", "")
    elif journal == () and source == "journal":
        reader.complain(_mark(reader, path, "journal"), f"{path}.journal", "at least one match", "")
    for index, item in enumerate(journal or ()):
        if not any(word.startswith(TRUSTED) for word in item.split()):
            note = "anybody on this host can write such entries: a word like _UID=0 or _SYSTEMD_UNIT=… is missing"
            mark = _mark(reader, path, "journal")
            reader.complain(mark, f"{path}.journal[{index}]", "a field that journald sets", item, note, warning=True)


def _has_own_logs(reader: Reader, path: str) -> bool:
    """Whether a drop-in says where the logs are, and what is said about the journal is shipped."""
    logs, journal = reader.marks.get(f"{path}.logs"), reader.marks.get(f"{path}.journal")
    return logs is not None and journal is not None and journal.file.startswith("/") and not logs.file.startswith("/")


def _rules(
    reader: Reader, written: Mapping[str, Any], limit: Limit | None, bantime: float | None, kinds: frozenset[str]
) -> Iterable[Rule]:
    for name, values in written.items():
        path = f"rules.{name}"
        values.setdefault("limit", limit)
        values.setdefault("bantime", bantime)
        if values["limit"] is None and f"{path}.limit" not in reader.unfit:
            reader.complain(_mark(reader, path, "limit"), f"{path}.limit", LIMIT, "")
        for kind in sorted(set(values.get("count", ())) - kinds):
            note = f"{kind} is never counted: no filter that is watched has it"
            expected = one_of_text(tuple(sorted(kinds)))
            reader.complain(_mark(reader, path, "count"), f"{path}.count", expected, kind, note, warning=True)
        if f"{path}.prefix" in reader.marks and values.get("by") != "net" and "net" not in values.get("ban", ()):
            note = "not used: only by: net and ban: [net] are about networks"
            reader.complain(_mark(reader, path, "prefix"), f"{path}.prefix", "by: net", "", note, warning=True)
        unused = [key for key in ("logins", "exempt", "strict", "delay") if f"{path}.{key}" in reader.marks]
        for key in unused if values.get("by") != "login" else ():
            note = "not used: only by: login is about logins"
            reader.complain(_mark(reader, path, key), f"{path}.{key}", "by: login", "", note, warning=True)
        if not reader.broken:
            count, exempt = frozenset(values.pop("count")), frozenset(values.pop("exempt"))
            yield Rule(name=name, count=count, exempt=exempt if values["by"] == "login" else frozenset(), **values)


def _mark(reader: Reader, path: str, key: str) -> Mark:
    return reader.marks.get(f"{path}.{key}", reader.marks[path])
