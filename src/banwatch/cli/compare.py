"""What another configuration would have changed: the first ban of each key under one and under the other."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from banwatch.cli.outcome import Key
from banwatch.cli.summary import count, render_at, render_table
from banwatch.config.duration import render_duration
from banwatch.model import Ban

What = Literal["gone", "new", "earlier", "later"]


class Difference(NamedTuple):
    """A key that is banned under one configuration only, or at another time; None where it is not banned."""

    before: Ban | None
    after: Ban | None

    @property
    def ban(self) -> Ban:
        """The one there is; the one before if there are both."""
        ban = self.before or self.after
        assert ban is not None
        return ban

    @property
    def what(self) -> What:
        """What becomes of the ban with the second configuration."""
        if self.before is None:
            return "new"
        if self.after is None:
            return "gone"
        return "earlier" if self.after.at < self.before.at else "later"

    @property
    def at(self) -> float:
        """The earlier of the two instants."""
        return min(ban.at for ban in self if ban is not None)


def compare(before: Mapping[Key, Ban], after: Mapping[Key, Ban]) -> list[Difference]:
    """Whatever is not the same, in the order of time."""
    both = [Difference(before.get(key), after.get(key)) for key in dict.fromkeys((*before, *after))]
    found = [each for each in both if each.before is None or each.after is None or each.before.at != each.after.at]
    return sorted(found, key=lambda each: (each.at, each.ban.jail, each.ban.target))


def describe_difference(each: Difference) -> dict[str, Any]:
    """One difference as an object."""
    ban = each.ban
    return {
        "at": each.at,
        "jail": ban.jail,
        "change": each.what,
        "by": ban.by,
        "who": ban.target.who,
        "before": None if each.before is None else each.before.at,
        "after": None if each.after is None else each.after.at,
    }


def render_difference(each: Difference) -> str:
    """One difference as a line."""
    ban = each.ban
    head = f"{render_at(each.at)} [{ban.jail}] {each.what}: {ban.target}"
    if each.before is None or each.after is None:
        return f"{head}: {ban.why}"
    return f"{head}: by {render_duration(abs(each.after.at - each.before.at))}"


def summarize_differences(found: Sequence[Difference], before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """How many there are of each kind, and both summaries."""
    kinds = Counter(each.what for each in found)
    return {
        "gone": kinds["gone"],
        "new": kinds["new"],
        "earlier": kinds["earlier"],
        "later": kinds["later"],
        "before": before,
        "after": after,
    }


def render_comparison(summary: Mapping[str, Any], names: tuple[str, str]) -> Iterator[str]:
    """Both side by side, the sums last. `names` are those of the configurations."""
    sides = (summary["before"], summary["after"])
    yield ""
    rows = [(what, *(str(side[what]) for side in sides)) for what in ("bans", "failures")]
    for jail in sorted({*sides[0]["jails"], *sides[1]["jails"]}):
        found = [side["jails"].get(jail, {"bans": 0, "keys": 0}) for side in sides]
        rows += [(f"[{jail}] {what}", *(str(side[what]) for side in found)) for what in ("bans", "keys")]
    for name in ("p50", "p90"):
        waits = [side["time_to_ban"][name] for side in sides]
        times = ["-" if seconds is None else render_duration(float(round(seconds))) for seconds in waits]
        rows.append((f"first failure to ban: {name}", *times))
    rows.append(("banned keys with a success later", *(str(len(side["collateral"])) for side in sides)))
    yield from render_table(("", *names), rows)
    yield ""
    keys = [f"{summary[what]} {what}" for what in ("gone", "new", "earlier", "later")]
    yield f"{count(sides[0]['lines'], 'line')}; under {names[1]}: {', '.join(keys)}"
