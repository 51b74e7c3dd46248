"""
What stands before the message in a log line: date, host, program.

A header is taken apart into up to three regexes, tried one behind the other at the beginning of a line:

    head      date and host; for `syslog` it is the same text for all lines of one second, so it is remembered
    program   program, pid, the kernel's uptime; it never gives back what it matched
    rest      what a REGEX header asks for behind <SYSLOG>

"message repeated 3 times: [ … ]", which rsyslog writes for lines that are alike, stands between program and rest.
"""

import re
from dataclasses import dataclass
from typing import Final

from banwatch.filter.dates import SYSLOG, DateFormats
from banwatch.filter.failregex import PatternError, compile_regex
from banwatch.filter.fuse import ease_options
from banwatch.filter.tree import parse, stays_within

HEADER_NAMES: Final = ("syslog", "none", "json")
_HEAD: Final = rf"(?:<[0-9]{{1,3}}>)?(?P<date>{SYSLOG.pattern}) \S++ "
TAG_TEXT: Final = r"[^\s\[\]:]+"
_ANY: Final = rf"(?P<writer>(?P<program>{TAG_TEXT})(?:\[[^\]\s]++\]|)): ?"
# A name that has no bracket and no colon ends in one place only. So this needs no atomic group, which takes twice as long.
_ONE: Final = r"(?P<writer>{}(?:\[[^\]\s]++\]|)): ?+"
_UPTIME: Final = r"(?:\[ *[0-9]+\.[0-9]+\] |)"
REPEATED: Final = r"message repeated (?P<times>[0-9]{1,9}) times: \[ ?"


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """
    One form of header.

    Args:
        head: matched at the beginning of the line; None where the line is all message.
        steady: the head can be told from its text: a line that begins with the text of the last one has the same head.
        program: source of the regex behind the head; empty if there is none.
        rest: source of what comes behind it, if anything.
        checked: the filter's program, where it could not be put into `program`: what the group of that name has to be.
        wanted: source of the program that the lines have to have; None if any will do.
        search: where there is no head, finds the date anywhere in the line.
    """

    head: re.Pattern[str] | None
    steady: bool
    program: str
    rest: str
    checked: re.Pattern[str] | None
    wanted: str | None
    search: re.Pattern[str] | None = None

    @property
    def prefix(self) -> str:
        """Source of all between head and message, as one piece that never gives back what it matched."""
        return f"(?>{self.program}{self.rest})" if self.program or self.rest else ""


def compile_header(text: str, formats: DateFormats, dated: bool, program: str | None) -> Header:
    """
    Args:
        text: `syslog`, `none` or a regex with <DATE> or <SYSLOG>.
        formats: what <DATE> stands for.
        dated: the filter has a `date:` of its own.
        program: the filter's `program:`.
    Raises:
        PatternError: it is none of these.
    """
    if text == "none":
        return Header(None, False, "", "", None, None, re.compile(f"(?P<date>{formats.pattern})") if dated else None)
    if text == "syslog":
        text = "<SYSLOG>"
    text = text.removeprefix("^")
    before, found, after = text.partition("<SYSLOG>")
    if found:
        if before:
            raise PatternError("<SYSLOG> at the beginning")
        after = after.replace("<DATE>", formats.pattern)
        inner = program is not None and is_token(program)
        behind = _ONE.format(ease_options(f"(?:{program})")) if inner else _ANY
        if not inner or re.fullmatch(program or "", "kernel"):
            behind = f"(?>{behind}{_UPTIME})"
        compile_regex(f"{_HEAD}{behind}{after}")
        checked = None if program is None or inner else compile_regex(program)
        return Header(compile_regex(_HEAD), True, behind, f"(?:{after})" if after else "", checked, program)
    if text.count("<DATE>") > 1:
        raise PatternError("<DATE> once")
    head = compile_regex(text.replace("<DATE>", f"(?P<date>{formats.pattern})"))
    checked = compile_regex(program) if program is not None and "program" in head.groupindex else None
    return Header(head, False, "", "", checked, None)


def is_token(program: str) -> bool:
    """Whether `program` can match nothing beyond one program name, so that it may stand in the header's place for it."""
    if program.startswith("(?") and not program.startswith("(?:"):
        return False
    try:
        return stays_within(parse(program, 0), frozenset("[]:"))
    except re.error:
        return False
