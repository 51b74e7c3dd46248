"""
Keys that were banned a moment ago.

Between the attempt that decided and the kernel's acknowledgement, and on connections that were open before, more lines of
the same key arrive. They belong to the ban that there is, and do not feed the next window. Pure.
"""

from itertools import islice

from banwatch.jail.window import GRAIN

SECONDS = 5.0
LATEST = SECONDS + GRAIN
"""So long after a ban an attempt may come that belongs to it."""


class Grace(dict[str, float]):
    """
    Key → when it was banned, in the time of its lines; for as long as that matters.

    Args:
        budget: keys at most; of more, the oldest half goes.
    """

    def __init__(self, budget: int) -> None:
        super().__init__()
        self.budget = budget

    def start(self, key: str, at: float) -> None:
        """`key` was banned at `at`."""
        self.pop(key, None)
        if len(self) >= self.budget:
            for old in list(islice(self, self.budget // 2 + 1)):
                del self[old]
        self[key] = at

    def covers(self, key: str, at: float, findtime: float) -> bool:
        """
        True if an attempt at `at` belongs to the last ban of `key`: up to 5 s after it, or within findtime before it.

        An attempt from before the ban comes after it when several files are read; had it come in time, the ban would have
        emptied the window of it.
        """
        banned = self.get(key)
        return banned is not None and banned - (findtime + GRAIN) <= at <= banned + LATEST

    def shift(self, seconds: float) -> None:
        """Move all by `seconds`, as the clock was."""
        self.update({key: at + seconds for key, at in self.items()})

    def sweep(self, clock: float) -> None:
        """Forget those whose 5 s were over at `clock`, as long as they stand before one whose are not."""
        over: list[str] = []
        for key, at in self.items():
            if at + LATEST >= clock:
                break
            over.append(key)
        for key in over:
            del self[key]
