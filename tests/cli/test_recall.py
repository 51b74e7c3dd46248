"""cli/recall.py: what `why`, `history`, `export` and `import` print."""

import json

import pytest

AT = 1_780_000_000.0
LINE = {"file": "/var/log/auth.log", "offset": 77, "at": AT, "text": "Failed password for \x1b[2J from 192.0.2.7"}
BAN = {
    "jail": "sshd",
    "by": "ip",
    "who": "192.0.2.7",
    "at": AT,
    "until": AT + 600,
    "left": 590.0,
    "origin": "rule",
    "rule": "ip",
    "why": "3 attempts in 600 s",
    "failures": 3,
    "forced": False,
    "enforced": True,
    "kernel": {"left": 590.0, "dropped": 14},
    "leak": {"failures": 2, "at": 1.0, "reason": "he is connected to port 2222"},
    "lines": [LINE, LINE | {"text": None}],
}
COUNT = {
    "jail": "sshd",
    "rule": "net",
    "by": "net",
    "key": "192.0.2.0/24",
    "attempts": 3,
    "maxretry": 30,
    "findtime": 3600.0,
    "at": [AT],
    "left": 60.0,
    "lines": [],
}
NOTHING = {"who": "192.0.2.7", "verdict": "not banned: nothing has been counted", "bans": [], "spared": [], "counts": []}


def test_why(run, desk):
    """Verdict, ban, kernel, lines, reasons, counts; what a stranger wrote is escaped."""
    desk.answer = NOTHING | {"verdict": "banned in sshd", "bans": [BAN], "spared": ["own address"], "counts": [COUNT]}
    code, out, err = run("why", "192.0.2.7")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "192.0.2.7: banned in sshd",
        "  sshd: 192.0.2.7 since 2026-05-28 20:26:40, until 2026-05-28 20:36:40: rule ip, 3 attempts in 600 s",
        "    in the kernel: 9m50s left, 14 packets dropped",
        "    gets through all the same, 2 failures since then: he is connected to port 2222",
        r"    /var/log/auth.log at 77, 2026-05-28 20:26:40: Failed password for \x1b[2J from 192.0.2.7",
        "    /var/log/auth.log at 77, 2026-05-28 20:26:40: (not there any more)",
        "  never banned: own address",
        "  sshd: 192.0.2.0/24 has 3 of 30 within 1h by rule net, the first for 1m yet",
    ]
    assert desk.asked == [("why", {"who": "192.0.2.7"})]


def test_why_of_others(run, desk):
    """By hand, for ever; in no kernel; nothing known at all is exit code 1; JSON is the answer as it came."""
    by_hand = BAN | {"rule": None, "origin": "manual", "until": None, "why": "by command", "kernel": None, "leak": None}
    desk.answer = NOTHING | {"bans": [by_hand]}
    assert run("why", "192.0.2.7")[1].splitlines()[1:3] == [
        "  sshd: 192.0.2.7 since 2026-05-28 20:26:40, for ever: manual, by command",
        "    not in the kernel",
    ]
    desk.answer = NOTHING
    assert run("why", "192.0.2.7") == (1, "192.0.2.7: not banned: nothing has been counted\n", "")
    assert run("why", "192.0.2.7", "--json") == (1, json.dumps(NOTHING) + "\n", "")


EVENT = {"at": AT, "action": "ban", "why": "3 attempts in 600 s"} | {key: BAN[key] for key in ("jail", "by", "who", "until")}


def test_history(run, desk):
    """A line each; nothing found is exit code 1."""
    desk.answer = [EVENT, EVENT | {"action": "unban", "by": "login", "who": "bob", "why": "expired"}]
    assert run("history", "192.0.2.7", "--since", "2026-05-28 20:00:00") == (
        0,
        "2026-05-28 20:26:40  ban    sshd  192.0.2.7, until 2026-05-28 20:36:40  3 attempts in 600 s\n"
        "2026-05-28 20:26:40  unban  sshd  login:bob  expired\n",
        "",
    )
    assert desk.asked == [("history", {"who": "192.0.2.7", "since": AT - 1600})]
    assert run("history", "--json")[1] == "".join(json.dumps(event) + "\n" for event in desk.answer)
    desk.answer = []
    assert run("history") == (1, "", "")


def test_since_so_long_ago(run, desk, monkeypatch):
    """A duration counts from now; what is neither is a mistake of usage."""
    monkeypatch.setattr("time.time", lambda: AT)
    desk.answer = [EVENT]
    run("history", "--since", "1h")
    assert desk.asked == [("history", {"who": None, "since": AT - 3600})]
    assert run("history", "--since", "yesterday")[0] == 2


def test_export(run, desk):
    """JSON by default; for ipset without logins, which is told."""
    desk.answer = [
        {"jail": "sshd", "by": "ip", "who": "192.0.2.7", "until": None, "enforce": True},
        {"jail": "sshd", "by": "login", "who": "login:bob", "until": None, "enforce": True},
    ]
    assert run("export") == (0, "".join(json.dumps(ban) + "\n" for ban in desk.answer), "")
    code, out, err = run("export", "--ipset")
    assert (code, out.splitlines()[1], err) == (
        0,
        "add banwatch-sshd-4 192.0.2.7 timeout 0",
        "left out, because no set can hold them: 1 logins\n",
    )


@pytest.fixture
def importing(desk, monkeypatch):
    """The daemon has the jail sshd, and takes what it is given."""
    result = {"imported": 1, "over": 0, "known": 2, "spared": ["192.0.2.9 in sshd: own address"]}
    monkeypatch.setattr("banwatch.client.Client.status", lambda self: {"jails": [{"jail": "sshd"}]})
    desk.answer = result
    return desk


def test_import(run, importing, tmp_path):
    """A file of before, mapped; sums of all parts, and who was left out."""
    file = tmp_path / "ipset.rules"
    file.write_text("create old hash:ip\n" + "add old 192.0.2.7\n" * 2500)
    assert run("import", "--map", "old=sshd", str(file)) == (
        0,
        "2 imported, 4 known already, 0 over by now\n",
        "left out: 192.0.2.9 in sshd: own address\n" * 2,
    )
    assert [len(params["bans"]) for _, params in importing.asked] == [2000, 500]
    [(_, params)] = importing.asked[1:]
    assert {key: params["bans"][0][key] for key in ("jail", "who", "until", "why")} == {
        "jail": "sshd",
        "who": "192.0.2.7",
        "until": None,
        "why": "set old",
    }


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("import", "/nonexistent/file"), 2, "/nonexistent/file: No such file or directory"),
        (("import", "--map", "a=web", "/dev/null"), 2, "there is no jail 'web'"),
    ],
)
def test_what_cannot_be_imported(run, importing, words, code, message):
    """Told before anything is asked of the daemon."""
    found, _, err = run(*words)
    assert (found, err.splitlines()[0], importing.asked) == (code, message, [])


def test_nothing_to_import(run, importing, tmp_path):
    """An empty file is nothing found."""
    (tmp_path / "empty").touch()
    assert run("import", str(tmp_path / "empty"))[:2] == (1, "0 imported, 0 known already, 0 over by now\n")
