"""
How many lines of a log are read, matched, dated, counted and decided in a second of processor time.

    make bench BENCH=benchmarks/throughput.py ARGS='--lines 1000000'

Measured: `banwatch replay` on logs of sshd of which 1 %, 20 % and 100 % are an attack, and beside it, where they are installed,
fail2ban-regex (match and date alone) and sshg-parser (match alone); one jail against forty on the same file; and lines made to
keep a regex busy, against each shipped filter and against a regex of somebody else's. The figures are of processor time, the
best of several runs, with and without what it takes to start. A line of JSON for each with --json.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from sshlog import make_lines

from banwatch.config.load import load_config
from banwatch.config.model import FilterSpec
from banwatch.config.paths import shipped_dir
from banwatch.filter import Lens, Scanner, compile_filter
from banwatch.model import Chunk, Position

SHARES = (0.01, 0.2, 1.0)
JAILS = 40
BANWATCH = Path(sys.executable).with_name("banwatch")
SSHG_PARSER = ("/usr/libexec/sshguard/sshg-parser", "/usr/lib/sshguard/sshg-parser", "/usr/libexec/sshg-parser")
HOSTILE = 65_000
CATASTROPHE = r"^x(?:(?:a|aa)+)+ from <HOST>(?<=7)$"

Row = tuple[str, str, float, str]


def processor_seconds(command: Sequence[str], stdin: Path | None = None) -> float:
    """What a command takes, with its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (stdin or Path("/dev/null")).open("rb") as given:
        subprocess.run(command, stdin=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def best(run: Callable[[], float], times: int) -> float:
    return min(run() for _ in range(times))


def replay(*arguments: str) -> list[str]:
    return [str(BANWATCH), "replay", "--json", *arguments]


def write_jails(directory: Path, filters: Sequence[str]) -> None:
    """A configuration with a jail for each of `filters`, all on one file, and none of those that are shipped."""
    (directory / "jails.d").mkdir(parents=True)
    lines = [line for path in sorted((shipped_dir() / "jails").glob("*.yaml")) for line in (f"{path.stem}:", "  enabled: false")]
    for number, name in enumerate(filters):
        lines += [f"jail-{number}:", "  enabled: true", f"  watch: {{{name}: {{logs: [/var/log/auth.log]}}}}"]
        lines += ["  rules: {ip: {count: [auth], by: ip, limit: 3/10m, bantime: 30m}}", "  ports: [22]"]
    (directory / "jails.d" / "many.yaml").write_text("\n".join(lines) + "\n")


def measure_shares(directory: Path, lines: int, times: int) -> Iterator[Row]:
    empty = directory / "empty.log"
    empty.touch()
    start = best(lambda: processor_seconds(replay("--jail", "sshd", str(empty))), times)
    yield "start of banwatch replay", "", start, "s"
    parser = next((path for path in SSHG_PARSER if Path(path).exists()), None)
    fail2ban = shutil.which("fail2ban-regex")
    for share in SHARES:
        path = directory / f"{share}.log"
        what = f"{share:.0%} attack"
        seconds = best(lambda path=path: processor_seconds(replay("--jail", "sshd", str(path))), times)  # type: ignore[misc]
        yield "banwatch replay", what, lines / seconds / 1000, "thousand lines/s"
        yield "banwatch replay without its start", what, lines / (seconds - start) / 1000, "thousand lines/s"
        if parser is not None:
            took = best(lambda path=path: processor_seconds([parser], path), times)  # type: ignore[misc]
            yield "sshg-parser", what, lines / took / 1000, "thousand lines/s"
        if fail2ban is not None:
            took = processor_seconds([fail2ban, str(path), "sshd"])
            yield "fail2ban-regex", what, lines / took / 1000, "thousand lines/s"


def measure_jails(directory: Path, times: int) -> Iterator[Row]:
    """Lines per second with forty jails, as a share of those with one."""
    empty = directory / "empty.log"
    empty.touch()
    others = sorted({path.stem for path in (shipped_dir() / "filters").glob("*.yaml")} - {"sshd"})
    setups = {
        "one jail": ["sshd"],
        "as many filters as there are": ["sshd", *others, *others][:JAILS],
        "all with the same filter": ["sshd"] * JAILS,
    }
    took: dict[float, float] = {}
    for number, (what, filters) in enumerate(setups.items()):
        config = directory / f"config-{number}"
        write_jails(config, filters)
        start = best(lambda config=config: processor_seconds(replay("--config", str(config), str(empty))), times)  # type: ignore[misc]
        for share in SHARES:
            command = replay("--config", str(config), str(directory / f"{share}.log"))
            seconds = best(lambda command=command: processor_seconds(command), times) - start  # type: ignore[misc]
            if len(filters) == 1:
                took[share] = seconds
            else:
                yield f"{len(filters)} jails, {what}", f"{share:.0%} attack", took[share] / seconds, "of the speed of one"


def hostile_lines(regexes: Sequence[str]) -> list[str]:
    """Messages that begin as a regex asks for, and go on in ways that never end as it asks for."""
    tails = ["a" * HOSTILE, "a " * (HOSTILE // 2), " from 1" * (HOSTILE // 7), ": from 192.0.2.7 port 1" * (HOSTILE // 23)]
    tails += ["[" * HOSTILE, '"' * HOSTILE, "0" * HOSTILE, ":" * HOSTILE, ", rip=1.2.3.4" * (HOSTILE // 13)]
    leads = []
    for written in regexes:
        lead = written.removeprefix("^").partition("<")[0]
        for end in "(.[*+?|\\{":
            lead = lead.partition(end)[0]
        leads.append(lead)
    return [lead + tail for lead in dict.fromkeys(leads) for tail in tails]


def measure_hostile(config_dir: Path) -> Iterator[Row]:
    """The slowest line of 64 KiB for each filter; what it takes in milliseconds."""
    config = load_config(config_dir, wanted=[path.stem for path in (shipped_dir() / "jails").glob("*.yaml")])
    worst: list[tuple[float, str]] = []
    for name, compiled in config.compiled.items():
        spec = config.filters[name]
        scanner = Scanner([Lens(compiled)])
        program = {"sshd(?:-session|-auth)?(?:\\(pam_\\w+\\))?": "sshd"}.get(spec.program or "", spec.program or "x")
        word = program.partition("(")[0].partition("|")[0].replace("\\", "").rstrip("?*+")
        longest = 0.0
        for message in hostile_lines([pattern.written for pattern in compiled.patterns]):
            for line in (message, f"Nov 20 10:00:00 mx {word}[1]: {message}"):
                begun = time.process_time()
                scanner.match_line(0, line, 1.8e9)
                longest = max(longest, time.process_time() - begun)
        worst.append((longest, name))
    for longest, name in sorted(worst, reverse=True)[:3]:
        yield "slowest hostile line of 64 KiB, shipped filters", name, longest * 1000, "ms"
    yield "the same, all shipped filters", f"{len(worst)} filters", sum(longest for longest, _ in worst) * 1000, "ms in all"
    foreign = compile_filter(FilterSpec("foreign", header=("none",), failregex={"auth": (CATASTROPHE,)}))
    data = b"".join(b"x" + b"a" * length + b" from 192.0.2.8\n" for length in range(20, 60)) * 50
    scanner = Scanner([Lens(foreign)])
    begun = time.process_time()
    found = list(scanner.scan(Chunk("log", data, 0, Position(0, 0, 0), True, 0.0), 1.8e9))
    assert not found
    yield (
        "2000 lines made for a catastrophic regex",
        f"{foreign.blown} spent the budget",
        (time.process_time() - begun) * 1000,
        "ms",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--lines", type=int, default=200_000, help="of each log (default: %(default)s)")
    parser.add_argument("--times", type=int, default=3, help="runs, of which the best counts (default: %(default)s)")
    parser.add_argument("--only", choices=["shares", "jails", "hostile"], help="one part alone")
    parser.add_argument("--json", action="store_true", help="one object a line")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for share in SHARES if args.only != "hostile" else ():
            with (directory / f"{share}.log").open("w") as log:
                log.writelines(make_lines(args.lines, share))
        (directory / "none").mkdir()
        parts: dict[str, Callable[[], Iterator[Row]]] = {
            "shares": lambda: measure_shares(directory, args.lines, args.times),
            "jails": lambda: measure_jails(directory, args.times),
            "hostile": lambda: measure_hostile(directory / "none"),
        }
        for part, measure in parts.items():
            for what, which, value, unit in measure() if args.only in (None, part) else ():
                if args.json:
                    print(json.dumps({"what": what, "which": which, "value": round(value, 3), "unit": unit}), flush=True)
                else:
                    print(f"{what:<52} {which:<34} {value:>11,.2f} {unit}", flush=True)


if __name__ == "__main__":
    main()
