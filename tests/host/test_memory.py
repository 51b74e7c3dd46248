"""host/memory.py: what was used for a moment is given back."""

from pathlib import Path

from banwatch.host.memory import give_back


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_what_is_free_is_given_back():
    """Of forty megabytes in small pieces, with something kept behind them, most is the system's again."""
    pieces = [bytes(2000) for _ in range(20_000)]
    kept = bytes(2000)
    full = resident()
    del pieces
    before = resident()
    give_back()
    assert full - resident() > 30_000_000
    assert resident() <= before
    assert len(kept) == 2000


def test_other_c_libraries(monkeypatch):
    """Where there is no such call nothing happens."""
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert give_back() is None
