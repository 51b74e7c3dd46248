"""An account that is attacked from everywhere: refused by real services with the right password, and not at home."""

import imaplib
import json
import poplib
import smtplib
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from demo.daemon import STATE, Daemon
from demo.machine import Machine, await_true
from demo.mailhost import POP3, start_mailhost
from demo.services import IMAP, PASSWORD, SMTP, log, missing, ssh

pytestmark = pytest.mark.services

HOME = "203.0.113.50"
DOORS = ("imap", "pop3", "smtp", "ssh")
MALLORY = "imap-login: Disconnected (auth failed, 1 attempts in 1 secs): user=<mallory>, method=PLAIN, rip=198.51.100.90"
JAIL = """\
mail:
  enabled: true
  rules:
    login: {limit: 60/1d, bantime: 1h}
    loiter: {limit: 3/1d}
"""


class Clients:
    """Tries to log in as alice, each from a source of its own: whether it could."""

    def __init__(self, machine):
        self.machine = machine

    def imap(self, source, password=PASSWORD):
        client = _IMAP(self.machine, source)
        try:
            client.login("alice", password)
        except imaplib.IMAP4.error as error:
            return _refused(error, "AUTHENTICATIONFAILED")
        finally:
            client.shutdown()
        return True

    def pop3(self, source, password=PASSWORD):
        client = _POP3(self.machine, source)
        try:
            client.user("alice")
            client.pass_(password)
        except poplib.error_proto as error:
            return _refused(error, "[AUTH]")
        finally:
            client.close()
        return True

    def smtp(self, source, password=PASSWORD, user="alice"):
        client = _SMTP(self.machine, source)
        client.ehlo()
        words = b64encode(b"\0".join((b"", user.encode(), password.encode()))).decode()
        code = client.docmd("AUTH", f"PLAIN {words}")[0]
        client.close()
        assert code in (235, 535)
        return code == 235

    def smtp_by_dovecot(self, source, password=PASSWORD):
        """By AUTH LOGIN, which Exim leaves to Dovecot."""
        client = _SMTP(self.machine, source)
        client.ehlo()
        assert client.docmd("AUTH", f"LOGIN {b64encode(b'alice').decode()}")[0] == 334
        code = client.docmd(b64encode(password.encode()).decode())[0]
        client.close()
        assert code in (235, 535)
        return code == 235

    def ssh(self, source, password=PASSWORD):
        return ssh(self.machine, source, "alice", password)

    def every(self, source):
        """By each door, at the same time."""
        with ThreadPoolExecutor(len(DOORS)) as pool:
            return dict(zip(DOORS, pool.map(lambda door: getattr(self, door)(source), DOORS), strict=True))


def _refused(error, how):
    """False if that was what `error` says; anything else is a fault of the test's."""
    if how not in str(error):
        raise error
    return False


class _IMAP(imaplib.IMAP4):
    def __init__(self, machine, source):
        self._reach = lambda: machine.connect(source, IMAP)
        super().__init__()

    def _create_socket(self, timeout):
        return self._reach()


class _POP3(poplib.POP3):
    def __init__(self, machine, source):
        self._reach = lambda: machine.connect(source, POP3)
        super().__init__("victim")

    def _create_socket(self, timeout):
        return self._reach()


class _SMTP(smtplib.SMTP):
    def __init__(self, machine, source):
        self._reach = lambda: machine.connect(source, SMTP)
        super().__init__("victim", SMTP, local_hostname="stranger.example")

    def _get_socket(self, host, port, timeout):
        return self._reach()


@pytest.fixture(scope="module")
def mailhost():
    """A machine of its own, whose services ask."""
    with open_mailhost(asks=True) as machine:
        yield machine


@pytest.fixture(scope="module")
def reading_mailhost():
    """Another one, whose services read files."""
    with open_mailhost(asks=False) as machine:
        yield machine


@contextmanager
def open_mailhost(asks):
    """A machine, in whose logs alice came in from HOME on two days before this one."""
    if reason := missing("ip", "ipset", "iptables", "rsyslogd", "unshare", "nsenter", "sshd", "ssh", "exim4", "dovecot"):
        pytest.skip(reason)
    with ExitStack() as stack:
        try:
            machine = stack.enter_context(Machine())
        except RuntimeError as error:
            pytest.skip(str(error))
        days = [datetime.now(UTC) - timedelta(days=day) for day in (3, 2)]
        line = "{} mx dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip={}, lip=192.0.2.10, mpid=9, session=<x>\n"
        machine.write("/var/log/mail.log.1", "".join(line.format(day.isoformat(), HOME) for day in days))
        start_mailhost(machine, asks=asks)
        yield machine


@pytest.fixture
def clients(mailhost):
    return Clients(mailhost)


@pytest.fixture
def protect(mailhost):
    """protect(jail): a daemon that knows its owners; at the end of the test it is gone, with what it remembers and holds."""
    with protecting(mailhost) as start:
        yield start


@contextmanager
def protecting(mailhost):
    with ExitStack() as stack:

        def start(jail=JAIL):
            mailhost.write("/etc/banwatch/jails.d/mail.yaml", jail)
            daemon = stack.enter_context(Daemon(mailhost))
            daemon.await_line("good logins of the last month are known")
            return daemon

        yield start
    for name in ("auth.log", "mail.log", "exim4/mainlog"):
        log(mailhost, name).write_text("")
    for name in mailhost.run("ipset", "list", "-name").stdout.split():
        mailhost.run("ipset", "flush", name)
    mailhost.run("rm", "-f", STATE, f"{STATE}-wal", f"{STATE}-shm")


def tell(machine, facility, program, text):
    """Have a line in the system log."""
    machine.run("logger", "--priority", f"{facility}.info", "--tag", program, text)


def bans(daemon):
    return [json.loads(line) for line in daemon.client("banned", "--json").stdout.splitlines()]


def failures(daemon, jail="mail"):
    return json.loads(daemon.client("status", jail, "--json").stdout)["total_failed"]


def await_logs(machine, daemon, clients, counted):
    """
    Returns when the logs have been read as far as they are now: what comes after that, and no door tells of, is counted then,
    beside the `counted` attempts.
    """
    tell(machine, "mail", "dovecot", MALLORY)
    tell(machine, "auth", "sshd", "Failed password for mallory from 198.51.100.90 port 4242 ssh2")
    assert not clients.smtp("198.51.100.91", "wrong", user="mallory")
    await_true(lambda: failures(daemon) >= counted + 2 and failures(daemon, "sshd") >= 1, "the logs are read")
    assert failures(daemon) == counted + 2


def test_five_wrong_passwords_count_five(mailhost, protect, clients):
    """
    Over every path: Dovecot's own services, Exim that checks by itself, and Exim behind Dovecot, although door and log tell of
    it, or two logs do; and the same wrong password again and again counts once.
    """
    daemon = protect()

    def guess(number, door):
        return [getattr(clients, door)(f"198.51.100.{number}", f"wrong-{turn}") for turn in range(5)]

    paths = {101: "imap", 102: "pop3", 103: "smtp", 104: "smtp_by_dovecot"}
    with ThreadPoolExecutor(4) as pool:
        assert not any(map(any, pool.map(guess, paths, paths.values())))
    assert not any(clients.imap("198.51.100.105", "old-password") for _ in range(3))
    assert clients.smtp_by_dovecot("198.51.100.106")
    await_logs(mailhost, daemon, clients, 21)


def test_an_attack_from_everywhere(mailhost, protect, clients):
    """
    Thirty addresses fail twice each, over three services, which counts sixty: the login is banned, by all four doors, with the
    right password, and not at home; what is refused is counted nowhere and prolongs nothing. When the ban ends all is as before.
    """
    daemon = protect()

    def guess(number):
        door = DOORS[number % 3]
        return [getattr(clients, door)(f"198.51.100.{number + 1}", f"wrong-{number}-{turn}") for turn in range(2)]

    with ThreadPoolExecutor(10) as pool:
        assert not any(any(could) for could in pool.map(guess, range(29)))
    assert not clients.imap("198.51.100.30", "wrong-30-0")
    assert bans(daemon) == []
    assert not clients.imap("198.51.100.30", "wrong-30-1")
    assert daemon.await_line(r"\[mail\] Ban login:(\S+)$")[1] == "alice"
    [ban] = bans(daemon)
    assert (ban["rule"], ban["enforced"]) == ("login", True)

    assert clients.every("198.51.100.40") == dict.fromkeys(DOORS, False)
    assert clients.every(HOME) == dict.fromkeys(DOORS, True)
    for number in range(41, 46):
        assert not clients.smtp(f"198.51.100.{number}")
        assert not clients.imap(f"198.51.100.{number}")
    await_logs(mailhost, daemon, clients, 60)
    assert failures(daemon, "sshd") == 1
    assert [(each["who"], each["until"]) for each in bans(daemon)] == [("alice", ban["until"])]

    assert daemon.client("unban", "login:Alice").returncode == 0
    assert clients.every("198.51.100.47") == dict.fromkeys(DOORS, True)


def test_a_ban_by_hand_ends_on_time(protect, clients):
    """It holds by all doors when the command returns, and at its end by none."""
    daemon = protect()
    assert daemon.client("ban", "login:alice", "--for", "4s").returncode == 0
    assert clients.every("198.51.100.50") == dict.fromkeys(DOORS, False)
    daemon.await_line(r"\[manual\] Unban login:alice$")
    assert clients.every("198.51.100.51") == dict.fromkeys(DOORS, True)


def test_by_force_also_at_home(protect, clients):
    """A ban that was forced knows no home."""
    daemon = protect()
    assert daemon.client("ban", "login:alice", "--force").returncode == 0
    assert clients.every(HOME) == dict.fromkeys(DOORS, False)
    assert "also from 203.0.113.0/24" in daemon.client("status", "--logins").stdout


def test_without_a_daemon(mailhost, protect, clients):
    """Who asks is let in when nobody answers; the file for PAM ends by `logins --sync`."""
    daemon = protect()
    daemon.client("ban", "login:alice", "--for", "2s")
    daemon.end(9)
    assert {door: getattr(clients, door)("198.51.100.60") for door in ("imap", "pop3", "smtp")} == dict.fromkeys(DOORS[:3], True)
    access = mailhost.path("/run/state/logins/pam-access")
    assert "-:alice:" in access.read_text()
    program = daemon.argv[0]

    def is_over():
        mailhost.run(program, "logins", "--sync")
        return "alice" not in access.read_text()

    await_true(is_over, "the ban ends")
    assert clients.ssh("198.51.100.61")


def test_a_restart(mailhost, protect, clients):
    """A ban of a login outlives a daemon that is killed, and so does who is at home where."""
    daemon = protect()
    daemon.client("ban", "login:alice", "--for", "1h")
    daemon.end(9)
    with Daemon(mailhost) as second:
        assert [ban["who"] for ban in bans(second)] == ["alice"]
        assert clients.every("198.51.100.63") == dict.fromkeys(DOORS, False)
        assert clients.every(HOME) == dict.fromkeys(DOORS, True)


def test_stop_flush_leaves_no_login_banned(mailhost, protect, clients):
    """Neither by who asks nor by a file."""
    daemon = protect()
    daemon.client("ban", "login:alice")
    assert daemon.client("stop", "--flush").returncode == 0
    assert daemon.await_end() == 0
    assert "alice" not in mailhost.path("/run/state/logins/pam-access").read_text()
    assert clients.ssh("198.51.100.64")


def test_open_sessions_end(protect, mailhost):
    """doveadm ends the session that is open when its login is banned."""
    daemon = protect()
    client = _IMAP(mailhost, "198.51.100.62")
    client.login("alice", PASSWORD)
    daemon.client("ban", "login:alice")
    client.sock.settimeout(10)
    said = b""
    while data := client.sock.recv(4096):
        said += data
    assert said.startswith(b"* BYE")
    client.shutdown()


def test_looking_for_mailboxes(protect, mailhost):
    """Thirty-five rejected recipients from one address ban it."""
    daemon = protect()
    client = _SMTP(mailhost, "198.51.100.70")
    client.ehlo()
    client.mail("a@example.net")
    for number in range(35):
        assert client.rcpt(f"user{number}@example.org")[0] == 550
    client.close()
    daemon.await_line(r"\[mail\] Ban 198\.51\.100\.70$")
    assert not mailhost.connects("198.51.100.70", SMTP, timeout=0.3)


def test_saying_nothing(protect, mailhost):
    """Connections that idle until the server loses patience have a limit of their own."""
    daemon = protect()
    connections = [mailhost.connect("198.51.100.71", SMTP) for _ in range(3)]
    daemon.await_line(r"\[mail\] Ban 198\.51\.100\.71$")
    for connection in connections:
        connection.close()


def test_a_session_that_is_open_sends_no_more(protect, mailhost):
    """Exim asks again before each message of somebody who has logged in before the ban."""
    daemon = protect()
    client = _SMTP(mailhost, "198.51.100.80")
    client.ehlo()
    words = b64encode(f"\0alice\0{PASSWORD}".encode()).decode()
    assert client.docmd("AUTH", f"PLAIN {words}")[0] == 235
    assert client.mail("alice@example.org")[0] == 250
    assert client.rset()[0] == 250
    daemon.client("ban", "login:alice")
    assert client.mail("alice@example.org")[0] == 550
    client.close()


def test_services_that_read_files(reading_mailhost):
    """Files refuse by all doors who has no networks of his own, which is where they do not refuse anybody else."""
    clients = Clients(reading_mailhost)
    with protecting(reading_mailhost) as protect:
        daemon = protect()
        daemon.client("ban", "login:alice")
        assert clients.ssh("198.51.100.81") is False
        assert clients.imap("198.51.100.81") is True
        daemon.client("ban", "login:alice", "--force", "--for", "2d")
        await_true(lambda: not clients.imap("198.51.100.82"), "Dovecot looks at its file, which it does once in a second")
        assert clients.every("198.51.100.82") == dict.fromkeys(DOORS, False)
        assert clients.every(HOME) == dict.fromkeys(DOORS, False)
        assert daemon.client("unban", "login:alice").returncode == 0
        await_true(lambda: clients.imap("198.51.100.83"), "Dovecot reads its file again")
        assert clients.every("198.51.100.84") == dict.fromkeys(DOORS, True)
        await_logs(reading_mailhost, daemon, clients, 0)
        assert failures(daemon, "sshd") == 1
