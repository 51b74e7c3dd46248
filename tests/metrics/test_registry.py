"""The metrics."""

import subprocess
import sys
from collections.abc import Iterator
from platform import python_version

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banwatch import __version__
from banwatch.metrics.registry import OPENMETRICS, TEXT, Histogram, Metrics, Reading
from banwatch.metrics.table import BUCKETS, LATENCY, TABLE
from banwatch.model import Ban, Target, Unban

NOW = 1_800_000_000.0


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(clock=lambda: NOW)


def samples(metrics: Metrics, accept: str = "") -> dict[str, str]:
    """`name{labels}` → value, of what is rendered."""
    body, _ = metrics.render(accept)
    lines = (line for line in body.decode().splitlines() if not line.startswith("#"))
    return dict(line.rsplit(" ", 1) for line in lines)


def ban(jail: str = "sshd", read_at: float | None = None, enforce: bool = True) -> Ban:
    return Ban(jail, Target("net", "192.0.2.7"), "ip", NOW, NOW + 600, read_at=read_at, enforce=enforce)


def test_without_labels_a_metric_is_never_missing(metrics: Metrics) -> None:
    """It is 0 before anything happened, so that an alert can tell 0 from absent."""
    found = samples(metrics)
    for entry in TABLE:
        if not entry.labels and entry.kind != "histogram":
            assert entry.name in found
    assert found["banwatch_filter_lines_total"] == "0.0"


def test_the_rooms_own_counters_are_read_when_somebody_scrapes(metrics: Metrics) -> None:
    """Every time anew; several readings of the same metric add up."""
    count = iter((1, 2))

    def read() -> Iterator[Reading]:
        yield Reading("banwatch_filter_lines_total", (), next(count))
        yield Reading("banwatch_jail_keys_tracked", ("sshd", "ip"), 7)
        yield Reading("banwatch_jail_keys_tracked", ("sshd", "ip"), 3)

    metrics.watch(read, lambda: False)
    found = samples(metrics)
    assert found["banwatch_filter_lines_total"] == "1.0"
    assert found['banwatch_jail_keys_tracked{jail="sshd",rule="ip"}'] == "10.0"
    assert samples(metrics)["banwatch_filter_lines_total"] == "2.0"


def test_a_reading_of_no_metric_is_our_mistake(metrics: Metrics) -> None:
    """It does not vanish silently."""
    metrics.watch(lambda: [Reading("banwatch_nope", (), 1)], lambda: False)
    with pytest.raises(KeyError, match="banwatch_nope"):
        metrics.render()


def test_events_between_the_rooms_are_counted_here(metrics: Metrics) -> None:
    """Bans and unbans by jail, errors by room, reloads by result, scrapes."""
    for change in (ban(), ban(), ban("exim4")):
        metrics.banned(change, NOW)
    metrics.unbanned(Unban(ban(), NOW, "expired"))
    metrics.error("firewall")
    metrics.reloaded(True)
    metrics.reloaded(False)
    metrics.render()
    found = samples(metrics)
    assert found['banwatch_book_bans_total{jail="sshd"}'] == "2.0"
    assert found['banwatch_book_bans_total{jail="exim4"}'] == "1.0"
    assert found['banwatch_book_unbans_total{jail="sshd"}'] == "1.0"
    assert found['banwatch_daemon_errors_total{room="firewall"}'] == "1.0"
    assert found['banwatch_config_reloads_total{result="done"}'] == "1.0"
    assert found['banwatch_config_reloads_total{result="refused"}'] == "1.0"
    assert found["banwatch_metrics_scrapes_total"] == "2.0"


def test_the_latency_is_from_reading_to_acknowledgement(metrics: Metrics) -> None:
    """Only of bans that a line led to and that were to be enforced; a clock that was set back is no negative time."""
    metrics.banned(ban(read_at=NOW - 0.0009), NOW)
    metrics.banned(ban(read_at=NOW + 5), NOW)
    metrics.banned(ban(read_at=NOW - 1, enforce=False), NOW)
    metrics.banned(ban(), NOW)
    found = samples(metrics)
    assert found[f"{LATENCY}_count"] == "2.0"
    assert found[f'{LATENCY}_bucket{{le="0.0005"}}'] == "1.0"
    assert found[f'{LATENCY}_bucket{{le="0.001"}}'] == "2.0"
    assert found[f'{LATENCY}_bucket{{le="+Inf"}}'] == "2.0"
    assert float(found[f"{LATENCY}_sum"]) == pytest.approx(0.0009, abs=1e-6)


@given(st.lists(st.floats(0, 100)))
def test_a_bucket_holds_what_is_at_most_its_end(values: list[float]) -> None:
    """Cumulative counts are a list comprehension."""
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    assert histogram.cumulative() == [
        *((str(end), float(sum(value <= end for value in values))) for end in BUCKETS),
        ("+Inf", float(len(values))),
    ]


def test_the_state_of_the_configuration() -> None:
    """A refused reload is seen, and when the running configuration was read is not changed by it."""
    now = [NOW]
    metrics = Metrics(clock=lambda: now[0])
    stamp, success = "banwatch_config_last_reload_timestamp_seconds", "banwatch_config_last_reload_successful"
    assert (samples(metrics)[success], float(samples(metrics)[stamp])) == ("1.0", NOW)
    now[0] += 10
    metrics.reloaded(False)
    assert (samples(metrics)[success], float(samples(metrics)[stamp])) == ("0.0", NOW)
    metrics.reloaded(True)
    assert (samples(metrics)[success], float(samples(metrics)[stamp])) == ("1.0", NOW + 10)


def test_degraded_is_asked_for(metrics: Metrics) -> None:
    """The gauge and /healthz say what status says."""
    assert metrics.healthy()
    assert samples(metrics)["banwatch_daemon_degraded"] == "0.0"
    metrics.watch(lambda: (), lambda: True)
    assert not metrics.healthy()
    assert samples(metrics)["banwatch_daemon_degraded"] == "1.0"


def test_build_and_process(metrics: Metrics) -> None:
    """Version, memory and the like."""
    found = samples(metrics)
    assert found[f'banwatch_build_info{{python="{python_version()}",version="{__version__}"}}'] == "1.0"
    assert float(found["process_resident_memory_bytes"]) > 1e6


@pytest.mark.parametrize(
    ("accept", "content_type", "end"),
    [
        ("", TEXT, False),
        ("*/*", TEXT, False),
        ("text/plain;version=x\x1b", TEXT, False),
        ("application/openmetrics-text; version=1.0.0,text/plain;q=0.5", OPENMETRICS, True),
        ("application/openmetrics-text; version=x", OPENMETRICS, True),
    ],
)
def test_openmetrics_for_those_who_ask(metrics: Metrics, accept: str, content_type: str, end: bool) -> None:
    """The text format for everybody else; an odd version in the header is no error."""
    body, kind = metrics.render(accept)
    assert kind == content_type
    assert body.endswith(b"# EOF\n") == end
    assert b"# TYPE banwatch_filter_lines" in body


def test_hostile_labels_stay_labels(metrics: Metrics) -> None:
    """Names from the configuration are escaped, whatever they hold."""
    metrics.watch(lambda: [Reading("banwatch_sources_bytes_total", ('/a"}\n b\\',), 1)], lambda: False)
    assert samples(metrics)['banwatch_sources_bytes_total{log="/a\\"}\\n b\\\\"}'] == "1.0"


def test_the_library_is_loaded_by_the_first_scrape() -> None:
    """Nobody who does not scrape pays for it, and the process-wide registry has nothing of ours."""
    code = """
import sys
from banwatch.metrics.registry import Metrics
metrics = Metrics()
assert "prometheus_client" not in sys.modules
metrics.render()
from prometheus_client import REGISTRY
assert not [family.name for family in REGISTRY.collect() if family.name.startswith("banwatch")]
"""
    subprocess.run([sys.executable, "-c", code], check=True)
