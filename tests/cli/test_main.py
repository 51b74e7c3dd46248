"""cli/main.py: finds the command."""

import subprocess
import sys

import pytest

from banwatch import __version__
from banwatch.cli.main import COMMANDS, main


def test_every_command_has_help(capsys):
    """--help of each command teaches something, and ends with 0."""
    for name in COMMANDS:
        with pytest.raises(SystemExit) as caught:
            main([name, "--help"])
        assert caught.value.code == 0
        assert f"usage: banwatch {name}" in capsys.readouterr().out


def test_without_a_command_there_is_help(capsys):
    """No argument: help, exit 0."""
    assert main([]) == 0
    assert "examples:" in capsys.readouterr().out


@pytest.mark.parametrize(("argv", "code"), [(["--version"], 0), (["nonsense"], 2), (["replay"], 2)])
def test_exit_codes(argv, code, capsys):
    """Wrong use is 2."""
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == code
    capsys.readouterr()


def test_the_entry_point_starts():
    """The program is there under its name, and knows its version."""
    told = subprocess.run([sys.executable, "-m", "banwatch.cli.main", "--version"], capture_output=True, text=True, check=True)
    assert told.stdout == f"banwatch {__version__}\n"
