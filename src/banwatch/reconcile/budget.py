"""How often something may be repaired that others keep changing. Pure: time is an argument."""

from collections import deque

MOST = 5
WITHIN_SECONDS = 600.0


class Budget:
    """
    At most `most` repairs in any `within` seconds.

    Two programs that both insist on their own order would else change it in turn, for ever and as fast as they can.
    """

    def __init__(self, most: int = MOST, within: float = WITHIN_SECONDS) -> None:
        self.most = most
        self.within = within
        self._spent: deque[float] = deque()

    def spend(self, now: float) -> bool:
        """Whether there may be a repair at `now`, which is then counted."""
        while self._spent and self._spent[0] <= now - self.within:
            self._spent.popleft()
        if len(self._spent) >= self.most:
            return False
        self._spent.append(now)
        return True

    def refund(self) -> None:
        """The last repair that was counted did not come about."""
        self._spent.pop()
