"""
The frozen values that travel from room to room.

    sources ─Chunk→ filter ─Match→ jail ─Ban→ book ─Ban, Unban→ firewall, control, metrics

Instants are UTC seconds since the epoch, durations are seconds, addresses are canonical text (see address.py).
Match, Target and Ban are tuples because an attack makes one for every line; the others are dataclasses.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

By = Literal["ip", "net", "login"]
Realm = Literal["net", "login"]
Origin = Literal["rule", "manual", "adopted", "list", "imported"]

KINDS = ("auth", "rcpt", "loiter", "protocol", "scan", "connect", "spam")
SUCCESS = "success"

ALLOW = "allow"
"""The reserved jail name under which allowed addresses are kept: their set stands before every jail's."""


class Position(NamedTuple):
    """Where the next unread byte of a file is: `offset` bytes into the file that is (device, inode)."""

    device: int
    inode: int
    offset: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """
    Whole lines of one source, in one piece, each with its line end.

    Args:
        source: the path as configured or found by a glob.
        data: the lines; a line that was longer than the bound ends early (see sources/cut.py).
        start: offset of data[0] in its file.
        position: after the last line; what has to be remembered to go on from there.
        live: False for lines that stood there before the daemon looked first.
        read_at: when the bytes were read.
        patterns: the configured paths and globs that lead to the source: whom the lines are for. None: for everybody (replay).
    """

    source: str
    data: bytes
    start: int
    position: Position
    live: bool
    read_at: float
    patterns: frozenset[str] | None = None

    def pieces(self, size: int) -> "Iterator[Chunk]":
        """The same lines in chunks of about `size` bytes. What has to be remembered to go on holds for all of them together."""
        data, start = self.data, 0
        while len(data) - start > size:
            end = data.find(b"\n", start + size - 1) + 1 or len(data)
            yield replace(self, data=data[start:end], start=self.start + start)
            start = end
        if start < len(data):
            yield replace(self, data=data[start:], start=self.start + start) if start else self


class Match(NamedTuple):
    """
    One line that some failregex or successregex matched.

    `lens` is the index of the (filter, zone, encoding) among those of the scanner that made it. `kind` is one of KINDS or
    SUCCESS. `at` is the line's own time, None when it carries none. `ip` is canonical; `login` is as printed in the line.
    `attempts` is how many the line stands for. `regex` counts from 0 within its kind. A `hint` tells of an attempt
    that another line of the same `session` may tell as well. `line` is the whole line as text without its end; `start`
    its offset in the chunk.
    """

    lens: int
    filter: str
    kind: str
    at: float | None
    ip: str | None
    login: str | None
    attempts: int
    regex: int
    hint: bool
    session: str | None
    line: str
    start: int
    tags: Mapping[str, str]


class Target(NamedTuple):
    """What a ban is on: an address or network in canonical text, which the kernel enforces, or a login."""

    realm: Realm
    who: str

    def __str__(self) -> str:
        return f"login:{self.who}" if self.realm == "login" else self.who


class Ban(NamedTuple):
    """
    A decision to keep somebody out.

    Args:
        by: what was counted; for a ban by hand `net` if it is wider than the unit an attacker is counted by.
        until: None is for ever.
        rule: the name of the rule in its jail; None when no rule decided.
        failures: attempts within findtime at the moment of the decision; 0 when nothing was counted.
        enforce: False when it is only recorded: a jail with `enforce: false`, or an end that is already past.
        why: "3 attempts in 600 s"; goes to the log and to `status` unchanged.
        read_at: when the line that decided was read; for the latency histogram.
        forced: by somebody who knew that the target is ignored, or very wide.
    """

    jail: str
    target: Target
    by: By
    at: float
    until: float | None
    rule: str | None = None
    origin: Origin = "rule"
    failures: int = 0
    enforce: bool = True
    why: str = ""
    read_at: float | None = None
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Unban:
    """The end of `ban`; `why` is "expired", "by command", "taken out by hand" and the like."""

    ban: Ban
    at: float
    why: str
