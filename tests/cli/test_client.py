"""`banwatch-client`: its arguments."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from banwatch import __version__
from banwatch.cli.client import make_parser

Run = Callable[..., tuple[int, str, str]]


def test_without_arguments_it_is_help(run: Run) -> None:
    """Examples and exit codes included; nothing is asked."""
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out.startswith("usage: banwatch-client [-h]")
    assert "banwatch-client ban 192.0.2.7 --for 1h" in out


def test_the_version(run: Run) -> None:
    """Name and number."""
    assert run("--version") == (0, f"banwatch-client {__version__}\n", "")


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
def test_wrong_usage_asks_nobody(run: Run, desk: Any, words: tuple[str, ...], message: str) -> None:
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
