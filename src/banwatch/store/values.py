"""What goes into the store and comes out of it: frozen values of plain text and numbers. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from banwatch.model import Ban, Target

Key = tuple[str, Target]
"""What a ban is known by: its jail and its target."""

Record = tuple[Any, ...]
"""What a window holds of a key: plain values; empty when it holds nothing any more."""

Action = Literal["ban", "unban"]


class Line(NamedTuple):
    """A line that counted: where it stood, when it was, and its text (cut to a bound); None when that is not there any more."""

    file: str
    offset: int
    at: float
    text: str | None


class Event(NamedTuple):
    """
    Something that happened to a ban, for the history.

    Args:
        why: the reason of the ban, or of its end.
        evidence: of a ban that a rule decided, the lines that counted.
        clue: by what these are found when the event is written, if they are not there yet; see evidence/clue.py.
    """

    at: float
    action: Action
    ban: Ban
    why: str
    evidence: Sequence[Line] = ()
    clue: Any = None


class Delta(NamedTuple):
    """
    What changed in the window of one rule.

    Args:
        counts: what the rule counts, as text: a window goes on only under a rule that counts the same.
        records: (key, its record now), oldest touch first.
    """

    jail: str
    rule: str
    counts: str
    records: Sequence[tuple[str, Record]]


@dataclass(frozen=True, slots=True)
class Batch:
    """
    What is written in one transaction.

    Args:
        bans: entries of the book as they are now.
        gone: entries that the book has no more.
        events: for the history.
        windows: what changed in them.
        positions: source → text that says how far it has been read; those that changed.
        all_windows: `windows` is all that any window holds; what was written of them before is replaced by it.
        whole: `bans` and `positions` are all there is, and so is `windows`.
        at: when it was taken.
    """

    bans: Sequence[Ban] = ()
    gone: Sequence[Key] = ()
    events: Sequence[Event] = ()
    windows: Sequence[Delta] = ()
    positions: Mapping[str, str] = field(default_factory=dict)
    all_windows: bool = False
    whole: bool = False
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Saved:
    """
    What was written before, as it was then.

    Args:
        windows: by (jail, rule): what the rule counted, and the record of each key, oldest touch first.
        at: when it was written last; None when there was nothing.
    """

    bans: list[Ban] = field(default_factory=list)
    windows: Mapping[tuple[str, str], tuple[str, Mapping[str, Record]]] = field(default_factory=dict)
    positions: Mapping[str, str] = field(default_factory=dict)
    at: float | None = None
