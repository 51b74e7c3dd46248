"""What the operator sees and does while real attackers are banned."""

import json
import re
import signal

import pytest

pytestmark = pytest.mark.services

TREE = """\
Status for the jail: sshd
|- Filter
|  |- Currently failed:\t0
|  |- Total failed:\t3
|  `- File list:\t/var/log/auth.log
`- Actions
   |- Currently banned:\t1
   |- Total banned:\t1
   `- Banned IP list:\t{}
"""


@pytest.fixture
def banned(machine, sshd, guess, strangers):
    """banned(daemon): an address that the daemon has just banned for guessing at sshd."""
    # A daemon looks back at what was there before it; here it has nothing to look back at.
    machine.path("/var/log/auth.log").write_text("")

    def ban(daemon):
        attacker = strangers.ip4()
        for _ in range(3):
            guess.ssh(attacker)
        daemon.await_line(rf"\[sshd\] Ban {attacker}$")
        assert not machine.connects(attacker, 22, timeout=0.3)
        return attacker

    return ban


def members(machine):
    """The members of sshd's IPv4 set, as the kernel has them, without the one that only marks it."""
    return re.findall(r"^(?!255\.)([\d.]+) ", machine.run("ipset", "list", "banwatch-sshd-4").stdout, re.MULTILINE)


def test_status_is_the_tree_that_is_known(protect, banned):
    """status JAIL prints the tree with its tabs, and the banned address in it."""
    daemon = protect()
    attacker = banned(daemon)
    assert daemon.client("status", "sshd").stdout == TREE.format(attacker)


def test_unban_opens_the_door_at_once(machine, protect, banned):
    """When unban returns the address can connect, long before its ban would have ended."""
    daemon = protect()
    attacker = banned(daemon)
    assert daemon.client("unban", "sshd", attacker).returncode == 0
    assert machine.connects(attacker, 22)
    daemon.await_line(rf"\[sshd\] Unban {attacker}$")


def test_ban_by_hand_closes_every_port(machine, sshd, exim4, protect, strangers):
    """A ban without a jail is in force when the command returns, on all ports."""
    daemon = protect()
    unwanted = strangers.ip4()
    assert daemon.client("ban", unwanted, "--for", "1h").returncode == 0
    assert not machine.connects(unwanted, 22, timeout=0.3)
    assert not machine.connects(unwanted, 25, timeout=0.3)
    assert daemon.client("unban", unwanted).returncode == 0
    assert machine.connects(unwanted, 22)


def test_allow_stands_before_every_ban(machine, sshd, protect, guess, strangers):
    """An allowed address may guess as it likes."""
    daemon = protect()
    friend, attacker = strangers.ip4(), strangers.ip4()
    assert daemon.client("allow", friend).returncode == 0
    for source in (friend, attacker):
        for _ in range(3):
            guess.ssh(source)
    daemon.await_line(rf"\[sshd\] Ban {attacker}$")
    assert machine.connects(friend, 22)


def test_reload_keeps_bans(machine, protect, banned):
    """A reload neither ends a ban nor opens a gap, and what is new applies from then on."""
    daemon = protect()
    attacker = banned(daemon)
    machine.write("/etc/banwatch/jails.d/zz.yaml", "sshd: {rules: {ip: {bantime: 2h}}}\n")
    try:
        assert daemon.client("reload").returncode == 0
        assert attacker in members(machine)
        assert not machine.connects(attacker, 22, timeout=0.3)
        second = banned(daemon)
    finally:
        machine.path("/etc/banwatch/jails.d/zz.yaml").unlink()
    (ban,) = (ban for ban in map(json.loads, daemon.client("banned", "--json").stdout.splitlines()) if ban["who"] == second)
    assert 7100 < ban["left"] <= 7200


def test_a_refused_reload_changes_nothing(machine, protect, banned):
    """With a broken file reload fails with its place and the exit code for configurations; the ban stays."""
    daemon = protect()
    attacker = banned(daemon)
    machine.write("/etc/banwatch/jails.d/zz.yaml", "sshd:\n  rules: {ip: {bantime: ten minutes}}\n")
    try:
        refused = daemon.client("reload")
    finally:
        machine.path("/etc/banwatch/jails.d/zz.yaml").unlink()
    assert refused.returncode == 78
    assert "jails.d/zz.yaml:2: sshd.rules.ip.bantime" in refused.stdout + refused.stderr
    assert not machine.connects(attacker, 22, timeout=0.3)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_ban_outlives_the_daemon_and_ends_on_time(machine, protect, banned, number):
    """Without a daemon the ban stays in the kernel, which ends it by itself."""
    daemon = protect("3s")
    attacker = banned(daemon)
    daemon.end(number)
    assert members(machine) == [attacker]
    assert not machine.connects(attacker, 22, timeout=0.3)
    assert machine.connects(attacker, 22, timeout=10)  # its SYN is sent again until it is let in


def test_a_ban_outlives_a_restart(machine, protect, banned):
    """A daemon that follows one that was killed knows its bans, and can end them."""
    first = protect()
    attacker = banned(first)
    first.end(signal.SIGKILL)
    second = protect()
    assert attacker in second.client("status", "sshd").stdout
    assert not machine.connects(attacker, 22, timeout=0.3)
    assert second.client("unban", attacker).returncode == 0
    assert machine.connects(attacker, 22)


def test_stop_leaves_the_bans(machine, protect, banned):
    """stop ends the daemon with exit code 0, and the sets stay as they are."""
    daemon = protect()
    attacker = banned(daemon)
    assert daemon.client("stop").returncode == 0
    assert daemon.await_end() == 0
    assert members(machine) == [attacker]
    assert not machine.connects(attacker, 22, timeout=0.3)


def test_stop_flush_leaves_nothing(machine, protect, banned):
    """stop --flush takes sets, rules and chain out of the kernel."""
    daemon = protect()
    attacker = banned(daemon)
    assert daemon.client("stop", "--flush").returncode == 0
    assert daemon.await_end() == 0
    assert "banwatch" not in machine.run("ipset", "list", "-name").stdout
    assert "banwatch" not in machine.run("iptables", "-S").stdout
    assert "banwatch" not in machine.run("ip6tables", "-S").stdout
    assert machine.connects(attacker, 22)


def test_a_second_daemon_refuses(machine, protect):
    """Two daemons on one socket would fight over the same sets: the second one ends, and the first goes on."""
    daemon = protect()
    with pytest.raises(RuntimeError, match="another banwatch"):
        protect()
    assert daemon.client("ping").returncode == 0


def test_a_dry_run_bans_nobody(machine, sshd, protect, guess, strangers):
    """With --dry-run the decision is told, and neither set nor rule is made."""
    daemon = protect("1h", "--dry-run")
    attacker = strangers.ip4()
    for _ in range(3):
        guess.ssh(attacker)
    daemon.await_line(rf"\[sshd\] Would ban {attacker}$")
    assert machine.connects(attacker, 22)
