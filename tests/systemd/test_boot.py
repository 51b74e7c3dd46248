"""The service under a real systemd, with everything that the unit forbids."""

import json
import re
import signal
from datetime import UTC, datetime

import pytest
from demo.machine import await_true

pytestmark = [pytest.mark.systemd, pytest.mark.services]


@pytest.fixture
def service(booted):
    """The service has started; at the end it is stopped and its bans are gone."""
    booted.run("systemctl", "reset-failed", "banwatch", check=False)
    booted.run("systemctl", "start", "banwatch")
    yield booted
    if booted.run("systemctl", "is-active", "banwatch", check=False).returncode == 0:
        booted.run("banwatch-client", "unban", "--all", check=False)
    booted.run("systemctl", "stop", "banwatch")
    booted.path("/var/log/auth.log").write_text("")  # the next daemon would look back at it


def members(system):
    """The members of sshd's set, as the kernel has them, without the one that only marks it."""
    return re.findall(r"^(?!255\.)([\d.]+) ", system.run("ipset", "list", "banwatch-sshd-4").stdout, re.MULTILINE)


def banned(system):
    """Who is banned, as the daemon says."""
    return [json.loads(line)["who"] for line in system.run("banwatch-client", "banned", "--json").stdout.splitlines()]


def guess(system, address):
    """Writes what sshd writes about three wrong passwords."""
    line = f"{datetime.now(UTC).isoformat()} mx sshd[7]: Failed password for root from {address} port 4242 ssh2\n"
    with system.path("/var/log/auth.log").open("a") as log:
        log.write(line * 3)


def test_it_is_ready_confined_and_alive(service):
    """start returns when the daemon is ready; it is confined as the unit says, and tells systemd that it lives."""
    assert service.show("ActiveState") == "active"
    status = service.path(f"/proc/{service.show('MainPID')}/status").read_text()
    assert re.findall(r"^(?:CapEff|NoNewPrivs|Seccomp):\s+(\w+)$", status, re.MULTILINE) == ["0000000000003000", "1", "2"]
    assert re.fullmatch(r"\d+ jails, 0 bans", service.show("StatusText"))
    alive = service.show("WatchdogTimestampMonotonic")
    await_true(lambda: service.show("WatchdogTimestampMonotonic") != alive, "the watchdog is fed again", within=20)


def test_it_bans(service):
    """With the unit's rights, system calls and address families a ban reaches the kernel."""
    guess(service, "198.51.100.7")
    await_true(lambda: "198.51.100.7" in members(service), "198.51.100.7 is banned")
    assert service.run("iptables", "-S", "INPUT").stdout.endswith("-A INPUT -j banwatch\n")


def test_its_group_may_command_it(service):
    """A member of the group banwatch uses the client without being root."""
    operator = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--groups=banwatch", "banwatch-client")
    assert service.run(*operator, "ban", "198.51.100.8").returncode == 0
    assert service.run(*operator, "unban", "198.51.100.8").returncode == 0
    stranger = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "banwatch-client")
    assert service.run(*stranger, "ban", "198.51.100.8", check=False).returncode == 69


def test_a_reload_tells_how_it_went(service):
    """systemctl reload fails with a broken configuration, the service goes on, and a good one is taken."""
    drop_in = service.path("/etc/banwatch/jails.d/test.yaml")
    drop_in.write_text("sshd: {limits: 3/10m}\n")
    try:
        assert service.run("systemctl", "reload", "banwatch", check=False).returncode != 0
        assert service.show("ActiveState") == "active"
        assert "jails.d/test.yaml:1: sshd.limits" in service.run("journalctl", "--unit=banwatch", "--output=cat").stdout
        drop_in.write_text("sshd: {enforce: false}\n")
        assert service.run("systemctl", "reload", "banwatch").returncode == 0
    finally:
        drop_in.unlink()


def test_it_comes_back_with_its_bans(service):
    """After kill -9 systemd starts it again, and it knows its bans."""
    service.run("banwatch-client", "ban", "sshd", "198.51.100.9")
    before = service.show("MainPID")
    service.run("systemctl", "kill", "--kill-who=main", f"--signal={signal.SIGKILL.value}", "banwatch")
    await_true(lambda: service.show("MainPID") not in ("0", before), "another daemon runs")
    await_true(lambda: service.show("ActiveState") == "active", "the other daemon is ready", within=20)
    assert banned(service) == ["198.51.100.9"]
    assert members(service) == ["198.51.100.9"]


def test_stop_leaves_bans_to_the_kernel(service):
    """After systemctl stop, and after a stop by the client, the daemon stays away and its bans stay."""
    for stop in (("systemctl", "stop", "banwatch"), ("banwatch-client", "stop")):
        service.run("systemctl", "start", "banwatch")
        service.run("banwatch-client", "ban", "sshd", "198.51.100.10")
        service.run(*stop)
        await_true(lambda: service.show("ActiveState") == "inactive", "the service is inactive")
        assert members(service) == ["198.51.100.10"]
    service.run("systemctl", "start", "banwatch")


def test_it_bans_by_nftables(booted):
    """The unit forbids nothing of what nft needs, or its kernel modules."""
    booted.path("/etc/banwatch/banwatch.yaml").write_text("firewall: {backend: nftables}\n")
    try:
        booted.run("systemctl", "start", "banwatch")
        booted.run("banwatch-client", "ban", "sshd", "198.51.100.0/25")
        assert "198.51.100.0" in booted.run("nft", "list", "set", "inet", "banwatch", "banwatch-sshd-4-25").stdout
        assert booted.run("banwatch-client", "stop", "--flush").returncode == 0
        await_true(lambda: booted.show("ActiveState") == "inactive", "the service is inactive")
        assert "inet banwatch" not in booted.run("nft", "list", "tables").stdout
    finally:
        booted.path("/etc/banwatch/banwatch.yaml").unlink()


def test_a_broken_configuration_is_no_reason_to_try_again(booted):
    """With an unusable banwatch.yaml the start fails once, with the exit code for configurations."""
    booted.path("/etc/banwatch/banwatch.yaml").write_text("metrics: {port: none}\n")
    try:
        assert booted.run("systemctl", "start", "banwatch", check=False).returncode != 0
        assert (booted.show("ExecMainStatus"), booted.show("ActiveState"), booted.show("NRestarts")) == ("78", "failed", "0")
    finally:
        booted.path("/etc/banwatch/banwatch.yaml").unlink()
