"""
What counting costs: memory per tracked address, time per attempt, per ban and per sweep.

    python benchmarks/counting.py [--json]

The jail is the shipped sshd jail's shape (3 attempts in 600 s, by address), and one that counts by network and by login as
well. Each figure is the best of five runs; memory is resident memory and measured first, before anything was freed.
"""

import argparse
import gc
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from banwatch.config.model import JailSpec, Limit, Rule
from banwatch.jail.ignoreip import Guard
from banwatch.jail.jail import Jail
from banwatch.model import Match

TRACKED = 100_000
START = 1_763_600_000.25
AUTH = frozenset({"auth"})
IP = Rule("ip", AUTH, "ip", Limit(3, 600.0), 1800.0)
NET = Rule("net", AUTH, "net", Limit(30, 3600.0), 7200.0)
LOGIN = Rule("login", AUTH, "login", Limit(100, 3600.0), 7200.0)
GUARD = Guard(["192.0.2.0/24", "10.0.0.0/8"], own=["198.51.100.10", "2001:db8::10"], onlink=["2001:db8::/64"])


def make_jail(*rules: Rule) -> Jail:
    return Jail(JailSpec("sshd", rules=rules), GUARD)


def make_matches(addresses: Iterator[str], logins: int = 50) -> list[Match]:
    """One line each; every text is an object of its own, as if it had been cut from a line."""
    return [
        Match(0, "sshd", "auth", None, ip, f"user{number % logins}", 1, 0, False, None, "", 0, {})
        for number, ip in enumerate(addresses)
    ]


def spray4(number: int) -> Iterator[str]:
    return (f"{100 + (i >> 16)}.{i >> 8 & 255}.{i & 255}.7" for i in range(number))


def spray6(number: int) -> Iterator[str]:
    return (f"2001:db8:{i >> 16:x}:{i & 65535:x}::7" for i in range(number))


def few(number: int) -> Iterator[str]:
    return (f"198.18.{i % 200}.7" for i in range(number))


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def measure_memory(*rules: Rule) -> dict[str, float]:
    """Bytes per tracked address, and MB that are left when all of them are over."""
    jail = make_jail(*rules)
    before = resident()
    for number, ip in enumerate(spray4(TRACKED)):
        at = START + number / 1000
        jail.feed(Match(0, "sshd", "auth", None, ip, f"user{number % 50}", 1, 0, False, None, "", 0, {}), at, at)
    full = resident()
    at += 7200
    while jail.sweep(at) is not None:
        at += 60
    return {
        "bytes_per_address": (full - before) / TRACKED,
        "mb_in_all": (full - before) / 1e6,
        "mb_left": (resident() - before) / 1e6,
    }


def best(run: Callable[[], int]) -> float:
    """Nanoseconds per piece of `run`, which gives the number of pieces."""
    found = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        pieces = run()
        found = min(found, (time.perf_counter() - begun) / pieces)
    return found * 1e9


def feed_all(matches: list[Match], step: float, *rules: Rule) -> Callable[[], int]:
    times = [START + step * number for number in range(len(matches))]

    def run() -> int:
        feed = make_jail(*rules).feed
        for match, at in zip(matches, times, strict=True):
            feed(match, at, at)
        return len(matches)

    return run


def sweep_all() -> float:
    """Milliseconds that the longest of the sweeps takes which drop 100,000 addresses."""
    jail = make_jail(IP)
    for match in make_matches(spray4(TRACKED)):
        jail.feed(match, START, START)
    longest = 0.0
    while sum(jail.tracked().values()):
        begun = time.perf_counter()
        jail.sweep(START + 7200)
        longest = max(longest, time.perf_counter() - begun)
    return longest * 1e3


def measure() -> Iterator[tuple[str, float, str]]:
    for name, rules in (("by address", (IP,)), ("by address, network and login", (IP, NET, LOGIN))):
        memory = measure_memory(*rules)
        yield f"memory per address tracked {name}", memory["bytes_per_address"], "bytes"
        yield f"memory of {TRACKED:,} addresses {name}", memory["mb_in_all"], "MB"
        yield "left of it when all is over", memory["mb_left"], "MB"
    number = TRACKED // 2
    once = Rule("ip", AUTH, "ip", Limit(1, 600.0), 1800.0)
    for name, addresses, step, rules in (
        ("attempt, 200 IPv4 attackers that stay below the limit", few, 2.0, (IP,)),
        ("attempt, 200 IPv4 attackers that are banned again and again", few, 0.05, (IP,)),
        ("attempt, each from a new IPv4 address", spray4, 0.001, (IP,)),
        ("attempt, each from a new IPv6 network", spray6, 0.001, (IP,)),
        ("attempt, three rules, 200 IPv4 attackers", few, 2.0, (IP, NET, LOGIN)),
        ("ban, each attempt one", spray4, 0.001, (once,)),
    ):
        yield name, best(feed_all(make_matches(addresses(number)), step, *rules)), "ns"
    yield "longest sweep while 100,000 addresses expire", sweep_all(), "ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one object per line")
    as_json = parser.parse_args().json
    for what, value, unit in measure():
        if as_json:
            print(json.dumps({"what": what, "value": round(value, 3), "unit": unit}))
        else:
            print(f"{what:<62} {value:>10,.1f} {unit}")


if __name__ == "__main__":
    main()
