"""One machine within this machine for all tests here, with Debian's servers on it; a test has its own addresses and daemon."""

import imaplib
import itertools
import smtplib
from contextlib import ExitStack, suppress

import pytest
from demo.daemon import Daemon
from demo.machine import Machine
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


@pytest.fixture(scope="session")
def sshd(machine):
    lacking("sshd", "ssh")
    start_sshd(machine)


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


@pytest.fixture
def guess(machine):
    """Clients that log in with a wrong password once: guess.ssh(source), guess.smtp(source), guess.imap(source)."""
    return Guess(machine)


class Guess:
    def __init__(self, machine):
        self.machine = machine

    def ssh(self, source, user="admin"):
        assert ssh(self.machine, source, user, "wrong").returncode == 255

    def smtp(self, source, user="alice"):
        with _SMTP(self.machine, source) as client, suppress(smtplib.SMTPAuthenticationError):
            client.login(user, "wrong")

    def imap(self, source, user="alice"):
        client = _IMAP(self.machine, source)
        with suppress(imaplib.IMAP4.error):
            client.login(user, "wrong")
        client.logout()


class _SMTP(smtplib.SMTP):
    def __init__(self, machine, source):
        self._connect = lambda: machine.connect(source, SMTP)
        super().__init__("victim", SMTP, local_hostname="stranger.example")

    def _get_socket(self, host, port, timeout):
        return self._connect()


class _IMAP(imaplib.IMAP4):
    def __init__(self, machine, source):
        self._connect = lambda: machine.connect(source, IMAP)
        super().__init__()

    def _create_socket(self, timeout):
        return self._connect()


@pytest.fixture
def protect(machine):
    """
    protect(bantime, *options): a daemon that is ready, with `bantime` for every shipped jail of a server.

    At the end of the test it is told to stop and to flush, or, if it is gone, what it left in the kernel is taken out.
    """
    with ExitStack() as stack:

        def start(bantime="1h", *options):
            jails = "".join(f"{jail}: {{rules: {{ip: {{bantime: {bantime}}}}}}}\n" for jail in ("sshd", "exim4", "dovecot"))
            machine.write("/etc/banwatch/jails.d/test.yaml", jails)
            return stack.enter_context(Daemon(machine, *options))

        yield start
    machine.run("iptables", "-F", "banwatch", check=False)
    machine.run("ip6tables", "-F", "banwatch", check=False)
    for name in machine.run("ipset", "list", "-name").stdout.split():
        machine.run("ipset", "flush", name)
