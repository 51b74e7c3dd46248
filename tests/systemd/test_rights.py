"""Whether the daemon can work with the rights that the unit gives it, and with no others."""

import re
import sys
from pathlib import Path

import pytest
from demo.daemon import PROGRAMS, Daemon
from demo.machine import Machine
from demo.services import missing, ssh, start_rsyslogd, start_sshd

pytestmark = [pytest.mark.systemd, pytest.mark.services]

ROOT = Path(__file__).parents[2]


def confinement(service):
    """The command that runs another with the user, groups and capabilities of the unit."""
    capabilities = ",".join(
        ["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in service["AmbientCapabilities"].split())]
    )
    return (
        "setpriv",
        f"--reuid={service['User']}",
        f"--regid={service['Group']}",
        "--groups=adm",
        f"--inh-caps={capabilities}",
        f"--ambient-caps={capabilities}",
        f"--bounding-set={capabilities}",
        "--no-new-privs",
    )


def open_to_all(machine, *paths):
    """Lets everybody on the machine reach `paths`, also where they lie in somebody's closed home directory."""
    closed = {next((p for p in reversed(path.parents) if not p.stat().st_mode & 0o001), None) for path in paths} - {None}
    for path in paths:
        machine.run("mkdir", "-p", f"/run/own/open{path}")
        machine.run("mount", "--bind", str(path), f"/run/own/open{path}")
    for directory in closed:
        machine.run("mount", "--rbind", f"/run/own/open{directory}", str(directory))


def test_the_daemon_works_with_these_rights(service):
    """As its user, with two capabilities and the group adm, it reads logs, bans and unbans, and its group may command it."""
    if reason := missing("sshd", "ssh", "rsyslogd", "ipset", "iptables", "ip", "setpriv", "systemd-sysusers", "systemd-tmpfiles"):
        pytest.skip(reason)
    with Machine() as machine:
        open_to_all(machine, Path(sys.base_prefix), ROOT, Path(sys.prefix))
        machine.run("systemd-sysusers", str(ROOT / "systemd/banwatch.sysusers"))
        machine.run("systemd-tmpfiles", "--create", str(ROOT / "systemd/banwatch.tmpfiles"))
        machine.run("install", "-d", "-o", "banwatch", "-g", "banwatch", "-m", service["RuntimeDirectoryMode"], "/run/banwatch")
        start_rsyslogd(machine)
        start_sshd(machine)
        with Daemon(machine, wrap=confinement(service)) as daemon:
            for _ in range(3):
                ssh(machine, "198.51.100.7", "admin", "wrong", until=lambda: daemon.said(" Ban 198.51.100.7"))
            daemon.await_line(r"\[sshd\] Ban 198.51.100.7$")
            assert not machine.connects("198.51.100.7", 22, timeout=0.3)
            operator = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--groups=banwatch", str(PROGRAMS / "banwatch-client"))
            machine.run(*operator, "unban", "198.51.100.7")
            assert machine.connects("198.51.100.7", 22)
            status = Path(f"/proc/{daemon.pid}/status").read_text()
            assert re.findall(r"^Cap(?:Prm|Eff|Bnd|Amb):\s+(\w+)$", status, re.MULTILINE) == [f"{1 << 12 | 1 << 13:016x}"] * 4
