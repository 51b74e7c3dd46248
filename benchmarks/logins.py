"""
What a login costs at the doors: requests a second that one core answers, and what an IMAP login takes with them and without.

    make bench BENCH=benchmarks/logins.py ARGS='--count 2000'

A real `banwatch run` on a machine within this machine has Dovecot's door open and a thousand logins banned. Requests like
Dovecot's, `allow` and `report` in turn, come one after the other on one connection; requests by second of the daemon's own
processor time tell what one core could do. The same is done for Exim's socket, a connection for each question. Then a real
Dovecot lets somebody in over IMAP again and again, once asking banwatch before and after, once not asking at all.
Needs root; one JSON object goes to stdout.
"""

import argparse
import imaplib
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from demo.daemon import Daemon
from demo.machine import Machine
from demo.mailhost import KEY, POLICY, start_mailhost
from demo.services import IMAP, PASSWORD

BANNED = 1000
SOURCE = "198.51.100.7"


class _IMAP(imaplib.IMAP4):
    def __init__(self, machine: Machine) -> None:
        self._reach = lambda: machine.connect(SOURCE, IMAP)
        super().__init__()

    def _create_socket(self, timeout: float | None) -> socket.socket:  # noqa: ARG002 - imaplib calls it so
        return self._reach()


def processor(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(daemon: Daemon, count: int, ask: Callable[[int], None]) -> dict[str, float]:
    """`count` questions, one after the other."""
    for number in range(100):
        ask(number)
    before, taken = processor(daemon.pid), []
    for number in range(count):
        began = time.perf_counter()
        ask(number)
        taken.append(time.perf_counter() - began)
    used = processor(daemon.pid) - before
    return {"median_ms": round(median(taken) * 1000, 3), "p99_ms": round(sorted(taken)[-count // 100] * 1000, 3),
            "requests_per_core_second": round(count / used)}  # fmt: skip


def ask_as_dovecot(machine: Machine) -> Callable[[int], None]:
    """A request on one connection, by number."""
    with machine.in_network():
        connection = socket.create_connection(("127.0.0.1", POLICY))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(number: int) -> None:
        command = ("allow", "report")[number % 2]
        told = {"device_id": "", "login": f"user{number % BANNED}", "protocol": "imap", "pwhash": "0a3f", "remote": SOURCE}
        told |= {"session_id": "x", "tls": True}
        told |= {"success": True, "policy_reject": False} if command == "report" else {}
        body = json.dumps(told).encode()
        head = f"POST /?command={command} HTTP/1.1\r\nHost: 127.0.0.1:{POLICY}\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}X-API-Key: {KEY}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        data = b""
        while b'"msg"' not in data:
            data += connection.recv(4096)
        assert data.startswith(b"HTTP/1.1 200")

    return ask


def ask_as_exim(machine: Machine) -> Callable[[int], None]:
    """A question on a connection of its own."""
    path = str(machine.path("/run/banwatch/exim.sock"))

    def ask(_number: int) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            connection.sendall(b"L YWxpY2U= 198.51.100.7")
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(16) == b"ok"

    return ask


def log_in(machine: Machine, count: int) -> list[float]:
    """The time from the password to the answer, in milliseconds: the median, and the fastest tenth's slowest."""
    taken = []
    for _ in range(count):
        client = _IMAP(machine)
        began = time.perf_counter()
        client.login("alice", PASSWORD)
        taken.append(time.perf_counter() - began)
        client.logout()
    return [round(median(taken) * 1000, 3), round(sorted(taken)[count // 10] * 1000, 3)]


def ask_nobody(machine: Machine) -> None:
    """Have Dovecot ask no more."""
    path = machine.path("/etc/dovecot/dovecot.conf")
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("auth_policy_")))
    machine.run("doveadm", "reload")
    time.sleep(1)


def main() -> int:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=4000, help="requests at each door; a twentieth as many logins")
    count = parser.parse_args().count
    with Machine() as machine:
        start_mailhost(machine)
        machine.write("/etc/banwatch/jails.d/mail.yaml", "mail: {enabled: true}\n")
        with Daemon(machine) as daemon:
            daemon.await_line("good logins of the last month are known")
            daemon.client("ban", "-", input="".join(f"login:user{number}\n" for number in range(BANNED)))
            logins = max(20, count // 20)
            result: dict[str, Any] = {
                "dovecot": measure(daemon, count, ask_as_dovecot(machine)),
                "exim": measure(daemon, count, ask_as_exim(machine)),
                "imap_login_ms": {"asking": log_in(machine, logins)},
            }
            ask_nobody(machine)
            log_in(machine, 10)
            result["imap_login_ms"]["not_asking"] = log_in(machine, logins)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
