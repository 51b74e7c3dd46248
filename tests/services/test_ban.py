"""From a wrong password to a timed ban, for each server and address family."""

import re

import pytest

pytestmark = pytest.mark.services

CASES = [
    pytest.param("sshd", "ssh", 22, 3, id="sshd"),
    pytest.param("exim4", "smtp", 25, 5, id="exim4"),
    pytest.param("dovecot", "imap", 143, 5, id="dovecot"),
]


@pytest.mark.parametrize("family", ["ip4", "ip6"])
@pytest.mark.parametrize(("jail", "client", "port", "limit"), CASES)
def test_the_last_guess_closes_the_door(
    request, machine, protect, guess, strangers, banned_for, jail, client, port, limit, family
):
    """After as many wrong passwords as the shipped jail allows the next connection gets no answer; everybody else's does."""
    request.getfixturevalue(jail)
    attacker, neighbour = getattr(strangers, family)(), getattr(strangers, family)()
    daemon = protect()
    for _ in range(limit):
        assert machine.connects(attacker, port)
        getattr(guess, client)(attacker)
    daemon.await_line(rf" WARNING \[{jail}\] Ban {re.escape(banned_for(attacker))}$")
    assert not machine.connects(attacker, port)
    assert machine.connects(neighbour, port)


@pytest.mark.parametrize(("jail", "client", "port", "limit"), CASES)
def test_one_guess_less_changes_nothing(request, machine, protect, guess, strangers, jail, client, port, limit):
    """A guess counts once, whatever number of lines the server and PAM write about it."""
    request.getfixturevalue(jail)
    careful, careless = strangers.ip4(), strangers.ip4()
    daemon = protect()
    for _ in range(limit - 1):
        getattr(guess, client)(careful)
    for _ in range(limit):
        getattr(guess, client)(careless)
    daemon.await_line(rf"\[{jail}\] Ban {careless}$")
    assert not any(f"Ban {careful}" in line for line in daemon.lines)
    assert machine.connects(careful, port)


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_a_ban_ends_on_time(machine, sshd, protect, guess, strangers, banned_for, family):
    """When the bantime is over the attacker can connect again, and the log says so."""
    attacker = getattr(strangers, family)()
    daemon = protect("3s")
    for _ in range(3):
        guess.ssh(attacker)
    daemon.await_line(rf"\[sshd\] Ban {re.escape(banned_for(attacker))}$")
    assert not machine.connects(attacker, 22, timeout=0.3)
    daemon.await_line(rf"\[sshd\] Unban {re.escape(banned_for(attacker))}$")
    assert machine.connects(attacker, 22)


def test_a_login_name_bans_nobody(machine, sshd, protect, guess, strangers):
    """An address inside a login name is a part of the name: who sent it is banned, and nobody else."""
    attacker, named = strangers.ip4(), strangers.ip4()
    daemon = protect()
    for _ in range(3):
        guess.ssh(attacker, user=f"root from {named} port 22 ssh2")
    daemon.await_line(rf"\[sshd\] Ban {attacker}$")
    assert not any(f"Ban {named}" in line for line in daemon.lines)
    assert machine.connects(named, 22)


def test_a_rotated_log_loses_no_guess(machine, sshd, protect, guess, strangers):
    """Guesses before and after a rotation are counted together."""
    attacker = strangers.ip4()
    daemon = protect()
    for _ in range(2):
        guess.ssh(attacker)
    machine.run("mv", "/var/log/auth.log", "/var/log/auth.log.1")
    machine.run("sh", "-c", 'kill -HUP "$(cat /run/rsyslogd.pid)"')
    guess.ssh(attacker)
    daemon.await_line(rf"\[sshd\] Ban {attacker}$")
    assert not machine.connects(attacker, 22)
