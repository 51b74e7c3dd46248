"""
A filter as written → what its lines are matched with.

All failregexes become branches of one regex, behind the program and the pid, where that is possible; else they are searched
for one by one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from banwatch.config.model import FilterSpec, Mark, Problem
from banwatch.errors import ConfigError
from banwatch.filter.dates import KNOWN, DateFormats, parse_format
from banwatch.filter.engines import Chosen, choose_engine, name_engine
from banwatch.filter.failregex import COMMON, Pattern, PatternError, check_linear, compile_pattern, compile_regex, expand_tags
from banwatch.filter.fields import FIELDS, Entry, Records, compile_records
from banwatch.filter.fuse import fuse
from banwatch.filter.header import HEADER_NAMES, REPEATED, Header, compile_header
from banwatch.filter.needles import Needle, find_needles
from banwatch.model import KINDS, SUCCESS

_REPEATED_TEXT: Final = REPEATED.replace("?P<times>", "?:")


class Branch(NamedTuple):
    """
    A pattern within the fused regex; None for "message repeated", which has to be taken apart.

    `picks` are the groups that hold its tags, and at last program with pid. `plain`: address and login are all it captures,
    and nothing is ignored.
    """

    pattern: Pattern | None
    picks: tuple[int, ...]
    plain: bool
    kind: str
    number: int
    hint: bool


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """
    A header with what can follow it.

    Args:
        prefix: between head and message; None if there is nothing.
        repeated: the same, of a line which stands for several.
        fused: prefix and patterns in one, if that is possible.
        whole: all patterns in one for the message alone, if only that is possible. Else some pattern has to be searched for.
        branches: by the number of the last group that one of these matched.
    """

    header: Header
    prefix: re.Pattern[str] | None
    repeated: re.Pattern[str] | None
    fused: re.Pattern[str] | None
    whole: re.Pattern[str] | None
    branches: Mapping[int, Branch]


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """
    A compiled filter; it holds no state but the pauses of regexes, so that any number of scanners may use it.

    `engines` tells of each regex, by its place in the configuration, which engine takes it and why.
    """

    name: str
    forms: tuple[Form, ...]
    patterns: tuple[Pattern, ...]
    ignore: tuple[Any, ...]
    formats: DateFormats
    needles: tuple[Needle, ...]
    engines: Mapping[str, Chosen]
    records: Records | None = None

    @property
    def blown(self) -> int:
        """How many lines spent the budget of a regex, and were no match for it."""
        return sum(chosen.regex.blown for chosen in self.engines.values() if chosen.engine == "bounded")

    @property
    def rules(self) -> tuple[Pattern | Entry, ...]:
        """Everything that gives a Match, regexes first."""
        return (*self.patterns, *(self.records.entries if self.records is not None else ()))


def compile_filter(spec: FilterSpec, proven: bool = False) -> Filter:
    """
    Args:
        proven: its regexes are known to be linear in `re`, as are those of all filters that are shipped.
    Raises:
        ConfigError: regexes, headers or the date are no good; `problems` holds all of them.
    """
    problems: list[Problem] = []

    def report(key: str, error: ValueError, got: str) -> None:
        mark = spec.marks.get(key) or spec.marks.get(key.partition("[")[0]) or Mark(f"filters/{spec.name}.yaml", 0)
        problems.append(Problem(mark.file, mark.line, key, str(error).removeprefix("expected "), got, filter=spec.name))

    formats = KNOWN
    if spec.date is not None:
        try:
            formats = parse_format(spec.date)
        except ValueError as error:
            report("date", error, spec.date)
    program = spec.program
    if program is not None:
        try:
            compile_regex(program)
            if not proven:
                check_linear(program)
        except PatternError as error:
            report("program", error, program)
            program = None
    headers = []
    for number, text in enumerate(spec.header):
        if text == "json":
            continue
        try:
            header = compile_header(text, formats, spec.date is not None, program)
            if text not in HEADER_NAMES and not proven:
                check_linear(header.head.pattern if header.head is not None else "")
                check_linear(header.prefix)
            headers.append(header)
        except PatternError as error:
            report(f"header[{number}]", error, text)
    patterns = []
    for key, kind, hint, texts in _lists(spec):
        if kind not in KINDS and kind != SUCCESS:
            report(key, PatternError(f"one of {', '.join(KINDS)}"), kind)
        for number, text in enumerate(texts):
            try:
                patterns.append(compile_pattern(text, kind, number, hint, proven))
            except PatternError as error:
                report(f"{key}[{number}]", error, text)
    engines = {name_regex(pattern.kind, pattern.index, pattern.hint): pattern.chosen for pattern in patterns}
    ignore = []
    for number, text in enumerate(spec.ignoreregex):
        try:
            regex = compile_regex(expand_tags(text))
            chosen = choose_engine(regex, proven)
            ignore.append(chosen.regex)
            engines[f"ignoreregex[{number}]"] = chosen
        except PatternError as error:
            report(f"ignoreregex[{number}]", error, text)
    records = compile_records(spec, report, proven)
    if patterns and set(spec.header) == {"json"}:
        report("header", PatternError("another one besides, because there are regexes"), "json")
    if problems:
        count = len(problems)
        raise ConfigError(f"filter {spec.name}: {count} problem{'s' if count > 1 else ''}", problems=sorted(problems[:]))
    forms = tuple(_form(header, patterns, bool(ignore)) for header in headers)
    needles = find_needles(headers, patterns) if patterns or records is None else ()
    needles += records.needles if records is not None else ()
    for entry in records.entries if records is not None else ():
        place = name_regex(entry.kind, entry.index, entry.hint)
        engines |= {f"{place}.{path.written}": name_engine(regex) for path, regex in entry.conditions if regex is not None}
    return Filter(spec.name, forms, tuple(patterns), tuple(ignore), formats, needles, engines, records)


def _lists(spec: FilterSpec) -> list[tuple[str, str, bool, tuple[str, ...]]]:
    """Every list of regexes that give a Match, in the order in which they are tried: (key, kind, hint, regexes)."""
    return [
        *((f"failregex.{kind}", kind, False, texts) for kind, texts in spec.failregex.items()),
        *((f"hintregex.{kind}", kind, True, texts) for kind, texts in spec.hintregex.items()),
        ("successregex", SUCCESS, False, spec.successregex),
    ]


def _form(header: Header, patterns: Sequence[Pattern], ignored: bool) -> Form:
    prefix = compile_regex(header.prefix) if header.prefix else None
    repeated = compile_regex(f"(?>{header.program}{REPEATED}{header.rest})") if header.program else None
    if (header.checked is not None and header.program) or not patterns or any(pattern.fused is None for pattern in patterns):
        return Form(header, prefix, repeated, None, None, {})
    # Where something could look back, the message is cut out before it is matched.
    alone = any(pattern.looks_back for pattern in patterns)
    fused = fuse([pattern.fused or "" for pattern in patterns])
    if alone:
        source = fused.source
    else:
        rest = f"(?>{header.rest})(?:{fused.source})" if header.rest else fused.source
        source = f"{header.program}(?:{_REPEATED_TEXT}(?P<again>)|{rest})" if header.program else f"(?:{rest})"
    regex = compile_regex(source)
    group = regex.groupindex
    branches = {group["again"]: Branch(None, (), False, "", 0, False)} if "again" in group else {}
    for name, number in fused.branches.items():
        pattern, marker = patterns[number], group[name]
        picks = (*(group[f"{name}_{tag}"] for tag in pattern.names), group.get("writer", marker))
        plain = pattern.names == COMMON and not ignored
        branches[marker] = Branch(pattern, picks, plain, pattern.kind, pattern.index, pattern.hint)
    if alone:
        return Form(header, prefix, repeated, None, regex, branches)
    return Form(header, prefix, repeated, regex, None, branches)


def name_regex(kind: str, index: int, hint: bool) -> str:
    """Where a regex stands in its filter, as configuration messages name it: "failregex.auth[0]", or "failfields.auth[0]"."""
    form = "fields" if index >= FIELDS else "regex"
    if kind == SUCCESS:
        return f"success{form}[{index % FIELDS}]"
    return f"{'hint' if hint else 'fail'}{form}.{kind}[{index % FIELDS}]"
