"""The end of a replay: an object for programs, a table of the same for people."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from banwatch.cli.outcome import Collateral, Outcome, quantile
from banwatch.config.duration import render_duration
from banwatch.engine import Engine

SHOWN = 10
"""Rows of the table about collateral; the object has them all."""


def summarize(engine: Engine, outcome: Outcome) -> dict[str, Any]:
    """Everything there is to say about a replay. Instants are epoch seconds, waits seconds from the first failure to the ban."""
    waits = outcome.waits()
    keys = [jail for jail, _ in outcome.firsts]
    jails = {
        name: {
            "bans": outcome.bans[name],
            "keys": keys.count(name),
            "failures": jail.total_failed,
            "time_to_ban": _quantiles(waits.get(name, ())),
        }
        for name, jail in engine.jails.items()
        if jail.total_failed or outcome.bans[name]
    }
    return {
        "lines": engine.lanes.scanned().lines,
        "failures": sum(jail.total_failed for jail in engine.jails.values()),
        "bans": outcome.bans.total(),
        "unbans": outcome.unbans,
        "jails": {name: jails[name] for name in sorted(jails, key=lambda name: (-outcome.bans[name], name))},
        "addresses": [{"ip": ip, "failures": number} for ip, number in outcome.addresses()],
        "logins": [{"login": login, "failures": number} for login, number in outcome.logins()],
        "time_to_ban": _quantiles(sorted(second for seconds in waits.values() for second in seconds)),
        "collateral": [_collateral(harm) for harm in outcome.collateral()],
    }


def render_summary(summary: Mapping[str, Any]) -> Iterator[str]:
    """The same as lines of text, the sums last."""
    if summary["jails"]:
        yield ""
        header = ("jail", "bans", "keys", "failures", "first failure to ban: p50", "p90")
        yield from render_table(header, [(name, *_row(jail)) for name, jail in summary["jails"].items()])
    tops = (("most failures from", "addresses", "ip"), ("most failures for", "logins", "login"))
    for title, what, key in tops:
        if summary[what]:
            yield ""
            names = [each[key] if key == "ip" else repr(each[key]) for each in summary[what]]
            yield from render_table(
                (title, "failures"), [(n, str(e["failures"])) for n, e in zip(names, summary[what], strict=True)]
            )
    harmed: Sequence[Mapping[str, Any]] = summary["collateral"]
    if harmed:
        yield ""
        during = sum(harm["during"] for harm in harmed)
        yield f"{count(len(harmed), 'banned key')} had a success later, {during} of them during the ban:"
        yield from map(_render_harm, harmed[:SHOWN])
        if len(harmed) > SHOWN:
            yield f"  and {len(harmed) - SHOWN} more, which --json --summary tells"
    yield ""
    yield f"{count(summary['lines'], 'line')}, {count(summary['failures'], 'failure')}, {count(summary['bans'], 'ban')}"


def render_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as they have to be, numbers to the right; the first one is words."""
    lines = [tuple(header), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()


def render_at(at: float) -> str:
    """Local time, to the second."""
    return _stamp(math.floor(at))


def count(number: int, what: str) -> str:
    """How many there are, in words."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


@lru_cache(maxsize=64)
def _stamp(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))


def _quantiles(waits: Sequence[float]) -> dict[str, float | None]:
    return {"p50": quantile(waits, 0.5), "p90": quantile(waits, 0.9)}


def _row(jail: Mapping[str, Any]) -> tuple[str, ...]:
    waits = [jail["time_to_ban"][name] for name in ("p50", "p90")]
    times = ("-" if seconds is None else render_duration(float(round(seconds))) for seconds in waits)
    return (str(jail["bans"]), str(jail["keys"]), str(jail["failures"]), *times)


def _collateral(harm: Collateral) -> dict[str, Any]:
    ban = harm.ban
    return {
        "jail": ban.jail,
        "by": ban.by,
        "who": ban.target.who,
        "at": ban.at,
        "until": ban.until,
        "success": harm.success,
        "login": harm.login,
        "during": harm.during,
    }


def _render_harm(harm: Mapping[str, Any]) -> str:
    who = harm["who"] if harm["by"] != "login" else repr(harm["who"])
    login = f" as {harm['login']!r}" if harm["login"] else ""
    when = "during the ban" if harm["during"] else "after it"
    return f"  [{harm['jail']}] {who}, banned {render_at(harm['at'])}: success{login} {render_at(harm['success'])}, {when}"
