"""A store that remembers nothing: for `store: none`, for dry runs, and for tests."""

# ruff: noqa: ARG002 (nothing is looked at)

from collections.abc import Sequence

from banwatch.store.store import Who
from banwatch.store.values import Batch, Event, Saved


class NullStore:
    """See Store."""

    name = None
    wants_all_windows = False

    async def load(self) -> Saved:
        return Saved()

    async def write(self, batch: Batch, durable: bool = False) -> None:
        """Forgotten at once."""

    async def history(self, who: Sequence[Who] | None, since: float, most: int) -> Sequence[Event]:
        return ()

    async def close(self) -> None:
        """There is nothing to close."""
