"""
Brings the kernel to what the book says, in batches, and reports each change once the kernel has acknowledged it.

Of several changes to one (jail, target) that wait at the same time only the last is carried out: what counts is the state the
book wants. A change that fails is tried again after 0.05, 0.2, 1, 5, 15 and 30 s, unless a newer one has come; then it is
given up, reported and counted.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from banwatch.errors import FirewallError
from banwatch.firewall.base import Firewall
from banwatch.model import Ban, Target, Unban

RETRIES = (0.05, 0.2, 1.0, 5.0, 15.0, 30.0)

Change = Ban | Unban
Key = tuple[str, Target]


@dataclass(slots=True, eq=False)
class _Wish:
    """A change that is not yet in the kernel, how often it failed, and who waits for it."""

    change: Change
    failures: int = 0
    waiting: list["asyncio.Future[None]"] = field(default_factory=list)

    def resolve(self, error: FirewallError | None) -> None:
        for future in self.waiting:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


class Enforcer:
    """
    The one writer of bans to the firewall.

    Args:
        report: called with the changes that the kernel acknowledged together, and when it did.
        give_up: called with a change that failed for good, and why.
    """

    def __init__(
        self,
        firewall: Firewall,
        report: Callable[[Sequence[Change], float], None],
        give_up: Callable[[Change, FirewallError], None],
        clock: Callable[[], float] = time.time,
        retries: tuple[float, ...] = RETRIES,
    ) -> None:
        self._firewall = firewall
        self._report = report
        self._give_up = give_up
        self._clock = clock
        self._retries = retries
        self._wishes: dict[Key, _Wish] = {}
        self._failing: dict[Key, _Wish] = {}
        self._work = asyncio.Event()
        self._turn = asyncio.Lock()
        self.retried = 0
        self.given_up = 0

    def __len__(self) -> int:
        return len(self._wishes) + len(self._failing)

    def submit(self, changes: Iterable[Change]) -> None:
        """Have `changes` carried out soon."""
        for change in changes:
            self._wish(change)

    async def carry_out(self, changes: Iterable[Change]) -> None:
        """
        Have `changes` carried out, and return when the kernel has them all.

        Raises:
            FirewallError: one of them failed; the retries go on behind.
        """
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[None]] = []
        for change in changes:
            future = loop.create_future()
            self._wish(change).waiting.append(future)
            futures.append(future)
        results = await asyncio.gather(*futures, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def run(self) -> None:
        """Carry out what is submitted, until cancelled."""
        async with asyncio.TaskGroup() as retries:
            while True:
                await self._work.wait()
                self._work.clear()
                await self.settle(retries)

    async def settle(self, retries: asyncio.TaskGroup | None = None) -> None:
        """Carry out all that waits now; what fails is tried again by `retries`, or given up where there is none."""
        async with self._turn:
            while self._wishes:
                wishes, self._wishes = self._wishes, {}
                unbans = {key: wish for key, wish in wishes.items() if isinstance(wish.change, Unban)}
                bans = {key: wish for key, wish in wishes.items() if isinstance(wish.change, Ban)}
                await self._apply(unbans, retries)
                await self._apply(bans, retries)

    async def _apply(self, wishes: Mapping[Key, _Wish], retries: asyncio.TaskGroup | None) -> None:
        if not wishes:
            return
        failed: Mapping[Key, str] = {}
        error: FirewallError | None = None
        changes = [wish.change for wish in wishes.values()]
        try:
            if isinstance(changes[0], Unban):
                await self._firewall.unban(list(wishes))
            else:
                await self._firewall.ban([ban for ban in changes if isinstance(ban, Ban)], self._clock())
        except FirewallError as caught:
            error, failed = caught, caught.failed or dict.fromkeys(wishes, caught.message)
        now = self._clock()
        done = [wish for key, wish in wishes.items() if key not in failed]
        self._report([wish.change for wish in done], now)
        for wish in done:
            wish.resolve(None)
        if error is not None:
            for key, why in failed.items():
                self._fail(key, wishes[key], FirewallError(why, error.hint, error.errno), retries)

    def _wish(self, change: Change) -> _Wish:
        key = (change.jail, change.target) if isinstance(change, Ban) else (change.ban.jail, change.ban.target)
        earlier = self._wishes.get(key) or self._failing.pop(key, None)
        wish = self._wishes[key] = _Wish(change)
        if earlier is not None:
            wish.waiting = earlier.waiting
        self._work.set()
        return wish

    def _fail(self, key: Key, wish: _Wish, error: FirewallError, retries: asyncio.TaskGroup | None) -> None:
        wish.resolve(error)
        wish.waiting = []
        if retries is None or wish.failures >= len(self._retries):
            self.given_up += 1
            self._give_up(wish.change, error)
            return
        if key in self._wishes:
            return  # a newer change of the same target has come meanwhile
        delay = self._retries[wish.failures]
        wish.failures += 1
        self.retried += 1
        self._failing[key] = wish
        retries.create_task(self._again(key, wish, delay))

    async def _again(self, key: Key, wish: _Wish, delay: float) -> None:
        await asyncio.sleep(delay)
        if self._failing.get(key) is wish:
            del self._failing[key]
            self._wishes[key] = wish
            self._work.set()
