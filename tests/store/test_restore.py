"""store/restore.py: what was remembered, as it holds now."""

from hypothesis import given
from hypothesis import strategies as st
from tests.store.conftest import NOW, ban

from banwatch.firewall.base import seconds_left
from banwatch.firewall.wire import LONGEST
from banwatch.model import Unban
from banwatch.store.restore import ENDED, Restored, restore


@given(st.floats(-1e6, 1e6), st.none() | st.floats(0.001, 1e7))
def test_what_remains(passed, bantime):
    """min(until - now, bantime), for ever stays for ever, and what is over is told as over."""
    now, until = NOW + passed, None if bantime is None else NOW + bantime
    bans, ended = restore([ban(until=until)], now)
    if bantime is not None and bantime <= passed:
        assert (bans, ended) == ([], [Unban(ban(until=until), now, ENDED)])
        return
    [restored] = bans
    assert ended == []
    if bantime is None:
        assert restored.until is None
    else:
        assert abs(restored.until - now - min(until - now, bantime)) < 1e-3
    assert restored.at <= now
    assert restored == ban(until=restored.until)._replace(at=restored.at)


def test_a_ban_that_is_longer_than_the_kernel_can_count():
    """It keeps its real end; the kernel gets what it can hold."""
    until = NOW + 40 * 86400
    [restored] = restore([ban(until=until)], NOW + 86400).bans
    assert restored.until == until
    assert seconds_left(restored.until, NOW + 86400) == LONGEST


def test_nothing():
    """The first start."""
    assert restore([], NOW) == Restored([], [])
