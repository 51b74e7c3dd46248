"""
The values of the metrics in table.py.

Rooms count in plain integers of their own, which cost the way of a line nothing; they are read when somebody scrapes. What no
room counts, because it is an event between rooms, is counted here. Labels come from the configuration, never from a log line.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from platform import python_version
from typing import TYPE_CHECKING, NamedTuple

from banwatch import __version__
from banwatch.metrics.table import BUCKETS, TABLE, Labels
from banwatch.model import Ban, Unban

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric


class Reading(NamedTuple):
    """A value at this moment. Several of one name and labels are added up."""

    name: str
    labels: Labels
    value: float


TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Histogram:
    """How often a value fell into each bucket; the last one has no upper end."""

    def __init__(self, buckets: Sequence[float] = BUCKETS) -> None:
        self.buckets = buckets
        self.counts = [0] * (len(buckets) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value; a bucket's upper end belongs to it."""
        self.counts[bisect_left(self.buckets, value)] += 1
        self.sum += value

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper end as text and how many values were at most that."""
        ends = [*map(str, self.buckets), "+Inf"]
        return list(zip(ends, map(float, accumulate(self.counts)), strict=True))


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.latency = Histogram()
        self._clock = clock
        self._counts: Counter[tuple[str, Labels]] = Counter()
        self._read: Callable[[], Iterable[Reading]] = lambda: ()
        self._is_degraded: Callable[[], bool] = lambda: False
        self._reloaded = (True, clock())
        self._registry: CollectorRegistry | None = None

    def watch(self, read: Callable[[], Iterable[Reading]], is_degraded: Callable[[], bool]) -> None:
        """Ask `read` for the rooms' own counters, and `is_degraded` how the daemon is, whenever somebody scrapes."""
        self._read, self._is_degraded = read, is_degraded

    def count(self, name: str, *labels: str) -> None:
        """One more of `name`."""
        self._counts[name, labels] += 1

    def error(self, room: str) -> None:
        """Something failed in `room` that should not."""
        self.count("banwatch_daemon_errors_total", room)

    def banned(self, ban: Ban, at: float) -> None:
        """The kernel has had `ban` since `at`."""
        self.count("banwatch_book_bans_total", ban.jail)
        if ban.read_at is not None and ban.enforce:
            self.latency.observe(max(0.0, at - ban.read_at))

    def unbanned(self, unban: Unban) -> None:
        """A ban ended."""
        self.count("banwatch_book_unbans_total", unban.ban.jail)

    def reloaded(self, done: bool) -> None:
        """A reload was done or refused."""
        self.count("banwatch_config_reloads_total", "done" if done else "refused")
        self._reloaded = (done, self._clock() if done else self._reloaded[1])

    def healthy(self) -> bool:
        """Whether nothing is degraded."""
        return not self._is_degraded()

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """
        The whole of it and its content type: OpenMetrics where `accept` (an HTTP header) asks for it, else the text format.

        The library is loaded by the first call: 5 MB and 50 ms that nobody pays who does not scrape.
        """
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
        from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

        self.count("banwatch_metrics_scrapes_total")
        if self._registry is None:
            self._registry = CollectorRegistry()
            self._registry.register(self)
            ProcessCollector(registry=self._registry)
        # Not the library's choose_encoder: it raises at versions that are no numbers, and repeats what was asked for.
        if "application/openmetrics-text" in accept:
            return generate_openmetrics(self._registry), OPENMETRICS  # type: ignore[no-untyped-call]
        return generate_latest(self._registry), TEXT

    def collect(self) -> "Iterator[Metric]":
        """
        Every metric of TABLE with its present values; those without labels are never missing.

        Raises:
            KeyError: a reading is of no metric in TABLE.
        """
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        values: dict[str, Counter[Labels]] = {entry.name: Counter() if entry.labels else Counter({(): 0}) for entry in TABLE}
        for name, labels, value in self._readings():
            values[name][labels] += value  # type: ignore[assignment]
        for entry in TABLE:
            family: Metric
            if entry.kind == "histogram":
                family = HistogramMetricFamily(entry.name, entry.help)
                family.add_metric((), self.latency.cumulative(), self.latency.sum)
            else:
                family = (CounterMetricFamily if entry.kind == "counter" else GaugeMetricFamily)(
                    entry.name, entry.help, labels=entry.labels
                )
                for labels, value in values[entry.name].items():
                    family.add_metric(labels, value)
            yield family

    def _readings(self) -> Iterator[Reading]:
        for (name, labels), number in self._counts.items():
            yield Reading(name, labels, number)
        done, at = self._reloaded
        yield Reading("banwatch_config_last_reload_successful", (), done)
        yield Reading("banwatch_config_last_reload_timestamp_seconds", (), at)
        yield Reading("banwatch_daemon_degraded", (), self._is_degraded())
        yield Reading("banwatch_build_info", (__version__, python_version()), 1)
        yield from self._read()
