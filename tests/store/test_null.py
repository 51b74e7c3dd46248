"""store/null.py: nothing is remembered."""

from tests.store.conftest import ban, batch

from banwatch.store.null import NullStore
from banwatch.store.values import Saved


async def test_it_forgets():
    """Whatever is written, the next start is the first."""
    store = NullStore()
    await store.write(batch(bans=[ban()]), durable=True)
    assert await store.load() == Saved()
    assert await store.history(None, 0.0, 10) == ()
    assert (store.name, store.wants_all_windows) == (None, False)
    await store.close()
