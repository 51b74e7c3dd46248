"""What the store takes: user and system seconds of the process, the best of some runs. `python benchmarks/store.py`."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

from banwatch.model import Ban, Target
from banwatch.store.database import Database
from banwatch.store.values import Batch, Delta

NOW = 1_700_000_000.0
RUNS = 5


def address(number: int) -> str:
    """One of very many."""
    return f"198.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def ban(number: int) -> Ban:
    """As a rule makes it."""
    return Ban(
        "sshd", Target("net", address(number)), "ip", NOW, NOW + 600 + number, "ip", "rule", 3, True, "3 attempts in 600 s"
    )


def measure(what: str, work: Callable[[], object], prepare: Callable[[], object] = lambda: None) -> None:
    """Prints the best of RUNS."""
    best = []
    for _ in range(RUNS):
        prepare()
        cpu, wall = process_time(), perf_counter()
        work()
        best.append((process_time() - cpu, perf_counter() - wall))
    print(f"{what:50} {min(best)[0] * 1e3:8.1f} ms CPU {min(wall for _, wall in best) * 1e3:8.1f} ms")


def resident() -> float:
    """MB of memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Measure all of it."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        path = Path(directory) / "banwatch.db"
        database = Database.open(path)

        def write(**fields: object) -> None:
            database.write(Batch(at=NOW, **fields))  # type: ignore[arg-type]

        keys = [(address(number * 7919 & 0xFFFFFF), (NOW + number, "root")) for number in range(100_000)]
        many, some = [Delta("sshd", "ip", "", keys)], [Delta("sshd", "ip", "", keys[::10])]
        bans = [ban(number * 7919 & 0xFFFFFF) for number in range(100_000)]
        measure("100,000 keys of a window, all anew", lambda: write(windows=many, all_windows=True))
        measure("10,000 changed keys", lambda: write(windows=some))
        measure("1 changed key", lambda: write(windows=[Delta("sshd", "ip", "", keys[:1])]))
        measure("100,000 bans, all anew", lambda: write(bans=bans, windows=many, whole=True))
        measure("10,000 bans", lambda: write(bans=bans[::10]))
        measure("read 100,000 bans and 100,000 keys", database.load)
        before = resident()
        saved = database.load()
        print(f"{'memory of these':50} {resident() - before:8.1f} MB")
        print(f"{'the file':50} {path.stat().st_size / 1e6:8.1f} MB")
        assert len(saved.bans) == 100_000
        database.close()


if __name__ == "__main__":
    main()
