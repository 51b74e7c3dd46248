"""
A window that knows what has changed in it since somebody asked last, so that only that has to be written down. Pure.

Who sweeps away what is too old to count changes nothing: it would not count either if it came back.
"""

from collections.abc import Callable, Iterable
from typing import Any

from banwatch.jail.window import Record, Window


class JournaledWindow(Window):
    """See Window."""

    __slots__ = ("_changed",)

    def __init__(self, findtime: float, maxretry: int, budget: int) -> None:
        super().__init__(findtime, maxretry, budget)
        self._changed: dict[str, None] = {}

    def changes(self) -> list[tuple[str, Record]]:
        """The keys that were touched since the last call, in the order of the last touch, with their records of now."""
        changed, self._changed = self._changed, {}
        ones, more = self._ones, self._more
        return [(key, ones.get(key) or more.get(key, ())) for key in changed]

    def dump(self) -> list[tuple[str, Record]]:
        """Every key with its record; they count as asked for."""
        self._changed = {}
        return list(self.items())

    def load(self, records: Iterable[tuple[str, Record]]) -> None:
        """Go on with `records` of another life, oldest touch first."""
        for key, record in records:
            self._put(key, record)

    def add(self, key: str, at: float, other: object, attempts: int = 1) -> int:
        self._changed.pop(key, None)
        self._changed[key] = None
        return Window.add(self, key, at, other, attempts)

    def take(self, key: str, taken: Callable[[float, Any], bool]) -> None:
        self._changed[key] = None
        super().take(key, taken)

    def discard(self, key: str) -> None:
        self._changed[key] = None
        super().discard(key)

    def _evict(self, records: dict[str, Record], keys: list[str]) -> int:
        self._changed.update(dict.fromkeys(keys))
        return super()._evict(records, keys)
