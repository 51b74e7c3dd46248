"""
Resident memory of a real daemon: idle, with 100,000 tracked addresses, and with as many banned.

    make bench BENCH=benchmarks/memory.py

It runs on a machine within this machine with the logs of sshd, exim4, dovecot and the kernel, so that the four jails are on, and
whatever else looks into these logs. Needs root; one JSON object goes to stdout, in megabytes (10^6 bytes).
"""

import argparse
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.latency import Kernel, address
from demo.daemon import Daemon
from demo.machine import Machine

LOGS = ("/var/log/auth.log", "/var/log/mail.log", "/var/log/exim4/mainlog", "/var/log/kern.log")
PATIENCE = 120.0


def resident(pid: int) -> float:
    """Megabytes that the process has in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return round(next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024 / 1e6, 1)


def fail(log: int, count: int, times: int) -> None:
    """Have `count` addresses fail `times` times each, a few thousand lines at a time."""
    for first in range(0, count, 1000):
        stamp = datetime.now(UTC).isoformat()
        lines = "".join(
            f"{stamp} mx sshd[{number}]: Failed password for root from {address(number)} port 4242 ssh2\n" * times
            for number in range(first, min(count, first + 1000))
        ).encode()
        while lines:
            lines = lines[os.write(log, lines) :]


def failing(daemon: Daemon) -> int:
    """How many addresses the sshd jail tracks."""
    return int(json.loads(daemon.client("status", "sshd", "--json").stdout)["currently_failed"])


def settle(daemon: Daemon, tracked: int, kernel: Kernel | None, bans: int) -> None:
    """Wait until the daemon tracks, and the kernel holds, so many."""
    deadline = time.monotonic() + PATIENCE
    while (kernel.count() if kernel else failing(daemon)) < (bans if kernel else tracked):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.2)


def main() -> None:
    """Measures, and prints megabytes."""
    parser = argparse.ArgumentParser(description="Resident memory of a real daemon.")
    parser.add_argument("--count", type=int, default=100_000, help="addresses, up to 131000 (default: %(default)s)")
    args = parser.parse_args()
    figures = {}
    with Machine() as machine:
        for path in map(machine.path, LOGS):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        log = os.open(machine.path(LOGS[0]), os.O_WRONLY | os.O_APPEND)
        with Daemon(machine) as daemon:
            fail(log, 1, 1)
            settle(daemon, 1, None, 0)
            figures["idle"] = resident(daemon.pid)
            fail(log, args.count, 1)
            settle(daemon, args.count, None, 0)
            figures["tracked"] = resident(daemon.pid)
            fail(log, args.count, 2)
            settle(daemon, 0, Kernel(machine), args.count)
            figures["banned"] = resident(daemon.pid)
    print(json.dumps({"count": args.count, "megabytes": figures}))


if __name__ == "__main__":
    main()
