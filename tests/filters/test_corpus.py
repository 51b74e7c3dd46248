"""Real logs with what must count, where a directory of them lies beside the repository."""

from collections import Counter

import pytest

from banwatch.filter import Once

STRANGER = "198.51.100.99"
"""Stands in names and texts of those logs; never made a connection."""


def test_a_log_gives_what_its_expectations_say(shipped, corpus_log, expected):
    """Every sure line is found with address, login and count; success is success; nothing else is found, and nobody else."""
    found = shipped(corpus_log.parent.name).scan(corpus_log.read_bytes())
    wanted = expected(corpus_log)
    for number, entry in wanted.items():
        match = found.get(number)
        if entry["tier"] == "must":
            assert match is not None, entry
            assert (match.kind, match.ip, match.attempts) == (entry["kind"], entry["ip"], entry.get("count", 1)), entry
            assert match.login == entry["login"] or entry["login"] is None, entry
            assert match.at is not None, entry
        elif match is not None:
            assert match.ip == entry["ip"], entry
            assert match.kind != "success", entry
    assert set(found) <= set(wanted)
    assert STRANGER not in {match.ip for match in found.values()}


def test_carriage_returns_change_nothing(shipped, corpus_log):
    """A log that came by way of another system, with CRLF at the end of its lines, gives the same."""
    data = corpus_log.read_bytes()
    one = shipped(corpus_log.parent.name)
    plain, carried = one.scan(data), one.scan(data.replace(b"\n", b"\r\n"))
    assert {n: (m.kind, m.ip, m.login, m.attempts) for n, m in plain.items()} == {
        n: (m.kind, m.ip, m.login, m.attempts) for n, m in carried.items()
    }


def test_an_attempt_counts_once(shipped, corpus_log, expected):
    """However many lines tell of them, each client session counts as many attempts as it made."""
    if corpus_log.stem.startswith("made"):
        pytest.skip("lines picked one by one do not tell of whole sessions")
    if corpus_log.match("vsftpd/pam-auth.log"):
        pytest.skip("tells again of attempts in vsftpd.log: see test_vsftpd.py")
    wanted = expected(corpus_log)
    attempts, counted = Counter(), Counter()
    for entry in wanted.values():
        attempts[entry["step"]] += entry.get("count", 1) * (entry["tier"] == "must" and entry["kind"] == "auth")
    once = Once()
    for number, match in shipped(corpus_log.parent.name).scan(corpus_log.read_bytes()).items():
        admitted = once.admit(match)
        if admitted is not None and match.kind == "auth":
            counted[wanted[number]["step"]] += admitted.attempts
    assert +counted == +attempts
