"""cli/order.py: several logs as one, in the order of time."""

import gzip
import time
from math import inf

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from banwatch.cli import order
from banwatch.cli.order import SLACK, arrange, read_in_order, total_size

NOW = 1795168800.0  # 2026-11-20 10:00:00 UTC
DAY = 86400.0


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def write(tmp_path):
    """Files by name, each with its lines or their dates: their paths."""

    def write(**files):
        paths = []
        for name, lines in files.items():
            path = tmp_path / name.replace("_", ".").replace("X", "-")
            text = "".join(line if isinstance(line, str) else f"{iso(line)} mx\n" for line in lines).encode()
            path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
            paths.append(str(path))
        return paths

    return write


def iso(at):
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))


def syslog(at):
    return time.strftime("%b %e %H:%M:%S mx\n", time.gmtime(at))


def names(logs):
    return [[part.path.rpartition("/")[2] for part in parts] for parts in logs]


def test_rotated_files_are_one_log(write):
    """Numbered or dated, packed or not, in whatever order they are named: the oldest first."""
    paths = write(
        auth_log=[NOW],
        auth_log_1=[NOW - DAY],
        auth_log_2_gz=[NOW - 2 * DAY],
        mail_logX20261119=[NOW - 3 * DAY],
        mail_log=[NOW - DAY / 2],
    )
    assert names(arrange(paths, NOW)) == [["mail.log-20261119", "mail.log"], ["auth.log.2.gz", "auth.log.1", "auth.log"]]


def test_dates_decide(write):
    """Whatever the numbers say; where two files begin alike, the higher number is older; an empty one comes last."""
    paths = write(a_1=[NOW - 2 * DAY], a_2=[NOW - DAY], b=[NOW], b_1=[NOW], b_2=[])
    assert names(arrange(paths, NOW)) == [["a.1", "a.2"], ["b.1", "b", "b.2"]]


def test_the_same_file_twice_is_read_once(write):
    """As a glob and a name give it."""
    paths = write(a=[NOW])
    assert names(arrange(paths * 2, NOW)) == [["a"]]


def test_more_than_a_year_without_years(write):
    """A date without a year is of the year that its place among the files gives."""
    files = {f"a_{month:02}": [syslog(NOW - month * 30 * DAY)] for month in range(1, 20)}
    logs = arrange(write(a=[syslog(NOW)], **files), NOW)
    assert [part.begins for part in logs[0]] == [NOW - month * 30 * DAY for month in range(19, -1, -1)]


def test_a_pipe_is_not_looked_into(tmp_path):
    """What can be read once only is left for later; it comes last."""
    (part,) = arrange(["-"], NOW)[0]
    assert part == ("-", NOW, inf, 0)


def test_size(write):
    """All bytes of all files."""
    assert total_size(arrange(write(a=[NOW], b=[NOW], b_1=[NOW]), NOW)) == 3 * len(f"{iso(NOW)} mx\n")


def test_one_log_is_taken_as_it_is(write):
    """Without a look at its dates."""
    (piece,) = read_in_order(arrange(write(a=[NOW, NOW - 5, NOW + 5]), NOW))
    assert (piece.since, piece.chunk.data.count(b"\n")) == (inf, 3)


def test_what_was_read_is_told(write):
    """For a progress bar."""
    notes = []
    logs = arrange(write(a=[NOW], b=[NOW]), NOW)
    list(read_in_order(logs, notes.append))
    assert sum(notes) == total_size(logs)


@given(
    logs=st.lists(st.lists(st.integers(0, 5000) | st.just(None), max_size=60).map(tuple), min_size=2, max_size=4),
    searched=st.sampled_from([16, 4096]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_different_logs_side_by_side(write, monkeypatch, logs, searched):
    """Every line comes once, each log's in its order, and none more than SLACK too late; undated lines stay with their log."""
    monkeypatch.setattr(order, "_SEARCHED", searched)
    ordered = []
    for log in logs:
        ats = iter(sorted(at for at in log if at is not None))
        ordered.append([None if at is None else NOW + next(ats) for at in log])
    texts = {f"log{n}": ["undated\n" if at is None else f"{iso(at)} {n}\n" for at in log] for n, log in enumerate(ordered)}
    pieces = list(read_in_order(arrange(write(**texts), NOW)))
    got = {}
    for piece in pieces:
        got.setdefault(piece.chunk.source.rpartition("/")[2], []).append(piece.chunk.data.decode())
    assert {name: "".join(data) for name, data in got.items()} == {n: "".join(t) for n, t in texts.items() if t}
    newest = 0.0
    for piece in pieces:
        for line in piece.chunk.data.decode().splitlines():
            if line != "undated":
                at = time.mktime(time.strptime(line[:19], "%Y-%m-%dT%H:%M:%S"))
                assert at >= piece.since
                assert at >= newest - SLACK
                newest = max(newest, at)
    assert [p.chunk.start for p in pieces if p.chunk.source.endswith("log0")][:1] in ([], [0])
