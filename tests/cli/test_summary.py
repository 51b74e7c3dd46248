"""cli/summary.py: the end of a replay."""

import time

import pytest

from banwatch.cli.summary import render_at, render_summary, render_table

HARM = {
    "jail": "sshd", "by": "ip", "who": "192.0.2.7", "at": 10.0, "until": 70.0, "success": 20.0, "login": "a\nb", "during": True,
}  # fmt: skip
SUMMARY = {
    "lines": 1000,
    "failures": 1,
    "bans": 12,
    "unbans": 2,
    "jails": {
        "sshd": {"bans": 12, "keys": 9, "failures": 1, "time_to_ban": {"p50": 59.6, "p90": 3600.0}},
        "mail": {"bans": 0, "keys": 0, "failures": 0, "time_to_ban": {"p50": None, "p90": None}},
    },
    "addresses": [{"ip": "192.0.2.7", "failures": 7}],
    "logins": [{"login": "\x1b[2J", "failures": 7}],
    "time_to_ban": {"p50": 59.6, "p90": 3600.0},
    "collateral": [HARM],
}


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_all_there_is():
    """Jails, the busiest addresses and logins, who would have been locked out, and last the sums; a stranger's text is quoted."""
    assert list(render_summary(SUMMARY)) == [
        "",
        "jail  bans  keys  failures  first failure to ban: p50  p90",
        "sshd    12     9         1                         1m   1h",
        "mail     0     0         0                          -    -",
        "",
        "most failures from  failures",
        "192.0.2.7                  7",
        "",
        "most failures for  failures",
        "'\\x1b[2J'                 7",
        "",
        "1 banned key had a success later, 1 of them during the ban:",
        "  [sshd] 192.0.2.7, banned 1970-01-01 00:00:10: success as 'a\\nb' 1970-01-01 00:00:20, during the ban",
        "",
        "1000 lines, 1 failure, 12 bans",
    ]


def test_much_collateral():
    """Ten are shown, the others counted."""
    harms = [HARM, {**HARM, "by": "login", "who": "x y", "login": None, "during": False}] * 6
    lines = list(render_summary({**SUMMARY, "jails": {}, "addresses": [], "logins": [], "collateral": harms}))
    assert lines[1] == "12 banned keys had a success later, 6 of them during the ban:"
    assert lines[3] == "  [sshd] 'x y', banned 1970-01-01 00:00:10: success 1970-01-01 00:00:20, after it"
    assert lines[12:14] == ["  and 2 more, which --json --summary tells", ""]


def test_nothing():
    """A quiet log is one line."""
    empty = {**SUMMARY, "jails": {}, "addresses": [], "logins": [], "collateral": [], "bans": 0, "failures": 0, "lines": 1}
    assert list(render_summary(empty)) == ["", "1 line, 0 failures, 0 bans"]


def test_table():
    """Words to the left, numbers to the right."""
    assert list(render_table(("a", "b"), [("long", "1"), ("x", "200")])) == ["a       b", "long    1", "x     200"]


def test_time():
    """Seconds are not rounded up to a time that is not there yet."""
    assert render_at(9.99) == "1970-01-01 00:00:09"
