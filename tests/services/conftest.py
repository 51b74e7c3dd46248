"""One machine within this machine for all tests here, with Debian's servers on it; a test has its own addresses and daemon."""

import imaplib
import itertools
import os
import signal
import smtplib
from base64 import b64encode
from contextlib import ExitStack

import pytest
from demo.daemon import STATE, Daemon
from demo.machine import Machine, children_of
from demo.services import IMAP, SMTP, missing, ssh, start_dovecot, start_exim4, start_rsyslogd, start_sshd


def lacking(*programs):
    """Skips the test if a program is missing here."""
    if reason := missing(*programs):
        pytest.skip(reason)


@pytest.fixture(scope="session")
def machine():
    """The machine, with a system log."""
    lacking("ip", "ipset", "iptables", "rsyslogd", "unshare", "nsenter")
    with ExitStack() as stack:
        try:
            machine = stack.enter_context(Machine())
        except RuntimeError as error:
            pytest.skip(str(error))
        start_rsyslogd(machine)
        yield machine


_listeners = []
"""Each sshd that was started; its children are sessions."""


@pytest.fixture(scope="session")
def sshd(machine):
    lacking("sshd", "ssh")
    _listeners.append(start_sshd(machine))


@pytest.fixture(scope="session")
def exim4(machine):
    lacking("exim4")
    start_exim4(machine)


@pytest.fixture(scope="session")
def dovecot(machine):
    lacking("dovecot")
    start_dovecot(machine)


_numbers = itertools.count(1)


class Strangers:
    """Addresses that nobody had before."""

    def ip4(self):
        return f"198.51.100.{next(_numbers)}"

    def ip6(self):
        """An address in a /64 of its own."""
        return f"2001:db8:bad:{next(_numbers):x}::7"


@pytest.fixture
def strangers():
    return Strangers()


class Guess:
    """Clients that log in with a wrong password once, from a source of their own."""

    def __init__(self, machine):
        self.machine = machine
        self.daemons = []

    def ssh(self, source, user="admin"):
        banned = f" Ban {banned_for(source)}"
        assert not ssh(self.machine, source, user, "wrong", until=lambda: any(daemon.said(banned) for daemon in self.daemons))

    # These two leave without a word: whoever is banned by then would wait for an answer.
    def smtp(self, source, user="alice"):
        client = _SMTP(self.machine, source)
        client.ehlo()
        words = b64encode(b"\0".join((b"", user.encode(), b"wrong"))).decode()
        assert client.docmd("AUTH", f"PLAIN {words}")[0] == 535
        client.close()

    def imap(self, source, user="alice"):
        client = _IMAP(self.machine, source)
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            client.login(user, "wrong")
        client.shutdown()


@pytest.fixture
def guess(machine):
    return Guess(machine)


def banned_for(source):
    """What is banned when `source`, one of the strangers, is: the address, or its /64."""
    return f"{source.removesuffix('7')}/64" if ":" in source else source


@pytest.fixture(name="banned_for")
def fixture_banned_for():
    return banned_for


class _SMTP(smtplib.SMTP):
    def __init__(self, machine, source):
        self._reach = lambda: machine.connect(source, SMTP)
        super().__init__("victim", SMTP, local_hostname="stranger.example")

    def _get_socket(self, host, port, timeout):
        return self._reach()


class _IMAP(imaplib.IMAP4):
    def __init__(self, machine, source):
        self._reach = lambda: machine.connect(source, IMAP)
        super().__init__()

    def _create_socket(self, timeout):
        return self._reach()


@pytest.fixture
def protect(machine, guess):
    """
    protect(bantime, *options): a daemon that is ready, with `bantime` for every shipped jail of a server.

    At the end of the test it is gone, and so are the sessions of strangers that it cut in the middle, and all bans.
    """
    with ExitStack() as stack:

        def start(bantime="1h", *options):
            jails = "".join(f"{jail}: {{rules: {{ip: {{bantime: {bantime}}}}}}}\n" for jail in ("sshd", "exim4", "dovecot"))
            machine.write("/etc/banwatch/jails.d/test.yaml", jails)
            daemon = stack.enter_context(Daemon(machine, *options))
            guess.daemons.append(daemon)
            return daemon

        yield start
    for session in [child for listener in _listeners for child in children_of(listener)]:
        os.kill(session, signal.SIGKILL)
    machine.run("iptables", "-F", "banwatch", check=False)
    machine.run("ip6tables", "-F", "banwatch", check=False)
    for name in machine.run("ipset", "list", "-name").stdout.split():
        machine.run("ipset", "flush", name)
    machine.run("rm", "-f", STATE, f"{STATE}-wal", f"{STATE}-shm")
