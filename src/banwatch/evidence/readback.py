"""
Reads lines back from where they stand: blocking, for a thread. Logs are read from their end backwards, in stretches that grow,
the journal from the ban backwards.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from banwatch.errors import SourceError
from banwatch.evidence.clue import Clue, Found, Sieve, Where
from banwatch.filter.scan import Lens, Scanner
from banwatch.model import JOURNAL
from banwatch.sources.cut import LONGEST
from banwatch.sources.journal_entry import read_entry
from banwatch.sources.journal_library import Handle, Library
from banwatch.sources.journal_line import LineMaker
from banwatch.sources.journal_match import Matches
from banwatch.store.values import Line

FIRST = 1 << 16
"""Bytes of a log that are looked at first; each further stretch is twice as long."""

FURTHEST = 1 << 24
"""Bytes of a log that are looked at, at most; what stands before is not found any more."""

ENTRIES = 20_000
"""Entries of the journal that are looked at, at most."""

LATE = 10.0
"""Seconds that an entry may have taken to its place in the journal."""

PATIENCE = 0.3
"""Seconds of the processor that are spent on it. To look into a line for 16 texts takes a microsecond, to match it five."""

NEEDLES = 16
"""More texts than this are not looked for in each line before it is looked at."""

_PLAIN = re.compile(r"[A-Za-z0-9._@+-]+")
_PACKED = (".gz", ".xz", ".bz2", ".zst")


def read_back(
    clues: Sequence[Clue],
    furthest: int = FURTHEST,
    journal: Path | None = None,
    patience: float = PATIENCE,
    clock: Callable[[], float] = time.thread_time,
) -> list[tuple[Line, ...]]:
    """
    The lines of each of `clues`, as far as they are still there.

    Args:
        journal: where journal files are; None is this host's journal.
        patience: seconds, by `clock`, after which nothing further is looked at.
    """
    begun = clock()
    sieve, needles = Sieve(clues), _needles(clues)
    now = max((clue.until for clue in clues), default=0.0)
    logs: dict[tuple[str, Lens], Where] = {}
    for clue in clues:
        for where in clue.logs:
            known = logs.get((where.source, where.lens))
            if known is None or where.end[2] > known.end[2]:
                logs[where.source, where.lens] = where
    for where in logs.values():
        with suppress(OSError, SourceError):  # what cannot be read is as good as gone
            if where.source.startswith(f"{JOURNAL}:"):
                since = min(clue.since for clue in clues) - 1.0
                with Handle(Library(), journal, LONGEST) as handle:
                    _read_journal(handle, where, sieve, needles, since, now, lambda: clock() > begun + patience)
            else:
                _read_log(where, sieve, needles, now, furthest, lambda: clock() > begun + patience)
        sieve.turn_back()
    return sieve.lines()


def _read_log(where: Where, sieve: Sieve, needles: Sequence[bytes], now: float, furthest: int, tired: Callable[[], bool]) -> None:
    scanner = Scanner([where.lens])
    left = furthest
    for path, size in _files(where):
        if left <= 0:
            break
        with path.open("rb") as file:
            end, length, lowest = size, FIRST, max(0, size - left)
            while end > lowest and not sieve.satisfied and not tired():
                begin = max(lowest, end - length)
                start, data = _whole_lines(file.fileno(), begin, end)
                for offset, line in _lines(data, start):
                    if needles and not any(needle in line for needle in needles):
                        continue
                    text = line[:LONGEST].decode(where.lens.encoding, "backslashreplace")
                    if (match := scanner.match_line(0, text, now)) is not None:
                        sieve.add(Found(match, str(path), offset))
                sieve.turn_back()
                if not data and begin == lowest:
                    break
                end, length = start, length * 2  # where no line starts, the next stretch is longer, not earlier
        left -= size


def _read_journal(
    handle: Handle, where: Where, sieve: Sieve, needles: Sequence[bytes], since: float, now: float, tired: Callable[[], bool]
) -> None:
    scanner, lines, matches = Scanner([where.lens]), LineMaker(), Matches([where.source])
    handle.match([where.source])
    handle.seek_time(round((now + LATE) * 1e6))
    found: list[Found] = []
    for _ in range(ENTRIES):
        if not handle.previous() or handle.time() < since * 1e6 or tired():
            break
        with suppress(OSError):  # a damaged entry
            entry = read_entry(handle, matches, lines)
            if entry is None or (needles and not any(needle in entry.line for needle in needles)):
                continue
            text = entry.line.decode(where.lens.encoding, "backslashreplace").removesuffix("\n")
            if (match := scanner.match_line(0, text, now)) is not None:
                found.append(Found(match, where.source, entry.time))
    for one in reversed(found):
        sieve.add(one)


def _needles(clues: Sequence[Clue]) -> tuple[bytes, ...]:
    """What any line in question has in it; empty where that is not known, or is too much to look for."""
    # A login may stand there in other letters, an IPv6 address in other digits, and of a network only some addresses.
    plain = {clue.target.who for clue in clues if clue.target.realm == "net" and not {":", "/"} & set(clue.target.who)}
    if len(plain) < len({clue.target.who for clue in clues}) or len(plain) > NEEDLES or not all(map(_PLAIN.fullmatch, plain)):
        return ()
    return tuple(who.encode() for who in plain)


def _lines(data: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    for line in data.split(b"\n"):
        yield start, line
        start += len(line) + 1


def _files(where: Where) -> Iterator[tuple[Path, int]]:
    """The file that was read last, up to where, and the one that was rotated before it."""
    path = Path(where.source)
    siblings = [path, *_rotated(path)]
    device, inode, offset = where.end
    for number, sibling in enumerate(siblings):
        try:
            status = sibling.stat()
        except OSError:
            continue
        if (status.st_dev, status.st_ino) == (device, inode):
            yield sibling, min(offset, status.st_size)
            for older in siblings[number + 1 :][:1]:
                with suppress(OSError):
                    yield older, older.stat().st_size
            return


def _rotated(path: Path) -> list[Path]:
    """As logrotate names them, without what is packed: the newest first."""
    with suppress(OSError), os.scandir(path.parent) as entries:
        named = [entry for entry in entries if entry.name.startswith((f"{path.name}.", f"{path.name}-"))]
        plain = [entry for entry in named if not entry.name.endswith(_PACKED) and entry.is_file(follow_symlinks=False)]
        return [Path(entry.path) for entry in sorted(plain, key=lambda entry: entry.stat().st_mtime, reverse=True)]
    return []


def _whole_lines(descriptor: int, begin: int, end: int) -> tuple[int, bytes]:
    """The lines that start within [begin, end), and where the first of them does; none if there is no start within."""
    data = os.pread(descriptor, end - begin + 1, max(0, begin - 1))
    if begin == 0:
        return 0, data[: end - begin]
    first = data.find(b"\n") + 1
    data = data[: end - begin + 1]
    if not first or first > len(data):
        return end, b""
    return begin - 1 + first, data[first:]
