"""
The frozen values that travel from room to room.

    sources ─Chunk→ filter ─Match→ jail ─Ban→ book ─Ban, Unban→ firewall, control, metrics

Instants are UTC seconds since the epoch, durations are seconds, addresses are canonical text (see address.py).
Match, Target and Ban are tuples because an attack makes one for every line; the others are dataclasses.
"""

import json
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

JOURNAL = "journal"
"""The source of chunks from the systemd journal. Its patterns begin with this and a colon, those of files with a slash."""


class Position(NamedTuple):
    """
    Where the next unread byte of a source is: all that has to be remembered to go on from there in another life.

    The file is (device, inode), but only if its content says so too: it may have been emptied or deleted since, and a
    copy or a packed one is the same log in another inode. Texts of no file's content: fingerprints only.

    Args:
        offset: after the last whole line that was handed over; in a packed file, of what it holds.
        head: fingerprint of the first bytes, as many as sources/prints.py says for this offset; empty: not known.
        tail: the same of the last bytes before `offset`.
        at: when it was read.
        cursor: in the journal, which is no file: the last entry that was handed over; `at` is its time, the numbers are 0.
        older: files, or contents of one, that came before and may have, or get, lines that were not read yet.
    """

    device: int
    inode: int
    offset: int
    head: str = ""
    tail: str = ""
    at: float = 0.0
    cursor: str = ""
    older: "tuple[Position, ...]" = ()

    def render(self) -> str:
        """As one line of text, for a row of a store."""
        return json.dumps(self, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> "Position":
        """
        What render() made into text.

        Raises:
            ValueError: it is nothing of the kind.
        """
        try:
            *fields, older = json.loads(text)
            position = cls(*fields)._replace(older=tuple(cls(*each[:-1]) for each in older))
        except TypeError as error:
            raise ValueError(f"no position: {text!r}") from error
        if len(fields) != len(cls._fields) - 1 or not all(_is_place(each) for each in (position, *position.older)):
            raise ValueError(f"no position: {text!r}")
        return position


def _is_place(position: Position) -> bool:
    numbers, texts = (position.device, position.inode, position.offset), (position.head, position.tail, position.cursor)
    return (
        all(isinstance(one, int) for one in numbers)
        and all(isinstance(one, str) for one in texts)
        and isinstance(position.at, int | float)
        and position.offset >= 0
    )


@dataclass(frozen=True, slots=True)
class Chunk:
    """
    Whole lines of one source, in one piece, each with its line end.

    `source` and `position` together say: all of this source up to here has been handed over, nothing after it. Whoever
    remembers the position of the last chunk of each source, in one transaction with what became of the lines, and gives
    these to Tail(resume=...) in another life, gets each line once.

    Args:
        source: the path as configured or found by a glob.
        data: the lines; a line that was longer than the bound ends early (see sources/cut.py). Empty when only the
            position is news: a file has a new name, or what it has was read under another.
        start: offset of data[0] in its file.
        position: after the last line; takes the place of all that was remembered for `source` before.
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


class Alarm(NamedTuple):
    """An account that looks compromised: `login` got in from all these networks within a short time."""

    jail: str
    login: str
    networks: tuple[str, ...]
    at: float
    why: str


def is_enforced(ban: Ban) -> bool:
    """Whether the kernel has to hold `ban`: not one that is only recorded, nor one on a login."""
    return ban.enforce and ban.target.realm == "net"


@dataclass(frozen=True, slots=True)
class Unban:
    """The end of `ban`; `why` is "expired", "by command", "taken out by hand" and the like."""

    ban: Ban
    at: float
    why: str
