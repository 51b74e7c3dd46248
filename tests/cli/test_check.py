"""`banwatch check`: what it prints, and how it ends."""

import json
import re

import pytest

from banwatch.cli.main import main
from banwatch.config.paths import shipped_dir


@pytest.fixture
def check(tmp_path, capsys):
    """Writes files into a configuration directory, checks it, and gives the exit code and what was printed."""

    def run(files, *options):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        code = main(["check", "--config", str(tmp_path), *options])
        printed = capsys.readouterr()
        assert printed.err == ""
        return code, printed.out.splitlines()

    return run


# Jails that wait for their logs warn nobody; these files keep the host's own logs out of the tests.
JAILS = re.findall(r"^([\w.-]+):", "".join(path.read_text() for path in (shipped_dir() / "jails").glob("*.yaml")), re.MULTILINE)
QUIET = {"jails.d/quiet.yaml": "".join(f"{jail}: {{enforce: false}}\n" for jail in JAILS)}
WRONG = {"jails.d/sshd.yaml": "sshd:\n  rules:\n    ip:\n      bantime: ten minutes\n      limits: 3/10m\n"}


def test_right(check):
    """Nothing to say: exit 0."""
    assert check(QUIET) == (0, ["0 problems; the daemon would start."])
    assert check(QUIET, "--json") == (0, [])


def test_wrong(check):
    """Every problem with its place, then what would happen: exit 78."""
    assert check(QUIET | WRONG) == (
        78,
        [
            'jails.d/sshd.yaml:4: sshd.rules.ip.bantime: expected a duration like "10m" or "forever", got "ten minutes"',
            "jails.d/sshd.yaml:5: sshd.rules.ip.limits: unknown key; did you mean limit?",
            "2 problems; the daemon would leave out sshd.",
        ],
    )


def test_wrong_as_json(check):
    """One object a problem, with the same five keys."""
    code, lines = check(QUIET | WRONG, "--json")
    assert code == 78
    assert [json.loads(line) for line in lines] == [
        {
            "file": "jails.d/sshd.yaml",
            "line": 4,
            "key": "sshd.rules.ip.bantime",
            "expected": 'a duration like "10m" or "forever"',
            "got": "ten minutes",
        },
        {"file": "jails.d/sshd.yaml", "line": 5, "key": "sshd.rules.ip.limits", "expected": "limit", "got": "limits"},
    ]


def test_warnings(check):
    """A warning alone is no failure; as JSON it says that it is one."""
    stray = QUIET | {"jails.d/jail.yml": ""}
    assert check(stray) == (
        0,
        ["jails.d/jail.yml: warning: never read; expected a name that ends in .yaml", "1 warning; the daemon would start."],
    )
    (line,) = check(stray, "--json")[1]
    assert json.loads(line)["warning"] is True


def test_examples_are_tried(check):
    """A filter that does not find what its examples hold fails the check, though the daemon would start."""
    text = "header: none\nfailregex: {auth: ['^a <HOST>$']}\nexamples:\n- {log: a 192.0.2.7, auth: {ip: 192.0.2.8}}\n"
    assert check(QUIET | {"filters.d/own.yaml": text}) == (
        78,
        [
            'filters.d/own.yaml:4: examples[0]: expected ip 192.0.2.8, got "ip 192.0.2.7"',
            "1 problem; the daemon would start all the same.",
        ],
    )


def test_unusable(check):
    """Without its own file the daemon does not start."""
    assert check(QUIET | {"banwatch.yaml": "log: ["})[1][-1] == (
        "1 problem; the daemon would not start: banwatch.yaml cannot be used."
    )


def test_no_such_directory(tmp_path, capsys):
    """A directory that somebody named and that is not there is a mistake."""
    assert main(["check", "--config", str(tmp_path / "typo")]) == 78
    assert f'{tmp_path}/typo: expected a directory, got "no such directory"' in capsys.readouterr().out.splitlines()
