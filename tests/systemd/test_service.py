"""The unit: what systemd thinks of it, and what it says."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd" / "banwatch.service"


@pytest.fixture
def analyze():
    """analyze(*argv): what systemd-analyze says, and how it ended."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("not installed: systemd-analyze")

    def run(*argv):
        return subprocess.run(
            ["systemd-analyze", "--no-pager", *argv],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )

    return run


@pytest.mark.systemd
def test_it_gives_away_little(analyze):
    """By systemd's own measure the exposure is at most 1.5 of 10."""
    said = analyze("security", "--offline=true", "--threshold=15", str(UNIT))
    assert said.returncode == 0, said.stdout


@pytest.mark.systemd
def test_it_is_a_valid_unit(analyze, tmp_path):
    """systemd has nothing to say about it when its programs are installed."""
    text = UNIT.read_text()
    for program in ("banwatch", "banwatch-client"):
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
        text = re.sub(rf"=({program} )", rf"={tmp_path}/\1", text)
    copy = tmp_path / UNIT.name
    copy.write_text(text)
    said = analyze("verify", str(copy))
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


@pytest.mark.systemd
def test_user_and_lock_file_are_made(tmp_path):
    """sysusers.d makes the user with its group, tmpfiles.d the lock file of iptables, also where another left it closed."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if shutil.which("systemd-sysusers") is None or shutil.which("systemd-tmpfiles") is None:
        pytest.skip("not installed: systemd-sysusers, systemd-tmpfiles")
    lock = tmp_path / "run" / "xtables.lock"
    lock.parent.mkdir()
    (tmp_path / "etc").mkdir()
    lock.touch(0o600)
    for tool in ("sysusers", "tmpfiles"):
        argv = [f"systemd-{tool}", f"--root={tmp_path}", str(ROOT / "systemd" / f"banwatch.{tool}")]
        subprocess.run([*argv, *(["--create"] if tool == "tmpfiles" else [])], check=True, capture_output=True, timeout=30)
    name, _, _, gid, *rest = (tmp_path / "etc/passwd").read_text().splitlines()[-1].split(":")
    assert (name, rest) == ("banwatch", ["banwatch", "/nonexistent", "/usr/sbin/nologin"])
    assert f"banwatch:x:{gid}:" in (tmp_path / "etc/group").read_text()
    assert (lock.stat().st_gid, lock.stat().st_mode & 0o777) == (int(gid), 0o660)


def test_it_waits_is_watched_and_reloads(service):
    """systemd hears from the daemon when it is ready and that it lives, and a reload tells how it went."""
    assert service["Type"] == "notify"
    assert service["WatchdogSec"] == "30"
    assert service["ExecReload"] == "banwatch-client reload"
    assert set(service["RestartPreventExitStatus"].split()) == {"2", "78"}


def test_it_may_open_many_logs(service):
    """Soft and hard limit of open files: a host with thousands of vhosts has as many logs."""
    assert service["LimitNOFILE"] == "65536"


def test_it_has_two_capabilities(service):
    """What can be had is what is needed, for the daemon and for the iptables that it starts."""
    wanted = ["CAP_NET_ADMIN", "CAP_NET_RAW"]
    assert service["AmbientCapabilities"].split() == wanted
    assert service["CapabilityBoundingSet"].split() == wanted
