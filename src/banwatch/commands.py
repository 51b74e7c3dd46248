"""
What may be asked or told over the control socket, and what comes of it. control/ knows how it is said, this module what it means.

A change is written in the book, brought to the kernel and acknowledged by it before the reply goes out.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from banwatch.address import by_of, unit_of
from banwatch.control.peer import Peer
from banwatch.describe import describe_ban, describe_leak
from banwatch.engine import Change, Engine
from banwatch.errors import ControlError, FirewallError
from banwatch.jail.jail import Jail
from banwatch.logins.gate import begins, is_strict
from banwatch.model import ALLOW, Ban, Target, is_enforced
from banwatch.switchboard import JailView
from banwatch.who import as_named, everything, first_of, parse_targets, refuse, slices, too_wide

MANUAL = "manual"
Handler = Callable[[Mapping[str, Any], Peer], Awaitable[Any]]


class House(Protocol):
    """What the commands need of the daemon."""

    @property
    def engine(self) -> Engine: ...

    def view(self, jail: str) -> JailView:
        """State, files and problems of a jail."""
        ...

    def problems(self) -> Sequence[str]:
        """What is wrong with the daemon as a whole; empty when it is well."""
        ...

    def in_force(self, ban: Ban) -> bool:
        """Whether the kernel has acknowledged `ban`."""
        ...

    async def carry_out(self, changes: Sequence[Change]) -> None:
        """Bring changes of the book to the kernel; FirewallError if it refuses one."""
        ...

    def submit(self, changes: Sequence[Change]) -> None:
        """Have changes of the book brought to the kernel soon."""
        ...

    async def dropped(self) -> Mapping[str, Mapping[str, int]]:
        """Packets dropped by jail and address."""
        ...

    def doors(self) -> Sequence[str]:
        """By which doors services are told of banned logins."""
        ...

    async def reload(self) -> Mapping[str, Any]:
        """Read the configuration anew; ControlError with every problem if it is not used."""
        ...

    def stop(self, flush: bool) -> None:
        """End soon, after the reply; `flush` empties the sets."""
        ...


class Commands:
    """The methods of the control socket by name."""

    def __init__(self, house: House, clock: Callable[[], float] = time.time) -> None:
        self._house = house
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """Name of the method → what answers it."""
        return {
            "ping": self.ping,
            "status": self.status,
            "ban": self.ban,
            "unban": self.unban,
            "allow": self.allow,
            "allowed": self.allowed,
            "banned": self.banned,
            "logins": self.logins,
            "reload": self.reload,
            "stop": self.stop,
        }

    async def ping(self, _params: Mapping[str, Any], _peer: Peer) -> str:
        """The answer that shows that the daemon lives."""
        return "pong"

    async def status(self, params: Mapping[str, Any], _peer: Peer) -> dict[str, Any]:
        """All jails, or the one that is named."""
        engine = self._house.engine
        wanted = params.get("jail")
        names = sorted(engine.jails) if wanted is None else [self._jail(wanted)]
        problems = list(self._house.problems())
        jails = [self._describe_jail(name, engine.jails[name]) for name in names]
        degraded = bool(problems) or any(jail["state"] == "degraded" for jail in jails)
        return {"jails": jails, "state": "degraded" if degraded else "ok", "problems": problems}

    async def ban(self, params: Mapping[str, Any], _peer: Peer) -> dict[str, Any]:
        """Ban all of `who` or none of them."""
        engine, now = self._house.engine, self._clock()
        jail = self._jail(params.get("jail") or MANUAL)
        targets = [as_named(target, engine.config.jails[jail].naming) for target in await parse_targets(params["who"])]
        force = bool(params.get("force"))
        await refuse(targets, everything, "name networks of at least /1")
        await refuse(targets, engine.is_allowed, "`banwatch-client unban` takes an allowance back")
        if not force:
            await refuse(targets, engine.jails[jail].guard.ignored, "--force bans them all the same")
            await refuse(targets, too_wide, "--force bans them all the same")
        if params.get("check"):
            return {"banned": 0, "bans": []}
        until = _until(params, engine.config.jails[jail].bantime, now)
        enforce = engine.config.jails[jail].enforce
        like = Ban(jail, targets[0], "ip", now, until, origin="manual", enforce=enforce, why="by command", forced=force)
        await self._enter([like._replace(target=target, by=by_of(target)) for target in targets])
        present = [ban async for some in slices(targets) for target in some if (ban := engine.book.get(jail, target))]
        return {"banned": len(present), "bans": [self._describe_ban(ban, now, {}) for ban in present]}

    async def unban(self, params: Mapping[str, Any], _peer: Peer) -> dict[str, Any]:
        """End the bans of all of `who`, or of everybody; refused as a whole if one of them is not banned."""
        engine, now = self._house.engine, self._clock()
        jails = [self._jail(params["jail"])] if params.get("jail") else [*engine.jails, ALLOW]
        if params.get("all"):
            keys = [(jail, target) for jail in jails if jail != ALLOW for target in engine.book.of_jail(jail)]
        else:
            keys = self._find(jails, await parse_targets(params["who"]))
        if params.get("check"):
            return {"unbanned": 0}
        ended = 0
        async for some in slices(keys):
            changes = engine.unban(some, now, "by command")
            await self._carry_out(changes)
            ended += len(changes)
        return {"unbanned": ended}

    async def allow(self, params: Mapping[str, Any], _peer: Peer) -> dict[str, Any]:
        """
        Let all of `who` in whatever they do, and end the bans they have.

        A ban on a network around one of them stays: in the kernel the allowance comes before it.
        """
        engine, now = self._house.engine, self._clock()
        targets = [as_named(target, engine.config.daemon.naming) for target in await parse_targets(params["who"])]
        await refuse(targets, everything, "name networks of at least /1")
        if params.get("check"):
            return {"allowed": 0, "unbanned": 0}
        until = _until(params, None, now)
        await self._enter(
            [Ban(ALLOW, target, by_of(target), now, until, origin="manual", why="by command") for target in targets]
        )
        ended = 0
        async for some in slices([ban for ban in engine.book if ban.jail != ALLOW]):
            if changes := list(engine.drop_exempt(some, now)):
                await self._carry_out(changes)
                ended += len(changes)
        return {"allowed": len(targets), "unbanned": ended}

    async def allowed(self, _params: Mapping[str, Any], _peer: Peer) -> Iterator[dict[str, Any]]:
        """Every allowance there is, oldest first."""
        now = self._clock()
        return (self._describe_allowance(ban, now) for ban in list(self._house.engine.book.of_jail(ALLOW).values()))

    async def banned(self, _params: Mapping[str, Any], _peer: Peer) -> Iterator[dict[str, Any]]:
        """Every ban there is, by jail, oldest first; an iterator, because there may be very many."""
        now, dropped = self._clock(), await self._house.dropped()
        bans = [ban for ban in self._house.engine.book if ban.jail != ALLOW]
        return (self._describe_ban(ban, now, dropped) for ban in bans)

    async def logins(self, _params: Mapping[str, Any], _peer: Peer) -> dict[str, Any]:
        """Who is kept out by login, whose account looks compromised, and which doors services have."""
        engine, now = self._house.engine, self._clock()
        bans = [self._describe_login(ban, now) for ban in engine.book if ban.target.realm == "login" and ban.jail in engine.jails]
        alarms = [{"jail": name, "login": login} for name, jail in engine.jails.items() for login in jail.alarms.standing(now)]
        return {"doors": list(self._house.doors()), "bans": bans, "alarms": alarms}

    async def reload(self, _params: Mapping[str, Any], _peer: Peer) -> Mapping[str, Any]:
        """Read the configuration anew: all of it or nothing."""
        return await self._house.reload()

    async def stop(self, params: Mapping[str, Any], _peer: Peer) -> str:
        """End the daemon; the bans stay in the kernel unless `flush` is set."""
        self._house.stop(bool(params.get("flush")))
        return "stopping"

    def _jail(self, name: str) -> str:
        jails = self._house.engine.jails
        if name in jails:
            return name
        raise ControlError(f"there is no jail {name!r}", f"jails: {', '.join(sorted(jails))}")

    def _find(self, jails: Sequence[str], targets: Sequence[Target]) -> list[tuple[str, Target]]:
        """The entries for each target: itself, and for an address the network that an attacker there is banned by."""
        book, specs = self._house.engine.book, self._house.engine.config.jails
        found: list[tuple[str, Target]] = []
        missing: list[str] = []
        for target in targets:
            forms = {target}
            if target.realm == "net" and "/" not in target.who and (unit := unit_of(target.who)):
                forms.add(Target("net", unit))
            if target.realm == "login":
                naming = {spec.naming for jail in jails if (spec := specs.get(jail))} | {self._house.engine.config.daemon.naming}
                forms |= {as_named(target, each) for each in naming}
            entries = [(jail, form) for jail in jails for form in forms if book.get(jail, form)]
            found += entries
            if not entries:
                missing.append(str(target))
        if missing:
            raise ControlError(f"not banned: {first_of(missing)}", "nothing was changed; `banwatch-client banned` lists who is")
        return found

    async def _enter(self, bans: Sequence[Ban]) -> None:
        """Ban them all; if the kernel refuses one, put everything back as it was."""
        engine = self._house.engine
        before = {ban.target: engine.book.get(ban.jail, ban.target) for ban in bans}
        entered: list[Ban] = []
        try:
            async for some in slices(bans):
                changes = engine.ban(some)
                entered += changes
                await self._carry_out(changes)
        except ControlError:
            keys = [(ban.jail, ban.target) for ban in entered]
            undone: list[Change] = [*engine.unban(keys, self._clock(), "refused by the kernel")]
            undone += engine.ban(old for ban in entered if (old := before[ban.target]))
            self._house.submit(undone)
            raise

    async def _carry_out(self, changes: Sequence[Change]) -> None:
        try:
            await self._house.carry_out(changes)
        except FirewallError as error:
            raise ControlError(f"the firewall refused: {error.message}", error.hint, error.code) from error

    def _describe_jail(self, name: str, jail: Jail) -> dict[str, Any]:
        engine, view = self._house.engine, self._house.view(name)
        banned = [ban.target.who for ban in engine.book.of_jail(name).values() if is_enforced(ban)]
        return {
            "jail": name,
            "currently_failed": jail.currently_failed(self._clock()),
            "total_failed": jail.total_failed,
            "file_list": list(view.files),
            "currently_banned": len(banned),
            "total_banned": engine.book.totals.get(name, 0),
            "banned": banned,
            "state": view.state,
            "enforce": engine.config.jails[name].enforce,
            "leaks": [{"who": leak.ban.target.who, **describe_leak(leak)} for leak in jail.leaks.all()],
            "problems": list(view.problems),
        }

    def _describe_login(self, ban: Ban, now: float) -> dict[str, Any]:
        jail = self._house.engine.jails[ban.jail]
        homes = {home for each in self._house.engine.jails.values() for home in each.known.homes(ban.target.who, now)}
        return {
            **self._describe_ban(ban, now, {}),
            "why": ban.why,
            "strict": is_strict(jail, ban),
            "refuses": begins(jail, ban) <= now,
            "homes": [home if ":" in home else f"{home}.0/24" for home in sorted(homes)],
        }

    def _describe_ban(self, ban: Ban, now: float, dropped: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
        packets = dropped.get(ban.jail, {}).get(ban.target.who) if ban.target.realm == "net" else None
        return {**describe_ban(ban, now, self._house.in_force(ban)), "dropped": packets}

    def _describe_allowance(self, ban: Ban, now: float) -> dict[str, Any]:
        described = self._describe_ban(ban, now, {})
        return {key: described[key] for key in ("by", "who", "at", "until", "left", "origin", "enforced")}


def _until(params: Mapping[str, Any], otherwise: float | None, now: float) -> float | None:
    seconds = params.get("for", otherwise)  # null is for ever, only a missing one is the default
    return None if seconds is None else now + seconds
