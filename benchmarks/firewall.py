"""
How fast the kernel gets its bans, in a network namespace of its own; needs root.

    python benchmarks/firewall.py [--json]

Measured, with ipset and with nftables: one ban after the other, 10,000 in one burst, 100,000 in one call and the listing of
them, for IPv4 and IPv6; a start that finds its rules and sets; memory and time that importing the backends takes.
"""

import argparse
import asyncio
import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import cycle
from pathlib import Path
from typing import Literal

from banwatch.config.model import FirewallSpec, JailSpec
from banwatch.firewall.base import Firewall
from banwatch.firewall.open import open_firewall
from banwatch.model import Ban, Target

CLONE_NEWNET = 0x40000000
JAIL = JailSpec("bench", ports=((22, 22),))

Backend = Literal["ipset", "nftables"]
BACKENDS: tuple[Backend, ...] = ("ipset", "nftables")

IMPORT = """
import asyncio, socket, struct, subprocess, sys, time
def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
import banwatch.config.model, banwatch.address
modules, memory, start = len(sys.modules), resident(), time.perf_counter()
import {}
print(len(sys.modules) - modules, (resident() - memory) / 1024, 1000 * (time.perf_counter() - start))
"""


def hosts4(count: int, first: int = 10) -> list[str]:
    return [f"{first}.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(count)]


def nets6(count: int) -> list[str]:
    return [f"2001:db8:{n >> 8:x}:{(n & 255) + 1:x}::/64" for n in range(0x100, 0x100 + count)]


def bans(whos: list[str], until: float) -> list[Ban]:
    return [Ban("bench", Target("net", who), "ip", 0.0, until) for who in whos]


async def members(firewall: Firewall) -> set[str]:
    """Everybody in all sets."""
    return {who for holding in await firewall.holdings() for who in (await firewall.members(holding.name)).left}


async def seconds(work: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


async def singles(firewall: Firewall, given: list[Ban], now: float) -> list[float]:
    """Seconds of each ban when they come one by one, sorted."""
    return sorted([await seconds(lambda ban=ban: firewall.ban([ban], now)) for ban in given])  # type: ignore[misc]


async def least_cpu(work: Callable[[], Awaitable[object]]) -> float:
    """CPU seconds of the best of many times."""
    best = float("inf")
    for _ in range(100):
        start = time.process_time()
        await work()
        best = min(best, time.process_time() - start)
    return best


async def longest_hold(work: Awaitable[object]) -> float:
    """CPU seconds for which others had to wait, at most, while the loop did `work`."""
    task = asyncio.ensure_future(work)
    longest, last = 0.0, time.process_time()
    while not task.done():
        await asyncio.sleep(0)
        now = time.process_time()
        longest, last = max(longest, now - last), now
    return longest


async def beside(work: Awaitable[object], firewall: Firewall, given: list[Ban], now: float) -> float:
    """Seconds of the slowest ban while `work` goes on."""
    task = asyncio.ensure_future(work)
    slowest = 0.0
    for ban in cycle(given):
        slowest = max(slowest, await seconds(lambda ban=ban: firewall.ban([ban], now)))  # type: ignore[misc]
        await asyncio.sleep(0)
        if task.done():
            break
    return slowest


async def measure(backend: Backend) -> dict[str, float]:
    now = time.time()
    until = now + 3600
    found: dict[str, float] = {}
    firewall = await open_firewall(FirewallSpec(backend))
    found["setup, nothing there, ms"] = 1e3 * await seconds(lambda: firewall.setup([JAIL]))
    found["setup, all there, ms"] = 1e3 * await seconds(lambda: firewall.setup([JAIL]))
    found["sizes of all sets, CPU us"] = 1e6 * await least_cpu(firewall.holdings)
    each = await singles(firewall, bans(hosts4(20_000, 11), until), now)
    found["one ban, p50, us"] = 1e6 * each[len(each) // 2]
    found["one ban, p99, us"] = 1e6 * each[len(each) * 99 // 100]
    found["one by one, bans/s"] = len(each) / sum(each)
    burst = bans(hosts4(10_000, 12), until)
    found["10,000 in one call, s"] = await seconds(lambda: firewall.ban(burst, now))
    await firewall.teardown()
    for name, whos in (("IPv4", hosts4(100_000)), ("IPv6 /64", nets6(100_000))):
        await firewall.setup([JAIL])
        many = bans(whos, until)
        took = await seconds(lambda many=many: firewall.ban(many, now))  # type: ignore[misc]
        found[f"100,000 {name}, bans/s"] = len(many) / took
        found[f"100,000 {name}, s"] = took
        found[f"100,000 {name} again, s"] = await seconds(lambda many=many: firewall.ban(many, now))  # type: ignore[misc]
        found[f"100,000 {name} listed, s"] = await seconds(lambda: members(firewall))
        found[f"100,000 {name} listed, longest hold of the loop, ms"] = 1e3 * await longest_hold(firewall.dropped())
        others = bans(hosts4(20_000, 13), until)
        found[f"100,000 {name} listed, slowest ban meanwhile, ms"] = 1e3 * await beside(firewall.dropped(), firewall, others, now)
        await firewall.unban([(ban.jail, ban.target) for ban in others])
        found[f"100,000 {name}, sizes of all sets, CPU us"] = 1e6 * await least_cpu(firewall.holdings)
        keys = [(ban.jail, ban.target) for ban in many]
        assert await members(firewall) == set(whos)
        found[f"100,000 {name} unbanned, s"] = await seconds(lambda keys=keys: firewall.unban(keys))  # type: ignore[misc]
        await firewall.teardown()
    await firewall.close()
    return found


def import_cost(module: str) -> dict[str, float]:
    out = subprocess.run([sys.executable, "-c", IMPORT.format(module)], check=True, capture_output=True, text=True).stdout
    modules, megabytes, milliseconds = map(float, out.split())
    return {
        f"import {module}, modules": modules,
        f"import {module}, MB": megabytes,
        f"import {module}, ms": milliseconds,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip(), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one object instead of lines")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        print("benchmarks/firewall.py: needs root, for a network namespace of its own", file=sys.stderr)
        return 69
    found = import_cost("banwatch.firewall.open")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        print(f"benchmarks/firewall.py: no network namespace: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
        return 69
    for backend in BACKENDS:
        found |= {f"{backend}: {name}": value for name, value in asyncio.run(measure(backend)).items()}
    if arguments.json:
        print(json.dumps({name: round(value, 4) for name, value in found.items()}))
    else:
        print(f"{os.cpu_count()} cores, Linux {os.uname().release}, Python {sys.version.split()[0]}, {Path(sys.executable).name}")
        for name, value in found.items():
            print(f"{name:65} {value:14,.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
