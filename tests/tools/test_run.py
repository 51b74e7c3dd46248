"""`make run` where nothing may be banned."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def powerless():
    """What takes a process every right to change the firewall, also from root's."""
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"] if os.geteuid() == 0 else []


def test_without_rights_it_is_a_dry_run(tmp_path, powerless):
    """It says why it bans nobody, and the client's command that it prints reaches it."""
    if not (ROOT / ".venv/bin/banwatch").exists():
        pytest.skip("banwatch is not installed in .venv")
    argv = [*powerless, str(ROOT / "tools/run"), "--config", str(tmp_path)]
    env = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path)}
    with subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = ""
            while "dry run: " not in said and (line := process.stderr.readline()):
                said += line
            assert "no rights to change the firewall" in said
            assert "running as --dry-run" in said
            command = shlex.split(re.search(r"from another terminal: (.*)", said)[1])
            assert command[1:3] == ["--socket", f"{tmp_path}/banwatch/banwatch.sock"]
            answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
            assert re.search(r"`- Jail list:\t.*manual", answer.stdout)
        finally:
            process.terminate()
