"""The commands of `banwatch-client`: what goes over the wire, what is printed, exit codes."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from banwatch.config.model import Problem
from banwatch.errors import BanwatchError, ControlError, FirewallError

Run = Callable[..., tuple[int, str, str]]

UNTIL = 1795255200.0
BAN: dict[str, Any] = {
    "jail": "manual",
    "by": "ip",
    "who": "192.0.2.7",
    "at": UNTIL - 3600,
    "until": UNTIL,
    "left": 3599.9,
    "origin": "manual",
    "rule": None,
    "enforced": True,
    "dropped": 0,
}
SSHD: dict[str, Any] = {
    "jail": "sshd",
    "currently_failed": 1,
    "total_failed": 22,
    "file_list": ["/var/log/auth.log"],
    "currently_banned": 1,
    "total_banned": 2,
    "banned": ["192.0.2.100"],
    "state": "on",
    "enforce": True,
    "problems": [],
}


def test_the_jails(run: Run, desk: Any) -> None:
    """The tree without JAIL."""
    desk.answer = {"jails": [SSHD, SSHD | {"jail": "manual"}], "state": "ok", "problems": []}
    assert run("status") == (0, "Status\n|- Number of jail:\t2\n`- Jail list:\tmanual, sshd\n", "")
    assert desk.asked == [("status", {})]


def test_one_jail(run: Run, desk: Any) -> None:
    """The tree with JAIL; what is not well goes to standard error."""
    desk.answer = {"jails": [SSHD], "state": "degraded", "problems": ["jail exim4 is left out"]}
    assert run("status", "sshd") == (
        0,
        "Status for the jail: sshd\n"
        "|- Filter\n"
        "|  |- Currently failed:\t1\n"
        "|  |- Total failed:\t22\n"
        "|  `- File list:\t/var/log/auth.log\n"
        "`- Actions\n"
        "   |- Currently banned:\t1\n"
        "   |- Total banned:\t2\n"
        "   `- Banned IP list:\t192.0.2.100\n",
        "degraded: jail exim4 is left out\n",
    )
    assert desk.asked == [("status", {"jail": "sshd"})]


def test_status_as_json_is_an_object_for_each_jail(run: Run, desk: Any) -> None:
    """As the daemon sent it."""
    desk.answer = {"jails": [SSHD, SSHD | {"jail": "manual"}], "state": "ok", "problems": []}
    code, out, err = run("status", "--json")
    assert (code, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == [SSHD, SSHD | {"jail": "manual"}]


def test_what_is_wrong_with_the_daemon_is_no_line_among_the_jails(run: Run, desk: Any) -> None:
    """With --json it goes to standard error, in the form of errors, and the exit code stays 0."""
    desk.answer = {"jails": [SSHD], "state": "degraded", "problems": ["jail exim4 is left out"]}
    code, out, err = run("status", "--json")
    assert (code, json.loads(out)) == (0, SSHD)
    assert json.loads(err) == {"error": "jail exim4 is left out", "code": 0, "hint": ""}


@pytest.mark.parametrize(
    ("words", "params"),
    [
        (("192.0.2.7",), {"jail": None, "who": ["192.0.2.7"], "force": False}),
        (("sshd", "192.0.2.7", "login:bob"), {"jail": "sshd", "who": ["192.0.2.7", "login:bob"], "force": False}),
        (("--for", "1h30m", "192.0.2.7"), {"jail": None, "who": ["192.0.2.7"], "force": False, "for": 5400.0}),
        (("192.0.2.7", "--for", "forever", "--force"), {"jail": None, "who": ["192.0.2.7"], "force": True, "for": None}),
        (("sshd", "-"), {"jail": "sshd", "who": ["192.0.2.8", "192.0.2.9"], "force": False}),
    ],
)
def test_ban_says_who_where_and_how_long(run: Run, desk: Any, words: tuple[str, ...], params: dict[str, object]) -> None:
    """A missing --for leaves the time to the jail; null is for ever."""
    desk.answer = {"banned": 1, "bans": [BAN]}
    assert run("ban", *words, stdin=b"192.0.2.8\n# no\n192.0.2.9\n")[0] == 0
    assert desk.asked == [("ban", params)]


@pytest.mark.parametrize(
    ("ban", "line"),
    [
        ({}, "192.0.2.7 banned in manual until 2026-11-21 10:00:00 (1h)"),
        ({"until": None, "left": None}, "192.0.2.7 banned in manual for ever"),
        ({"enforced": False}, "192.0.2.7 banned in manual until 2026-11-21 10:00:00 (1h), not enforced"),
        ({"who": "b\nob", "by": "login"}, "login:b\\nob banned in manual until 2026-11-21 10:00:00 (1h)"),
    ],
)
def test_a_ban_is_one_line(run: Run, desk: Any, ban: dict[str, object], line: str) -> None:
    """Who, where, until when, and how long that is."""
    desk.answer = {"banned": 1, "bans": [BAN | ban]}
    assert run("ban", "192.0.2.7") == (0, line + "\n", "")
    code, out, _ = run("ban", "192.0.2.7", "--json")
    assert (code, json.loads(out)) == (0, BAN | ban)


@pytest.mark.parametrize(
    ("words", "params", "answer", "result"),
    [
        (("192.0.2.7",), {"jail": None, "who": ["192.0.2.7"]}, 1, (0, "192.0.2.7 unbanned\n", "")),
        (("sshd", "192.0.2.7", "--json"), {"jail": "sshd", "who": ["192.0.2.7"]}, 1, (0, '{"unbanned": 1}\n', "")),
        (("-",), {"jail": None, "who": ["192.0.2.8"]}, 1, (0, "192.0.2.8 unbanned\n", "")),
        (("--all",), {"jail": None, "all": True}, 3, (0, "3 unbanned\n", "")),
        (("sshd", "--all"), {"jail": "sshd", "all": True}, 0, (0, "0 unbanned\n", "")),
    ],
)
def test_unban(
    run: Run, desk: Any, words: tuple[str, ...], params: dict[str, object], answer: int, result: tuple[int, str, str]
) -> None:
    """Some or all, in one jail or in every one."""
    desk.answer = {"unbanned": answer}
    assert run("unban", *words, stdin=b"192.0.2.8\n") == result
    assert desk.asked == [("unban", params)]


@pytest.mark.parametrize(
    ("words", "params", "out"),
    [
        (("192.0.2.7",), {"who": ["192.0.2.7"]}, "192.0.2.7 allowed for ever\n"),
        (("192.0.2.7", "--for", "90"), {"who": ["192.0.2.7"], "for": 90.0}, "192.0.2.7 allowed for 1m30s\n"),
        (("192.0.2.7", "--for", "forever"), {"who": ["192.0.2.7"], "for": None}, "192.0.2.7 allowed for ever\n"),
        (("192.0.2.7", "--json"), {"who": ["192.0.2.7"]}, '{"allowed": 1}\n'),
    ],
)
def test_allow(run: Run, desk: Any, words: tuple[str, ...], params: dict[str, object], out: str) -> None:
    """No jail here: it holds for all of them."""
    desk.answer = {"allowed": 1}
    assert run("allow", *words) == (0, out, "")
    assert desk.asked == [("allow", params)]


def test_banned_is_a_table(run: Run, desk: Any) -> None:
    """Who, where, until when, and what decided."""
    other = {"jail": "sshd", "who": "2001:db8::/64", "origin": "rule", "rule": "ip", "until": None, "left": None}
    desk.answer = [BAN, BAN | other | {"enforced": False}, BAN | {"who": "bob", "by": "login", "rule": "login", "origin": "rule"}]
    assert run("banned") == (
        0,
        "192.0.2.7      manual  until 2026-11-21 10:00:00 (1h)  manual\n"
        "2001:db8::/64  sshd    for ever  rule ip, not enforced\n"
        "login:bob      manual  until 2026-11-21 10:00:00 (1h)  rule login\n",
        "",
    )
    code, out, _ = run("banned", "--json")
    assert (code, [json.loads(line) for line in out.splitlines()]) == (0, desk.answer)


def test_nobody_banned_is_said_to_people_only(run: Run, desk: Any) -> None:
    """Programs get no line."""
    desk.answer = []
    assert run("banned") == (0, "nobody is banned\n", "")
    assert run("banned", "--json") == (0, "", "")


@pytest.mark.parametrize(
    ("words", "asked", "answer", "out"),
    [
        (("ping",), ("ping", {}), "pong", "pong\n"),
        (("ping", "--json"), ("ping", {}), "pong", '{"ping": "pong"}\n'),
        (("stop",), ("stop", {"flush": False}), "stopping", "stopping\n"),
        (("stop", "--flush", "--json"), ("stop", {"flush": True}), "stopping", '{"stop": "stopping"}\n'),
        (("reload",), ("reload", {}), {"jails": ["manual", "sshd"], "problems": []}, "reloaded, 2 jails: manual, sshd\n"),
        (("reload", "--json"), ("reload", {}), {"jails": ["sshd"], "problems": []}, '{"jails": ["sshd"], "problems": []}\n'),
    ],
)
def test_the_short_commands(
    run: Run, desk: Any, words: tuple[str, ...], asked: tuple[str, dict[str, object]], answer: object, out: str
) -> None:
    """One word asks, one line answers."""
    desk.answer = answer
    assert run(*words) == (0, out, "")
    assert desk.asked == [asked]


def test_warnings_of_a_reload_go_to_standard_error(run: Run, desk: Any) -> None:
    """It took place all the same."""
    desk.answer = {"jails": ["sshd"], "problems": ["jails.d/sshd.yaml:3: nothing listens on 2222/tcp"]}
    assert run("reload") == (0, "reloaded, 1 jail: sshd\n", "jails.d/sshd.yaml:3: nothing listens on 2222/tcp\n")


def test_a_refused_reload_shows_every_problem(run: Run, desk: Any) -> None:
    """And leaves with 78."""
    problem = Problem("jails.d/sshd.yaml", 7, "sshd.rules.ip.bantime", "a duration", "ten minutes", jail="sshd")
    desk.answer = ControlError("1 problem", "the running configuration was kept", 78, [problem])
    assert run("reload") == (
        78,
        "",
        'jails.d/sshd.yaml:7: sshd.rules.ip.bantime: expected a duration, got "ten minutes"\n'
        "1 problem\n"
        "  hint: the running configuration was kept\n",
    )
    code, _, err = run("reload", "--json")
    assert (code, json.loads(err)["problems"]) == (78, [problem._asdict()])


@pytest.mark.parametrize(
    ("error", "code"),
    [(ControlError("there is no jail 'x'", "jails: sshd"), 1), (FirewallError("the kernel has no ip_set"), 69)],
)
def test_what_is_refused_leaves_with_its_code(run: Run, desk: Any, error: BanwatchError, code: int) -> None:
    """As text or as `{error, code, hint}`."""
    desk.answer = error
    hint = f"  hint: {error.hint}\n" if error.hint else ""
    assert run("status", "x") == (code, "", f"{error.message}\n{hint}")
    left, out, err = run("status", "x", "--json")
    assert (left, out, json.loads(err)) == (code, "", {"error": error.message, "code": code, "hint": error.hint})


def test_status_of_logins(run: Run, desk: Any) -> None:
    """Doors, banned logins with their reason and own networks, and accounts that look compromised."""
    bob = BAN | {
        "by": "login",
        "who": "bob",
        "why": "9 attempts in 600 s",
        "refuses": True,
        "strict": False,
        "homes": ["203.0.113.0/24"],
    }
    eve = bob | {"who": "eve", "refuses": False, "strict": True, "enforced": False, "until": None}
    desk.answer = {"doors": ["dovecot", "exim"], "bans": [bob, eve], "alarms": [{"jail": "mail", "login": "joe"}]}
    code, out, err = run("status", "--logins")
    assert (code, err) == (0, "")
    assert re.sub(r"until \S+ \S+", "until X", out) == (
        "doors: dovecot, exim\n"
        "login:bob banned in manual until X (1h): refused; 9 attempts in 600 s; not from 203.0.113.0/24\n"
        "login:eve banned in manual for ever: held up; 9 attempts in 600 s; also from 203.0.113.0/24; not enforced\n"
        "login:joe looks compromised (mail)\n"
    )
    assert desk.asked == [("logins", {})]
    code, out, _ = run("status", "--logins", "--json")
    assert (code, json.loads(out)) == (0, desk.answer)


def test_status_without_logins(run: Run, desk: Any) -> None:
    """Nobody is banned, and no service asks."""
    desk.answer = {"doors": [], "bans": [], "alarms": []}
    assert run("status", "--logins")[1] == (
        "doors: none; no service is told of banned logins\nno login is banned, and no account looks compromised\n"
    )
