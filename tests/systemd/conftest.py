"""The unit as values, and a systemd that can run it."""

import configparser
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from demo.machine import await_true

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd" / "banwatch.service"
BOOT = Path(__file__).with_name("boot")
MARK = "root/etc/booted-by-a-test"


@pytest.fixture(scope="session")
def service():
    """The [Service] section; of a key that is written several times the last value."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(UNIT)
    return unit["Service"]


class Booted:
    """A systemd that runs, and what is asked of it."""

    def __init__(self, pid):
        self.pid = pid

    def run(self, *argv, check=True):
        """Runs a command there to its end, which with `check` has to be a good one."""
        argv = ["nsenter", f"--target={self.pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--", *argv]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
        if check and done.returncode != 0:
            journal = self.run("journalctl", "--unit=banwatch", "--output=cat", "--lines=20").stdout
            raise AssertionError(f"{argv[8:]} ended with {done.returncode}: {done.stderr}\n{journal}")
        return done

    def path(self, path):
        """A file there, as it is reached from here."""
        return Path(f"/proc/{self.pid}/root{path}")

    def show(self, key):
        """A property of banwatch.service."""
        return self.run("systemctl", "show", "--value", f"--property={key}", "banwatch").stdout.strip()


def _lacking():
    if os.geteuid() != 0:
        return "needs root"
    missing = [
        program for program in ("systemd-nspawn", "unshare", "nsenter", "ipset", "iptables") if shutil.which(program) is None
    ]
    return f"not installed: {', '.join(missing)}" if missing else None


def _find_booted():
    """The first process of the system that `boot` started; None while there is none."""
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            if f"\nNSpid:\t{status.parent.name}\t1\n" in status.read_text() and (status.parent / MARK).exists():
                return int(status.parent.name)
    return None


def _groups():
    """The control groups that systemd-nspawn makes below our own and leaves behind, innermost first."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kind, own = line.split(":", 2)
        for leaf in ("payload", "supervisor"):
            top = Path("/sys/fs/cgroup") / (kind.removeprefix("name=") or "unified") / own.lstrip("/") / leaf
            if top.is_dir():
                yield from sorted((*top.rglob("*/"), top), reverse=True)


def _remove_groups():
    """Whether none of them is there any more; a group stays as long as a process of it is ending."""
    for directory in list(_groups()):
        with suppress(OSError):
            directory.rmdir()
    return not any(_groups())


@pytest.fixture(scope="session")
def booted():
    """A systemd on this system as it is, with banwatch.service installed and not yet started."""
    if reason := _lacking():
        pytest.skip(reason)
    argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--fork", "--kill-child", str(BOOT)]
    with tempfile.TemporaryFile("w+") as said:
        with subprocess.Popen(
            [*argv, str(ROOT), sys.base_prefix, sysconfig.get_path("purelib")],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                await_true(lambda: _find_booted() is not None or process.poll() is not None, "systemd starts", within=20)
                if (pid := _find_booted()) is None:
                    said.seek(0)
                    pytest.skip(f"systemd cannot boot here: {said.read().strip()}")
                system = Booted(pid)
                ready = ("systemctl", "is-active", "--quiet", "sysinit.target")
                await_true(lambda: system.run(*ready, check=False).returncode == 0, "sysinit.target is reached", within=60)
                yield system
            finally:
                # The first process there takes all others with it; systemd-nspawn alone would leave them.
                if (pid := _find_booted()) is not None:
                    os.kill(pid, signal.SIGKILL)
                process.kill()
        await_true(_remove_groups, "its control groups are removed")
