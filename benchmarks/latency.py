"""
How long it takes from a written line until the kernel has the address: single attackers, and ten thousand in one burst.

    make bench BENCH=benchmarks/latency.py ARGS='--count 2000'

A real `banwatch run` on a machine within this machine follows auth.log there. For each attacker as many failures as the sshd
jail allows are written in one write; then the kernel is asked for the address again and again, past banwatch, until it is in
the set. The clock starts before the write, so each figure holds the write, the way of the line, the acknowledged netlink
message, and up to one pause between questions, about 0.1 ms; without pauses we would take the processor that the daemon wants.
Needs root; one JSON object goes to stdout.
"""

import argparse
import json
import os
import random
import socket
import struct
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from demo.daemon import Daemon
from demo.machine import Machine

FAILURES = 3
BURST = 10_000
SET = "banwatch-sshd-4"
PATIENCE = 30.0
PAUSE = 0.00005


class Kernel:
    """Asks the kernel about an ipset; Linux include/uapi/linux/netfilter/ipset/ip_set.h."""

    LIST, TEST, FLAG_LIST_HEADER = 7, 11, 1 << 2
    REQUEST, ACK = 1, 4

    def __init__(self, machine: Machine) -> None:
        with machine.in_network():
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)  # NETLINK_NETFILTER
        self._socket.settimeout(PATIENCE)

    def holds(self, address: str) -> bool:
        """Whether the address is in the set."""
        ip = attribute(1 | 0x8000, attribute(1 | 0x4000, socket.inet_aton(address)))
        reply = self._ask(self.TEST, attribute(7 | 0x8000, ip))
        return struct.unpack_from("=i", reply, 16) == (0,)

    def count(self) -> int:
        """How many addresses are in the set."""
        reply = self._ask(self.LIST, attribute(6 | 0x4000, struct.pack(">I", self.FLAG_LIST_HEADER)))
        # ELEMENTS (24) is the last number inside DATA: length 8, type 24 with the flag for byte order
        at = reply.find(struct.pack("=HH", 8, 24 | 0x4000))
        return struct.unpack_from(">I", reply, at + 4)[0] if at > 0 else 0

    def _ask(self, command: int, more: bytes) -> bytes:
        body = struct.pack(">BBH", socket.AF_INET, 0, 0) + attribute(1, b"\x06") + attribute(2, SET.encode() + b"\0") + more
        self._socket.send(struct.pack("=IHHII", 16 + len(body), 6 << 8 | command, self.REQUEST | self.ACK, 0, 0) + body)
        reply = self._socket.recv(65536)
        if struct.unpack_from("=H", reply, 4) != (2,):
            self._socket.recv(65536)  # the acknowledgement that follows an answer
        return reply


def attribute(kind: int, value: bytes) -> bytes:
    """A netlink attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def failures(address: str) -> bytes:
    """What sshd would write about as many wrong passwords as it takes."""
    line = f"{datetime.now(UTC).isoformat()} mx sshd[4242]: Failed password for root from {address} port 4242 ssh2\n"
    return line.encode() * FAILURES


def address(number: int) -> str:
    """One of 131,072 addresses of 198.18.0.0/15."""
    return socket.inet_ntoa(struct.pack(">I", 0xC6120000 + number))


def measure_one(log: int, kernel: Kernel, who: str) -> float:
    """Seconds from the write until the kernel has the address."""
    lines = failures(who)
    start = time.perf_counter()
    os.write(log, lines)
    while not kernel.holds(who):
        if time.perf_counter() - start > PATIENCE:
            raise TimeoutError(f"{who} is not banned after {PATIENCE:g} s")
        time.sleep(PAUSE)
    return time.perf_counter() - start


def measure_burst(log: int, kernel: Kernel, first: int) -> float:
    """Seconds from the write of all lines until the kernel has all addresses."""
    lines = b"".join(failures(address(first + n)) for n in range(BURST))
    expected = kernel.count() + BURST
    start = time.perf_counter()
    while lines:
        lines = lines[os.write(log, lines) :]
    while kernel.count() < expected:
        if time.perf_counter() - start > PATIENCE:
            raise TimeoutError(f"{expected - kernel.count()} of {BURST} are not banned after {PATIENCE:g} s")
        time.sleep(0.001)
    return time.perf_counter() - start


def main() -> None:
    """Measures, and prints milliseconds and seconds."""
    parser = argparse.ArgumentParser(description="From the written line to the address in the kernel's set.")
    parser.add_argument("--count", type=int, default=1000, help="single attackers, up to 100000 (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the pauses between them (default: %(default)s)")
    args = parser.parse_args()
    pauses = random.Random(args.seed)
    with Machine() as machine:
        path = machine.path("/var/log/auth.log")
        path.touch()
        log = os.open(path, os.O_WRONLY | os.O_APPEND)
        with Daemon(machine):
            kernel = Kernel(machine)
            for number in range(20):
                measure_one(log, kernel, address(number))
            taken = []
            for number in range(20, 20 + args.count):
                time.sleep(pauses.uniform(0.001, 0.01))  # the daemon sleeps when the next line comes, as it mostly does
                taken.append(measure_one(log, kernel, address(number)))
            burst = measure_burst(log, kernel, 20 + args.count)
    taken.sort()
    percentile = {f"p{p:g}": round(1000 * taken[min(len(taken) - 1, int(len(taken) * p / 100))], 3) for p in (50, 90, 99, 99.9)}
    print(json.dumps({"count": len(taken), "milliseconds": percentile | {"max": round(1000 * taken[-1], 3)}, "burst": BURST,
                      "burst_seconds": round(burst, 3)}))  # fmt: skip


if __name__ == "__main__":
    main()
