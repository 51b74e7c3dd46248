"""evidence/readback.py: lines as they stand in the log."""

import gzip
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.evidence.conftest import SSHD, START, Log
from tests.journals import SSHD as BY_SSHD

from banwatch.evidence import readback
from banwatch.evidence.clue import Where
from banwatch.evidence.readback import read_back
from banwatch.filter.match import compile_filter
from banwatch.filter.scan import Lens
from banwatch.store.values import Line

FAIL = "Failed for root from 192.0.2.7"
NOISE = "Nothing of interest, of whoever it may be"


def at(found):
    return [line.at - START for line in found]


def test_file_offset_time_and_text(log):
    """All that somebody needs to find them himself."""
    log.write((0, NOISE), (1, FAIL), (2, NOISE), (3, FAIL), (4, FAIL))
    [lines] = read_back([log.clue(until=4)])
    content = log.path.read_bytes()
    assert lines == tuple(
        Line(str(log.path), content.index(b"%.1f" % (START + after)), START + after, f"{START + after:.1f} sshd[1]: {FAIL}")
        for after in (1, 3, 4)
    )


def test_many_at_once(log):
    """Each gets its own, from one way through the log."""
    log.write(*((number, f"Failed for root from 10.0.0.{number % 50}") for number in range(150)))
    found = read_back([log.clue(f"10.0.0.{host}", until=host + 100.0) for host in range(50)])
    assert [at(lines) for lines in found] == [[host, host + 50, host + 100] for host in range(50)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.sampled_from([FAIL, NOISE, "Failed for root from 192.0.2.70", "x" * 90]), max_size=40), st.integers(1, 200))
def test_stretches_are_invisible(log, monkeypatch, texts, first):
    """However far is read at once, the lines are the same."""
    monkeypatch.setattr(readback, "FIRST", first)
    log.path.write_bytes(b"")
    log.write(*enumerate(texts))
    wanted = [number for number, text in enumerate(texts) if text == FAIL]
    [lines] = read_back([log.clue(attempts=max(1, len(wanted)))])
    assert at(lines) == wanted[-20:]


def test_what_was_rotated_meanwhile(log):
    """The file is known by its inode, and the one before it is looked into as well; what is packed is not."""
    log.write((1, FAIL))
    log.rotate("auth.log.2")
    log.path.with_name("auth.log.3.gz").write_bytes(gzip.compress(b"x"))
    log.write((2, FAIL), (3, FAIL))
    clue = log.clue(until=3)
    log.rotate("auth.log.1")
    log.write((4, FAIL))
    [lines] = read_back([clue])
    assert [(line.file.rpartition("/")[2], line.at - START) for line in lines] == [
        ("auth.log.2", 1),
        ("auth.log.1", 2),
        ("auth.log.1", 3),
    ]


def test_several_logs(log, tmp_path):
    """A jail that watches more than one: in the order of time."""
    other = Log(tmp_path / "mail.log")
    log.write((1, FAIL), (3, FAIL))
    other.write((2, FAIL))
    [lines] = read_back([log.clue(until=3, logs=(log.where(), other.where()))])
    assert at(lines) == [1, 2, 3]


@pytest.mark.parametrize("loss", ["gone", "another", "emptied", "directory"])
def test_what_is_not_there_any_more(log, loss):
    """No lines, and no error."""
    log.write(*[(1, FAIL)] * 3)
    clue = log.clue(until=1)
    if loss == "emptied":
        log.path.write_bytes(b"")
    else:
        log.path.unlink()
    if loss == "another":
        log.path.with_name("x").touch()
        log.write(*[(1, FAIL)] * 3)
        clue = clue._replace(logs=(Where(str(log.path), log.lens, (0, 0, 999)),))
    if loss == "directory":
        log.path.mkdir()
    assert read_back([clue]) == [()]


def test_the_journal(log, journal):
    """Entries of the time in question, in its order; those of others are not looked at, and its time is where they stand."""
    lens = Lens(compile_filter(replace(SSHD, header=("syslog",))))
    where = Where("journal:SYSLOG_IDENTIFIER=sshd+_UID=0", lens, (0, 0, 0))
    for after, text in ((-700, FAIL), (1, FAIL), (2, NOISE), (3, FAIL), (4, FAIL), (400, FAIL)):
        journal.write(text, at=START + after, **BY_SSHD)
    journal.write(FAIL, at=START + 500, **BY_SSHD | {"_UID": "7"})
    [lines] = read_back([log.clue(until=4, logs=(where,))], journal=journal.path.parent)
    assert at(lines) == pytest.approx([1, 3, 4])
    assert [(line.file, line.offset) for line in lines] == [(where.source, round(line.at * 1e6)) for line in lines]
    assert lines[0].text.endswith(f" - sshd[812]: {FAIL}")
    assert read_back([log.clue(until=4, logs=(where,))], journal=journal.path.parent / "none") == [()]


def test_how_far_it_goes(log):
    """A log without end is not read without end; overlong lines are no matter."""
    log.write((1, FAIL), *[(2, NOISE)] * 100, (3, FAIL))
    with log.path.open("ab") as file:
        file.write(b"x" * 200_000 + b"\n")
    log.write((4, FAIL))
    assert at(read_back([log.clue(until=4)], furthest=203_000)[0]) == [3, 4]
    assert at(read_back([log.clue(until=4)])[0]) == [1, 3, 4]


def test_patience(log):
    """What is not found in a while is left; the first stretch is always looked at."""
    log.write((1, FAIL), *[(2, NOISE)] * 3000, (3, FAIL))
    ticks = iter(range(1000))
    assert at(read_back([log.clue(until=3)], patience=1.5, clock=lambda: float(next(ticks)))[0]) == [3]
    assert at(read_back([log.clue(until=3)], patience=100.0, clock=lambda: 0.0)[0]) == [1, 3]


def test_nothing():
    """Nobody asks."""
    assert read_back([]) == []
