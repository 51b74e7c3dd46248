"""
The short way of what an attack consists of: lines with an address, a login and a pid, one filter, one jail that counts them
by address alone.

It is what filter.matcher, filter.once and jail.jail do with such a line, in one loop, without the calls between them, which
take longer than all else; there may be half a million such lines in a second. Whatever is out of the ordinary is handed to
`note`, the long way. Tests hold the two against each other.
"""

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Final, NamedTuple

from banwatch.address import CANONICAL
from banwatch.filter.matcher import Note, QuickMatcher
from banwatch.filter.once import Once
from banwatch.jail.grace import LATEST
from banwatch.jail.jail import Jail
from banwatch.model import Ban

ALWAYS: Final = (-inf, inf)


class Way(NamedTuple):
    """
    What an attempt meets.

    Args:
        name: of the filter.
        once: sees to it that an attempt told twice counts once; None where none is.
    """

    matcher: QuickMatcher
    name: str
    once: Once | None
    jail: Jail


class When(NamedTuple):
    """
    How the time of a line is taken.

    Args:
        now: the present; None lets the lines' own time pass.
        read_at: when the lines were read.
        within: from when to when the date of a line is taken as it is.
        due: the time from which on something has to happen first; asked again after each ban.
        leak: is shown the unit, the time and the number of each failure: it may be of somebody who is banned. None if nobody is.
    """

    now: float | None
    read_at: float
    within: tuple[float, float]
    due: Callable[[], float]
    leak: Callable[[str, float, int], object] | None = None


def count_quickly(
    way: Way, lines: Iterable[tuple[str, int]], when: When, note: Note, ban: Callable[[Sequence[Ban]], object]
) -> None:
    """
    Count what `lines` tell.

    Args:
        note: takes the long way with a match.
        ban: is told the bans that are decided.
    """
    matcher, name, once, jail = way
    now, read_at, (earliest, latest), due, leak = when
    ((head, fused, branches, named, form, reader),) = matcher.steps
    assert fused is not None
    match, lens = matcher.match, matcher.lens
    counted, alone, logins, remember, nets = jail.counted, jail.alone, jail.logins, jail.remember, jail.nets
    canonical, forget = CANONICAL, 0.0 if once is None else once.forget
    text, same, behind, at, session = head.text, False, 0, 0.0, head.session
    easy, hosts = False, {} if once is None else once.hosts(name)
    found = failed = 0
    for line, start in lines:
        if not (same and line.startswith(text)):
            behind = head.skip(line)
            if behind < 0:
                behind = matcher.read_head(form, head, reader, line)
            text, same, session = head.text, behind >= 0 and not head.tail, head.session
            if behind < 0:
                continue
            easy = False
            if (date := head.at) is not None:
                at = date
                easy = earliest <= at <= latest and at < due()
        told = fused(line, behind)
        if told is None:
            continue
        _, picks, plain, kind, number, hint = branches[told.lastindex]  # type: ignore[index]
        if plain:
            address, login, writer = told.group(*picks)
            ip = canonical[address] if login and address else None
        else:
            ip = None
        if ip is None:
            if (other := match(line, start)) is not None:
                found += 1
                note(lens, *other[2:10])
                easy = easy and at < due()
                hosts = {} if once is None else once.hosts(name)
            continue
        found += 1
        if named:
            session = writer if writer[-1] == "]" else None
        tally = alone.get(kind) if easy else None
        if tally is None or session is None:
            note(lens, kind, head.at, ip, login, 1, number, hint, session)
            easy = easy and at < due()
            hosts = {} if once is None else once.hosts(name)
            continue
        if once is not None:
            # filter.once
            if at > once.time:
                once.time = at
            host = hosts.get(ip)
            if host is None or at - host.at > forget:
                host = once.enter(hosts, ip)
                hosts = once.hosts(name)
            host.at = at
            sessions = host.sessions
            if session not in sessions:
                sessions[session] = at
                before = False
                once.held += 1
                if once.held > once.room:
                    once.make_room()
                    hosts = once.hosts(name)
            else:
                before = at - sessions[session] <= forget
                sessions[session] = at
                if not before:
                    host.owed.pop(session, None)
            if hint:
                if before:
                    continue
                host.owed[session] = 1
            elif host.owed and (owed := host.owed.pop(session, 0)):
                if owed > 1:
                    host.owed[session] = owed - 1
                continue
            host.told = said = host.told + 1
            if said <= host.counted:
                continue
            host.counted = said
        # jail.jail
        unit = counted[ip]
        if unit is None:
            jail.ignored += 1
            continue
        if now is not None and now - at > jail.lag:
            jail.lag = now - at
        failed += 1
        if leak is not None:
            leak(unit, at, 1)
        login = logins.get(login) or remember(login)
        if (banned := nets.get(unit)) is not None and at <= banned + LATEST and at >= banned - tally.earliest:
            continue
        failures = tally.add(unit, at, login, 1)
        if failures >= tally.maxretry:
            ban(jail.ban([tally.reached(failures, unit, ip, login)], at, at if now is None else now, read_at))
            easy = at < due()
    matcher.found += found
    jail.total_failed += failed
