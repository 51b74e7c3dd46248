"""
Debian's own servers on the machine within, with the smallest configurations under which they log as they do everywhere.

Each function returns when its server listens. What they log goes where Debian 12 has it: auth.log and mail.log through rsyslogd,
exim4/mainlog from exim itself.
"""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from demo.machine import ADDRESS4, ADDRESS6, Machine, await_true, child_of

SSH, SMTP, IMAP = 22, 25, 143
ASKPASS = "/run/askpass"
PASSWORD = "wonderland-7"

RSYSLOGD = """\
module(load="imuxsock")
$FileOwner root
$FileGroup adm
$FileCreateMode 0640
$Umask 0022
auth,authpriv.*  /var/log/auth.log
mail.*           /var/log/mail.log
"""

SSHD = """\
Port 22
HostKey /etc/ssh/sandbox_key
PermitRootLogin prohibit-password
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM yes
UseDNS no
MaxStartups 100
"""

EXIM4 = """\
primary_hostname = mx.example.org
daemon_smtp_ports = 25
tls_advertise_hosts =
host_lookup =
rfc1413_query_timeout = 0s
acl_smtp_rcpt = deny
keep_environment =

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{alice}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{alice}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
  server_set_id = $auth1
"""

# Without the two lines of speed a login that fails takes seconds, and more each time.
DOVECOT = """\
protocols = imap
listen = *, ::
ssl = no
disable_plaintext_auth = no
auth_verbose = yes
auth_failure_delay = 0
mail_location = maildir:~/Maildir
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
userdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


def missing(*programs: str) -> str | None:
    """What the services cannot run without here; None when nothing is missing."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [program for program in programs if shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin") is None]
    return f"not installed: {' '.join(absent)}" if absent else None


def start_rsyslogd(machine: Machine) -> None:
    """The system log: from /dev/log to auth.log and mail.log, each of which is made by its first line."""
    machine.write("/etc/rsyslog.conf", RSYSLOGD)
    machine.start("rsyslogd", "-n", "-i", "/run/rsyslogd.pid")
    await_true(machine.path("/dev/log").is_socket, "rsyslogd opens /dev/log")


def start_sshd(machine: Machine) -> int:
    """
    sshd with passwords and PAM, as Debian has it, except that PAM refuses at once and not after two seconds: the process that
    listens, whose children are the sessions.
    """
    machine.write("/etc/ssh/sshd_config", SSHD)
    stack = machine.path("/etc/pam.d/common-auth")
    stack.write_text(stack.read_text().replace("pam_unix.so", "pam_unix.so nodelay"))
    machine.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/sandbox_key")
    listener = machine.start("/usr/sbin/sshd", "-D")
    machine.await_ports(SSH)
    await_true(log(machine, "auth.log").exists, "sshd tells in auth.log that it listens")
    return child_of(listener.pid)


def start_exim4(machine: Machine, config: str | None = None) -> None:
    """exim4 with AUTH PLAIN and LOGIN for one user, or as `config` has it."""
    machine.write("/etc/exim4/exim4.conf", config or EXIM4.format(password=PASSWORD))
    for directory in ("/var/log/exim4", "/var/spool/exim4", "/run/exim4"):
        machine.path(directory).mkdir(parents=True, exist_ok=True)
        shutil.chown(machine.path(directory), "Debian-exim", "adm" if "log" in directory else "Debian-exim")
    machine.start("/usr/sbin/exim4", "-bdf", "-q30m")
    machine.await_ports(SMTP)
    await_true(log(machine, "exim4/mainlog").exists, "exim4 tells in its mainlog that it started")


def start_dovecot(machine: Machine, config: str | None = None) -> None:
    """dovecot with IMAP for one user, or as `config` has it."""
    machine.write("/etc/dovecot/users", f"alice:{{PLAIN}}{PASSWORD}:65534:65534::/nonexistent\n")
    machine.write("/etc/dovecot/dovecot.conf", config or DOVECOT.format())
    machine.start("/usr/sbin/dovecot", "-F")
    machine.await_ports(IMAP)
    await_true(log(machine, "mail.log").exists, "dovecot tells in mail.log that it started")


def never() -> bool:
    """Does not hold."""
    return False


def ssh(machine: Machine, source: str, user: str, password: str, until: Callable[[], bool] = never) -> bool:
    """
    One try of an SSH client at `source` to log in with a password, and whether it could. It is given up when `until` holds: to
    a client that is banned in the middle of its try nobody says so, and it would wait for minutes.
    """
    if not machine.path(ASKPASS).exists():
        machine.write(ASKPASS, '#!/bin/sh\necho "$PASSWORD"\n', 0o755)
    options = {
        "BindAddress": source,
        "BatchMode": "no",
        "ConnectTimeout": "3",
        "LogLevel": "ERROR",
        "NumberOfPasswordPrompts": "1",
        "PreferredAuthentications": "password",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
    }
    argv = ["ssh", "-F", "none", *(f"-o{key}={value}" for key, value in options.items())]
    env = {"SSH_ASKPASS": ASKPASS, "SSH_ASKPASS_REQUIRE": "force", "PASSWORD": password}
    client = machine.start(*argv, "-l", user, ADDRESS6 if ":" in source else ADDRESS4, "true", world=True, env=env)
    await_true(lambda: client.poll() is not None or until(), f"{source} ends its try to log in", within=30)
    if client.poll() is None:
        os.kill(child_of(client.pid), signal.SIGKILL)
    return client.wait() == 0


def log(machine: Machine, name: str) -> Path:
    """A log file of the machine, as it is reached from here."""
    return machine.path(f"/var/log/{name}")
