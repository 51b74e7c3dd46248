"""cli/compare.py: what another configuration would have changed."""

import time

import pytest

from banwatch.cli.compare import compare, describe_difference, render_comparison, render_difference, summarize_differences
from banwatch.model import Ban, Target


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def firsts(**ats):
    return {
        ("sshd", Target("net", who)): Ban("sshd", Target("net", who), "ip", at, at + 60.0, why="3 attempts in 600 s")
        for who, at in ats.items()
    }


FOUND = compare(firsts(same=5.0, gone=4.0, earlier=100.0, later=3.0), firsts(same=5.0, new=1.0, earlier=10.0, later=65.0))


def test_differences():
    """In the order of time, that of the earlier ban where there are two."""
    assert [(each.what, each.ban.target.who, each.at) for each in FOUND] == [
        ("new", "new", 1.0), ("later", "later", 3.0), ("gone", "gone", 4.0), ("earlier", "earlier", 10.0),
    ]  # fmt: skip


def test_objects():
    """Both instants, null where there is no ban."""
    assert [describe_difference(each) for each in FOUND[:2]] == [
        {"at": 1.0, "jail": "sshd", "change": "new", "by": "ip", "who": "new", "before": None, "after": 1.0},
        {"at": 3.0, "jail": "sshd", "change": "later", "by": "ip", "who": "later", "before": 3.0, "after": 65.0},
    ]


def test_lines():
    """Why somebody is banned, or by how much later."""
    assert [render_difference(each) for each in FOUND[:2]] == [
        "1970-01-01 00:00:01 [sshd] new: new: 3 attempts in 600 s",
        "1970-01-01 00:00:03 [sshd] later: later: by 1m2s",
    ]


def test_table():
    """Both sides, jails that one of them lacks too, then the sums."""
    side = {
        "lines": 9,
        "failures": 8,
        "bans": 3,
        "jails": {"sshd": {"bans": 3, "keys": 2}},
        "time_to_ban": {"p50": 90.4, "p90": None},
        "collateral": [{}],
    }
    other = {**side, "jails": {}, "collateral": []}
    summary = summarize_differences(FOUND, side, other)
    assert list(render_comparison(summary, ("/etc/banwatch", "new"))) == [
        "",
        "                                  /etc/banwatch    new",
        "bans                                          3      3",
        "failures                                      8      8",
        "[sshd] bans                                   3      0",
        "[sshd] keys                                   2      0",
        "first failure to ban: p50                 1m30s  1m30s",
        "first failure to ban: p90                     -      -",
        "banned keys with a success later              1      0",
        "",
        "9 lines; under new: 1 gone, 1 new, 1 earlier, 1 later",
    ]
    assert (summary["before"], summary["after"]) == (side, other)
