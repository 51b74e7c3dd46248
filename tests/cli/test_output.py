"""What every command does alike."""

import json
import subprocess
import sys
from textwrap import dedent

import pytest

from banwatch.cli.output import Parser, leave_quietly, print_error, print_json, print_note, print_text
from banwatch.config.model import Problem
from banwatch.errors import ConfigError, ControlError

PROBLEM = Problem("jails.d/sshd.yaml", 7, "sshd.rules.ip.limits", "a key", "limits", jail="sshd")
LATER = Problem("jails.d/sshd.yaml", 9, "sshd.rules.ip.bantime", 'a duration like "10m"', "ten minutes", jail="sshd")


def python(code: str, shell: str = "{} -c {}") -> subprocess.CompletedProcess[bytes]:
    import shlex

    command = shell.format(shlex.quote(sys.executable), shlex.quote(dedent(code)))
    return subprocess.run(["/bin/bash", "-o", "pipefail", "-c", command], capture_output=True, check=False)


def test_text_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """A stranger's text stays one line."""
    print_text("login:x\n\x1b[2J")
    assert capsys.readouterr().out == "login:x\\n\\x1b[2J\n"


def test_json_is_one_ascii_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Line ends, escape sequences and letters are escaped the JSON way."""
    print_json({"who": "jürgen\n\x1b\u202e", "until": None})
    assert capsys.readouterr().out == '{"who": "j\\u00fcrgen\\n\\u001b\\u202e", "until": null}\n'


def test_an_error_has_its_hint_below(capsys: pytest.CaptureFixture[str]) -> None:
    """To standard error, nothing to standard output."""
    print_error(ControlError("there is no jail 'x'", "jails: sshd"))
    print_error(ControlError("no\nhint"))
    captured = capsys.readouterr()
    assert captured.err == "there is no jail 'x'\n  hint: jails: sshd\nno\\nhint\n"
    assert captured.out == ""


def test_an_error_as_json_has_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    """`{error, code, hint}` on one line."""
    print_error(ControlError("there is no jail 'x'", "jails: sshd"), as_json=True)
    assert capsys.readouterr().err == '{"error": "there is no jail \'x\'", "code": 1, "hint": "jails: sshd"}\n'


@pytest.mark.parametrize("kind", [ConfigError, ControlError])
def test_problems_stand_above_the_error(kind: type[ConfigError | ControlError], capsys: pytest.CaptureFixture[str]) -> None:
    """Sorted, a line each; as JSON they come along as objects."""
    error = kind("2 problems; the running configuration was kept", problems=[LATER, PROBLEM])
    print_error(error)
    assert capsys.readouterr().err == (
        'jails.d/sshd.yaml:7: sshd.rules.ip.limits: expected a key, got "limits"\n'
        'jails.d/sshd.yaml:9: sshd.rules.ip.bantime: expected a duration like "10m", got "ten minutes"\n'
        "2 problems; the running configuration was kept\n"
    )
    print_error(error, as_json=True)
    value = json.loads(capsys.readouterr().err)
    assert value["problems"] == [LATER._asdict(), PROBLEM._asdict()]


def test_a_note_follows_what_was_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever standard output still holds goes out first."""
    result = python("""
        import os, sys
        os.dup2(1, 2)
        from banwatch.cli.output import print_note, print_text
        print_text("tree"); print_note("note"); print_text("more")
    """)
    assert result.stdout == b"tree\nnote\nmore\n"
    print_note("a\x07")
    assert capfd.readouterr().err == "a\\x07\n"


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["x", "--nope"], "usage: x [-h]\nx: unrecognized arguments: --nope\n"),
        (["x", "--nope", "--json"], '{"error": "unrecognized arguments: --nope --json", "code": 2, "hint": "x --help"}\n'),
    ],
)
def test_wrong_arguments_are_an_error_in_the_form_that_was_asked_for(
    argv: list[str], text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, with the usage or as JSON."""
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as caught:
        Parser(prog="x").parse_args()
    assert caught.value.code == 2
    assert capsys.readouterr().err == text


def test_the_exit_code_is_that_of_the_command() -> None:
    """Unless something ended it."""
    assert leave_quietly(lambda: 69) == 69


def test_a_reader_that_is_gone_is_no_error() -> None:
    """… | head: no traceback, exit 0, whether it happens while printing or at the end."""
    code = """
        import sys
        from banwatch.cli.output import leave_quietly, print_text
        def main():
            for n in range({}):
                print_text(str(n))
            return 0
        sys.exit(leave_quietly(main))
    """
    for count in (10, 100_000):
        result = python(code.format(count), "{} -c {} | (exec 0<&-; sleep 0.1)")
        assert (result.returncode, result.stderr) == (0, b"")


def test_an_interrupt_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C leaves with what shells expect."""

    def main() -> int:
        raise KeyboardInterrupt

    assert leave_quietly(main) == 130
    assert capsys.readouterr().err == ""


def test_a_poor_locale_is_no_error() -> None:
    """What the terminal's encoding lacks is escaped."""
    result = python(
        """
        import sys
        from banwatch.cli.output import leave_quietly, print_text
        sys.exit(leave_quietly(lambda: print_text("jürgen 例え") or 0))
        """,
        "PYTHONIOENCODING=latin-1 {} -c {}",
    )
    assert (result.stdout, result.returncode) == (b"j\xfcrgen \\u4f8b\\u3048\n", 0)
