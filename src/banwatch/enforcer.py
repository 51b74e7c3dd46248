"""
Brings the kernel to what the book says, in batches, and reports each change once the kernel has acknowledged it.

Of several changes to one (jail, target) that wait at the same time only the last is carried out: what counts is the state the
book wants. A change that fails is tried again after 0.05, 0.2, 1, 5, 15 and 30 s, unless a newer one has come; then it is
given up, reported and counted.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from banwatch.errors import FirewallError
from banwatch.firewall.base import Firewall
from banwatch.model import Ban, Target, Unban, is_enforced

RETRIES = (0.05, 0.2, 1.0, 5.0, 15.0, 30.0)

Change = Ban | Unban
Key = tuple[str, Target]


def key_of(change: Change) -> Key:
    """The (jail, target) that a change is about."""
    ban = change.ban if isinstance(change, Unban) else change
    return ban.jail, ban.target


def concerns_kernel(change: Change) -> bool:
    """Whether the kernel has to do something: not for logins, and not for what is only recorded."""
    ban = change.ban if isinstance(change, Unban) else change
    return is_enforced(ban)


class _Waiter:
    """One who waits for `left` changes; `done` is resolved after the last of them, with the first failure if there was one."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._error: FirewallError | None = None

    def tell(self, error: FirewallError | None) -> None:
        self.left -= 1
        self._error = self._error or error
        if self.left or self.done.done():
            return
        if self._error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(self._error)


@dataclass(slots=True, eq=False)
class _Wish:
    """A change that is not yet in the kernel, how often it failed, and who waits for it."""

    change: Change
    failures: int = 0
    waiting: list[_Waiter] = field(default_factory=list)

    def resolve(self, error: FirewallError | None) -> None:
        for waiter in self.waiting:
            waiter.tell(error)
        self.waiting = []


class Enforcer:
    """
    The one writer of bans to the firewall.

    Args:
        report: called with the changes that the kernel acknowledged together, and when it did.
        give_up: called with a change that failed for good, and why.
        refused: called each time the firewall refuses something, with the first of its reasons.
    """

    def __init__(
        self,
        firewall: Firewall,
        report: Callable[[Sequence[Change], float], None],
        give_up: Callable[[Change, FirewallError], None],
        clock: Callable[[], float] = time.time,
        retries: tuple[float, ...] = RETRIES,
        refused: Callable[[FirewallError], None] = lambda _: None,
    ) -> None:
        self._firewall = firewall
        self._report = report
        self._give_up = give_up
        self._clock = clock
        self._retries = retries
        self._refused = refused
        self._wishes: dict[Key, _Wish] = {}
        self._failing: dict[Key, _Wish] = {}
        self._carried: Mapping[Key, _Wish] = {}
        self._touched: set[Key] | None = None
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
        wanted = list(changes)
        if not wanted:
            return
        waiter = _Waiter(len(wanted))
        for change in wanted:
            self._wish(change).waiting.append(waiter)
        await waiter.done

    async def renew(self, bans: Iterable[Ban]) -> None:
        """
        Have bans that the book holds put into the kernel once more, and return when it has them all.

        Where something is being done or tried for the same (jail, target) that goes on, and nothing is renewed: it is what
        the book wanted later.

        Raises:
            FirewallError: one of them failed; the retries go on behind.
        """
        await self.carry_out([ban for ban in bans if not self._is_concerned(key_of(ban))])

    @property
    def idle(self) -> bool:
        """Whether the kernel has all that can be done at the moment; what waits to be tried again cannot."""
        return not self._wishes and not self._carried

    @contextmanager
    def watching(self) -> Iterator[set[Key]]:
        """
        Whom something was done for, tried or wished at any time while this is entered. A look at the kernel meanwhile may have
        met them before it or after it.
        """
        touched = self._touched = {*self._wishes, *self._carried, *self._failing}
        try:
            yield touched
        finally:
            self._touched = None

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
                self._carried = wishes
                unbans = {key: wish for key, wish in wishes.items() if isinstance(wish.change, Unban)}
                bans = {key: wish for key, wish in wishes.items() if isinstance(wish.change, Ban)}
                try:
                    await self._apply(unbans, retries)
                    await self._apply(bans, retries)
                finally:
                    self._carried = {}

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
            self._refused(error)
            for key, why in failed.items():
                self._fail(key, wishes[key], FirewallError(why, error.hint, error.errno), retries)

    def _is_concerned(self, key: Key) -> bool:
        return key in self._wishes or key in self._carried or key in self._failing

    def _wish(self, change: Change) -> _Wish:
        key = key_of(change)
        if self._touched is not None:
            self._touched.add(key)
        earlier = self._wishes.get(key) or self._failing.pop(key, None)
        wish = self._wishes[key] = _Wish(change)
        if earlier is not None:
            wish.waiting = earlier.waiting
        self._work.set()
        return wish

    def _fail(self, key: Key, wish: _Wish, error: FirewallError, retries: asyncio.TaskGroup | None) -> None:
        wish.resolve(error)
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
