"""`banwatch-client`: arguments, what goes over the wire, what is printed, exit codes."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from banwatch import __version__
from banwatch.cli.client import main, make_parser
from banwatch.config.model import Problem
from banwatch.control.peer import Peer
from banwatch.control.protocol import METHODS
from banwatch.control.server import Handler
from banwatch.errors import BanwatchError, ControlError, FirewallError

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


class Desk:
    """In place of a daemon: keeps what was asked over the socket, gives what was laid ready."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, object]]] = []
        self.answer: Any = None

    def handlers(self) -> dict[str, Handler]:
        return {method: self._handler(method) for method in METHODS}

    def _handler(self, method: str) -> Handler:
        async def answer(params: Mapping[str, Any], peer: Peer) -> object:
            self.asked.append((method, params))
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return answer


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def desk(serve: Callable[[Mapping[str, Handler]], Path], monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setenv("BANWATCH_SOCKET", str(serve(desk.handlers())))
    return desk


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run the command with these words: exit code, standard output, standard error. Local time is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

    def run(*words: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["banwatch-client", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        try:
            code = main()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield run
    monkeypatch.undo()
    time.tzset()


def test_without_arguments_it_is_help(run: Run) -> None:
    """Examples and exit codes included; nothing is asked."""
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out.startswith("usage: banwatch-client [-h]")
    assert "banwatch-client ban 192.0.2.7 --for 1h" in out


def test_the_version(run: Run) -> None:
    """Name and number."""
    assert run("--version") == (0, f"banwatch-client {__version__}\n", "")


def test_the_jails(run: Run, desk: Desk) -> None:
    """The tree without JAIL."""
    desk.answer = {"jails": [SSHD, SSHD | {"jail": "manual"}], "state": "ok", "problems": []}
    assert run("status") == (0, "Status\n|- Number of jail:\t2\n`- Jail list:\tmanual, sshd\n", "")
    assert desk.asked == [("status", {})]


def test_one_jail(run: Run, desk: Desk) -> None:
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


def test_status_as_json_is_an_object_for_each_jail(run: Run, desk: Desk) -> None:
    """As the daemon sent it."""
    desk.answer = {"jails": [SSHD, SSHD | {"jail": "manual"}], "state": "ok", "problems": []}
    code, out, err = run("status", "--json")
    assert (code, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == [SSHD, SSHD | {"jail": "manual"}]


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
def test_ban_says_who_where_and_how_long(run: Run, desk: Desk, words: tuple[str, ...], params: dict[str, object]) -> None:
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
def test_a_ban_is_one_line(run: Run, desk: Desk, ban: dict[str, object], line: str) -> None:
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
    run: Run, desk: Desk, words: tuple[str, ...], params: dict[str, object], answer: int, result: tuple[int, str, str]
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
def test_allow(run: Run, desk: Desk, words: tuple[str, ...], params: dict[str, object], out: str) -> None:
    """No jail here: it holds for all of them."""
    desk.answer = {"allowed": 1}
    assert run("allow", *words) == (0, out, "")
    assert desk.asked == [("allow", params)]


def test_banned_is_a_table(run: Run, desk: Desk) -> None:
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


def test_nobody_banned_is_said_to_people_only(run: Run, desk: Desk) -> None:
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
    run: Run, desk: Desk, words: tuple[str, ...], asked: tuple[str, dict[str, object]], answer: object, out: str
) -> None:
    """One word asks, one line answers."""
    desk.answer = answer
    assert run(*words) == (0, out, "")
    assert desk.asked == [asked]


def test_warnings_of_a_reload_go_to_standard_error(run: Run, desk: Desk) -> None:
    """It took place all the same."""
    desk.answer = {"jails": ["sshd"], "problems": ["jails.d/sshd.yaml:3: nothing listens on 2222/tcp"]}
    assert run("reload") == (0, "reloaded, 1 jail: sshd\n", "jails.d/sshd.yaml:3: nothing listens on 2222/tcp\n")


def test_a_refused_reload_shows_every_problem(run: Run, desk: Desk) -> None:
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
def test_what_is_refused_leaves_with_its_code(run: Run, desk: Desk, error: BanwatchError, code: int) -> None:
    """As text or as `{error, code, hint}`."""
    desk.answer = error
    hint = f"  hint: {error.hint}\n" if error.hint else ""
    assert run("status", "x") == (code, "", f"{error.message}\n{hint}")
    left, out, err = run("status", "x", "--json")
    assert (left, out, json.loads(err)) == (code, "", {"error": error.message, "code": code, "hint": error.hint})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ban",), "banwatch-client ban: the following arguments are required: WHO"),
        (("ban", "sshd"), "nobody is named"),
        (
            ("ban", "192.0.2.7", "--for", "soon"),
            'banwatch-client ban: argument --for: expected a duration like "10m" or "forever"',
        ),
        (("ban", "192.0.2.999"), "expected an address, a network or login:NAME, got '192.0.2.999'"),
        (("unban",), "nobody is named"),
        (("unban", "--all", "192.0.2.7"), "banwatch-client unban: WHO and --all exclude each other"),
        (("allow",), "banwatch-client allow: the following arguments are required: WHO"),
        (("--timeout", "0", "ping"), "banwatch-client: argument --timeout: expected seconds, got '0'"),
        (("--timeout", "nan", "ping"), "banwatch-client: argument --timeout: expected seconds, got 'nan'"),
        (("--timeout", "x", "ping"), "banwatch-client: argument --timeout: expected seconds, got 'x'"),
        (("nope",), "banwatch-client: argument COMMAND: invalid choice: 'nope'"),
    ],
)
def test_wrong_usage_asks_nobody(run: Run, desk: Desk, words: tuple[str, ...], message: str) -> None:
    """Exit code 2, and the message says which word."""
    code, out, err = run(*words)
    assert (code, out, desk.asked) == (2, "", [])
    assert message in err


@pytest.mark.parametrize(
    ("words", "path", "timeout"),
    [
        (("ping",), None, 10.0),
        (("--socket", "/a", "--timeout", "3", "ping"), "/a", 3.0),
        (("ping", "--socket", "/b", "--timeout", "0.5"), "/b", 0.5),
        (("--socket", "/a", "ping", "--socket", "/b"), "/b", 10.0),
    ],
)
def test_socket_and_timeout_stand_before_or_after_the_command(words: tuple[str, ...], path: str | None, timeout: float) -> None:
    """The one behind the command wins; without them the environment and ten seconds hold."""
    args = make_parser().parse_args(words)
    assert (args.socket, args.timeout) == (path, timeout)


def test_the_real_thing_starts_fast_and_reports_nobody(tmp_path: Path) -> None:
    """The installed command: exit 69, one line on standard error, and nothing heavy imported."""
    code = "import sys; from banwatch.cli.client import main; print(main(), *sys.modules)"
    command = [sys.executable, "-c", code, "--socket", str(tmp_path / "none"), "ping", "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    left, *modules = result.stdout.split()
    assert left == "69"
    assert json.loads(result.stderr)["error"] == f"no banwatch answers on {tmp_path / 'none'}: No such file or directory"
    heavy = {"asyncio", "yaml", "structlog", "pyroute2", "prometheus_client", "dataclasses", "ipaddress", "ssl"}
    assert not heavy & set(modules)
