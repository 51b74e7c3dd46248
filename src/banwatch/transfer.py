"""
The book as it goes to another host, or comes from one: what `export` answers and `import` takes. docs/control-protocol.md has
the fields.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from banwatch.address import by_of, parse_who
from banwatch.config.duration import LONGEST
from banwatch.control.peer import Peer
from banwatch.control.protocol import is_number, is_text
from banwatch.engine import Change, Engine
from banwatch.errors import ControlError, FirewallError
from banwatch.model import ALLOW, Ban
from banwatch.who import everything, first_of, slices

Handler = Callable[[Mapping[str, Any], Peer], Awaitable[Any]]


class Customs(Protocol):
    """What a transfer needs of the daemon."""

    @property
    def engine(self) -> Engine: ...

    async def carry_out(self, changes: Sequence[Change]) -> None:
        """Bring changes of the book to the kernel; FirewallError if it refuses one."""
        ...


class Transfer:
    """The methods of the control socket about the book as a whole, by name."""

    def __init__(self, customs: Customs, clock: Callable[[], float]) -> None:
        self._customs = customs
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """Name of the method → what answers it."""
        return {"export": self.export, "import": self.import_}

    async def export(self, _params: Mapping[str, Any], _peer: Peer) -> Iterator[dict[str, Any]]:
        """Every ban and every allowance."""
        bans = list(self._customs.engine.book)
        return (describe(ban) for ban in bans)

    async def import_(self, params: Mapping[str, Any], _peer: Peer) -> dict[str, Any]:
        """
        Take over bans of elsewhere, as `export` gives them. One that is here already keeps the later end.

        Nothing is taken if any of them makes no sense; who must not be banned here, and what has ended, is left out.
        """
        engine, now = self._customs.engine, self._clock()
        bans: list[Ban] = []
        wrong: list[str] = []
        async for some in slices(params["bans"]):
            for entry in some:
                try:
                    bans.append(_read(entry, engine, now))
                except ValueError as error:
                    wrong.append(str(error))
        if wrong:
            raise ControlError(first_of(wrong), "nothing was imported")
        result: dict[str, Any] = {"imported": 0, "over": 0, "known": 0, "spared": []}
        async for some in slices(bans):
            wanted = [ban for ban in some if not _spare(ban, engine, now, result)]
            entered = engine.ban(wanted)
            result["imported"] += len(entered)
            result["known"] += len(wanted) - len(entered)
            try:
                await self._customs.carry_out(entered)
            except FirewallError as error:
                raise ControlError(f"the firewall refused: {error.message}", error.hint, error.code) from error
        return result


def describe(ban: Ban) -> dict[str, Any]:
    """All that another banwatch needs to know of `ban`."""
    return {
        "jail": ban.jail,
        "by": ban.by,
        "who": str(ban.target),
        "at": ban.at,
        "until": ban.until,
        "origin": ban.origin,
        "rule": ban.rule,
        "failures": ban.failures,
        "enforce": ban.enforce,
        "forced": ban.forced,
        "why": ban.why,
    }


def _read(entry: object, engine: Engine, now: float) -> Ban:
    """
    One ban, as this host would have it.

    Raises:
        ValueError: what is wrong with it.
    """
    if not isinstance(entry, dict) or not is_text(entry.get("who")) or not is_text(entry.get("jail")):
        raise ValueError("expected an object with jail and who")
    target, jail = parse_who(entry["who"]), entry["jail"]
    if everything(target) is not None:
        raise ValueError(f"{target}: everybody")
    if jail not in engine.jails and jail != ALLOW:
        raise ValueError(f"there is no jail {jail!r}; --map {jail}=JAIL names one that there is")
    if "until" not in entry:
        raise ValueError(f"{target}: until is missing")
    until, at = entry["until"], entry.get("at", now)
    if not (until is None or is_number(until)) or not is_number(at):
        raise ValueError(f"{target}: expected at and until in seconds since the epoch")
    if at < 0 or (until is not None and until > now + LONGEST):
        raise ValueError(f"{target}: expected a time since the epoch, and an end within ten years, or null for ever")
    why = entry.get("why")
    return Ban(
        jail,
        target,
        by_of(target),
        min(float(at), now),
        None if until is None else float(until),
        origin="imported",
        enforce=jail == ALLOW or engine.config.jails[jail].enforce,
        why=f"imported: {why}"[:200] if is_text(why) and why else "imported",
        forced=entry.get("forced") is True,
    )


def _spare(ban: Ban, engine: Engine, now: float, result: dict[str, Any]) -> bool:
    """Whether `ban` is not to be taken over; `result` is told of it."""
    if ban.until is not None and ban.until <= now:
        result["over"] += 1
        return True
    if ban.jail == ALLOW:
        return False
    reason = engine.is_allowed(ban.target) or (None if ban.forced else engine.jails[ban.jail].guard.ignored(ban.target))
    if reason is not None:
        result["spared"].append(f"{ban.target} in {ban.jail}: {reason}")
    return reason is not None
