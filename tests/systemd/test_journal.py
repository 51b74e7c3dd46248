"""A real journald: who may say that somebody failed at sshd."""

import json
import re
import shutil

import pytest
from demo.machine import await_true

from banwatch.firewall.base import MARKS

pytestmark = [pytest.mark.systemd, pytest.mark.services]

CLIENT = ("ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")


@pytest.fixture
def world(booted):
    """The system has a network neighbour, 198.51.100.7, and an sshd; what its journal tells of it is forgotten at the end."""
    if shutil.which("sshd", path="/usr/sbin") is None:
        pytest.skip("not installed: openssh-server")
    booted.run("ip", "netns", "add", "world")
    booted.run("ip", "link", "add", "eth9", "type", "veth", "peer", "name", "eth9", "netns", "world")
    for where, address in (((), "198.51.100.1/24"), (("ip", "netns", "exec", "world"), "198.51.100.7/24")):
        booted.run(*where, "ip", "address", "add", address, "dev", "eth9")
        booted.run(*where, "ip", "link", "set", "eth9", "up")
    booted.run("mkdir", "-p", "/run/sshd")
    key = "/run/test-host-key"
    booted.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    booted.run("systemd-run", "--unit=test-sshd", "/usr/sbin/sshd", "-D", "-f", "/dev/null", "-h", key)
    yield booted
    booted.run("systemctl", "stop", "banwatch", "test-sshd")
    booted.run("ip", "netns", "delete", "world")
    booted.run("journalctl", "--rotate", "--vacuum-time=1ms")


def failed(system):
    """What sshd's jail counted, and where from."""
    jail = json.loads(system.run("banwatch-client", "status", "sshd", "--json").stdout)
    return jail["total_failed"], jail["file_list"]


def test_real_ones_count_and_forged_ones_do_not(world):
    """Lines that a user sends in sshd's name are not seen, those of the real sshd ban."""
    world.run("systemctl", "start", "banwatch")
    lie = "Failed password for root from 203.0.113.9 port 42 ssh2"
    nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    for _ in range(3):
        world.run(*nobody, "logger", "--tag=sshd", "--id", "--priority=authpriv.info", lie)
        world.run(*nobody, "systemd-cat", "--identifier=sshd", "echo", lie)
    for _ in range(3):
        world.run("ip", "netns", "exec", "world", *CLIENT, "stranger@198.51.100.1", "true", check=False)

    def members():
        return re.findall(r"^([\d.]+) ", world.run("ipset", "list", "banwatch-sshd-4").stdout, re.MULTILINE)

    await_true(lambda: "198.51.100.7" in members(), "198.51.100.7 is banned")
    assert set(members()) == {"198.51.100.7", MARKS[4]}
    assert failed(world) == (3, ["journal:SYSLOG_IDENTIFIER=sshd+_UID=0"])
