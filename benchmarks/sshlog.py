"""
Makes logs of sshd to measure with: the same for the same arguments.

Besides the lines of an attack there is what a busy host writes: logins with keys, sessions, cron, sudo. Addresses are from the
ranges for documentation and benchmarks, a tenth of them IPv6.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, tzinfo=UTC)
LINES_A_SECOND = 15
ATTACKERS = 4000
NAMES = ("admin", "oracle", "test", "ubuntu", "git", "postgres", "deploy", "pi", "ftp", "www", "backup", "jenkins")
USERS = ("alice", "bob", "carol", "dave", "erin", "frank")

ATTACK = (
    "sshd[{pid}]: Failed password for root from {ip} port {port} ssh2",
    "sshd[{pid}]: Failed password for root from {ip} port {port} ssh2",
    "sshd[{pid}]: Failed password for invalid user {name} from {ip} port {port} ssh2",
    "sshd[{pid}]: Failed password for invalid user {name} from {ip} port {port} ssh2",
    "sshd[{pid}]: Invalid user {name} from {ip} port {port}",
    "sshd[{pid}]: error: PAM: Authentication failure for root from {ip}",
    "sshd[{pid}]: error: maximum authentication attempts exceeded for root from {ip} port {port} ssh2 [preauth]",
)
ORDINARY = (
    "sshd[{pid}]: Accepted publickey for {user} from 10.0.{byte}.7 port {port} ssh2: ED25519 SHA256:{key}",
    "sshd[{pid}]: pam_unix(sshd:session): session opened for user {user}(uid=1000) by (uid=0)",
    "systemd-logind[612]: New session {pid} of user {user}.",
    "sshd[{pid}]: Received disconnect from 10.0.{byte}.7 port {port}:11: disconnected by user",
    "sshd[{pid}]: Disconnected from user {user} 10.0.{byte}.7 port {port}",
    "sshd[{pid}]: pam_unix(sshd:session): session closed for user {user}",
    "systemd-logind[612]: Session {pid} logged out. Waiting for processes to exit.",
    "CRON[{pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
    "CRON[{pid}]: pam_unix(cron:session): session closed for user root",
    "sudo:    {user} : TTY=pts/0 ; PWD=/home/{user} ; USER=root ; COMMAND=/usr/bin/systemctl status nginx",
    "kernel: [ 1234.567890] eth0: link becomes ready, carrier {pid}",
    "dovecot: imap-login: Login: user=<{user}>, method=PLAIN, rip=10.0.{byte}.7, lip=192.0.2.1, mpid={pid}, TLS",
)


def make_lines(number: int, share: float, seed: int = 1) -> Iterator[str]:
    """`number` lines, of which `share` are an attack's; few attackers are loud and many are quiet."""
    rnd = random.Random(seed)
    attackers = [_address(rnd, index) for index in range(ATTACKERS)]
    for index in range(number):
        second = START + timedelta(seconds=index // LINES_A_SECOND)
        text = rnd.choice(ATTACK if rnd.random() < share else ORDINARY).format(
            pid=1000 + index % 4_000_000,
            ip=attackers[int(ATTACKERS * rnd.random() ** 3)],
            port=rnd.randrange(1024, 65536),
            name=f"{rnd.choice(NAMES)}{rnd.randrange(200)}",
            user=rnd.choice(USERS),
            key="0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
            byte=rnd.randrange(256),
        )
        yield f"{second:%b} {second.day:2} {second:%H:%M:%S} mx {text}\n"


def _address(rnd: random.Random, index: int) -> str:
    if index % 10 == 9:
        return f"2001:db8:{rnd.randrange(1, 65536):x}:{rnd.randrange(1, 65536):x}::{rnd.randrange(1, 65536):x}"
    return f"198.{18 + rnd.randrange(2)}.{rnd.randrange(256)}.{rnd.randrange(1, 255)}"
