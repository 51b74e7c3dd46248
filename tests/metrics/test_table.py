"""The table of metrics."""

from pathlib import Path

from banwatch.metrics.table import BUCKETS, TABLE

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_every_metric_is_documented() -> None:
    """docs/metrics.md has a row for each entry of the table, in its order, with its kind, labels and help."""
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith("| `banwatch_") and line.count("|") == 5]
    assert rows == [
        f"| `{entry.name}` | {entry.kind} | {', '.join(f'`{label}`' for label in entry.labels)} | {entry.help} |"
        for entry in TABLE
    ]


def test_names_follow_one_pattern() -> None:
    """banwatch_<room>_<thing>, counters end in _total, no name stands twice."""
    assert len({entry.name for entry in TABLE}) == len(TABLE)
    for entry in TABLE:
        assert entry.name.startswith("banwatch_")
        assert entry.name.endswith("_total") == (entry.kind == "counter"), entry.name


def test_buckets_rise_from_a_tenth_of_a_millisecond_to_ten_seconds() -> None:
    """Each end once, in order: what a histogram needs to find its bucket by bisection."""
    assert list(BUCKETS) == sorted(set(BUCKETS))
    assert (BUCKETS[0], BUCKETS[-1]) == (0.0001, 10.0)
