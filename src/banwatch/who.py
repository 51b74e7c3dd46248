"""
Whom a command means, and whom it may not mean.

There may be tens of thousands; they are worked on in slices, so that no ban has to wait for a command.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from banwatch.address import family_of, pack, parse_who
from banwatch.errors import ControlError
from banwatch.login import Naming, canonical_login
from banwatch.model import Target

WIDEST = {4: 8, 6: 32}
"""The shortest prefix that is banned without --force, by family."""

SLICE = 512
"""How many are worked on at once; that takes a few milliseconds."""

TOLD = 20
"""How many of those that are wrong an error names."""

T = TypeVar("T")


async def slices(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """`items` in pieces; between them the loop has time for bans that cannot wait."""
    for start in range(0, len(items), SLICE):
        yield items[start : start + SLICE]
        await asyncio.sleep(0)


async def parse_targets(who: Sequence[str]) -> list[Target]:
    """
    What `who` names, each once.

    Raises:
        ControlError: with everything that names nobody.
    """
    targets: dict[Target, None] = {}
    wrong: list[str] = []
    async for some in slices(who):
        for text in some:
            try:
                targets[parse_who(text)] = None
            except ValueError as error:
                wrong.append(str(error))
    if wrong:
        raise ControlError(first_of(wrong), "nothing was changed")
    return list(targets)


async def refuse(targets: Sequence[Target], reason_of: Callable[[Target], str | None], hint: str) -> None:
    """
    Raises:
        ControlError: `reason_of` finds reasons against some of `targets`; with all of them, as far as that can be read.
    """
    refused: list[str] = []
    async for some in slices(targets):
        refused += [f"{target}: {reason}" for target in some if (reason := reason_of(target))]
    if refused:
        raise ControlError(first_of(refused), f"nothing was changed; {hint}")


def as_named(target: Target, naming: Naming) -> Target:
    """`target`, a login as jails with that naming write it."""
    return target if target.realm == "net" else Target("login", canonical_login(target.who, naming) or target.who)


def first_of(texts: Sequence[str]) -> str:
    """`texts` in one line, the first TOLD of them."""
    more = f"; and {len(texts) - TOLD} more" if len(texts) > TOLD else ""
    return "; ".join(texts[:TOLD]) + more


def too_wide(target: Target) -> str | None:
    """Why `target` is banned by force only; None if it is not so wide."""
    prefixlen = _prefixlen(target)
    widest = WIDEST[family_of(target.who)]
    return f"wider than /{widest}" if prefixlen is not None and prefixlen < widest else None


def everything(target: Target) -> str | None:
    """Why `target` cannot be banned or allowed at all; None if it can."""
    return "everybody" if _prefixlen(target) == 0 else None


def _prefixlen(target: Target) -> int | None:
    return None if target.realm == "login" else pack(target.who)[1]
