"""Expose: the metrics of this process as Prometheus reads them. What is no value of its label leaves as `other`."""

import re
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from seedance_api.foundation.instruments import Counter, Gauge, Histogram, Instrument, Labels
from seedance_api.traffic.metrics import INSTRUMENTS, LABELS

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_OPEN = re.compile(r"[A-Za-z0-9_.-]{0,64}")
_ROUTE = re.compile(r"[A-Z]{1,10} (?:/[A-Za-z0-9_./{}:-]{0,200}|\(unknown\))")


class _Instruments(Collector):
    def collect(self) -> Iterator[Metric]:
        """Every instrument that has been observed."""
        for instrument in INSTRUMENTS:
            yield family(instrument)


def family(instrument: Instrument) -> Metric:
    """An instrument with all its series."""
    name, meaning, labels = instrument.name, instrument.meaning, instrument.labels
    match instrument:
        case Counter():
            counts = CounterMetricFamily(name, meaning, labels=labels)
            for values, count in list(instrument.series.items()):
                counts.add_metric(_told(labels, values), count)
            return counts
        case Gauge():
            states = GaugeMetricFamily(name, meaning, labels=labels)
            for values, state in list(instrument.series.items()):
                states.add_metric(_told(labels, values), state)
            return states
        case Histogram():
            times = HistogramMetricFamily(name, meaning, labels=labels)
            for values, cells in list(instrument.series.items()):
                times.add_metric(_told(labels, values), _buckets(instrument.bounds, cells), cells[-1])
            return times
        case _:
            raise AssertionError(f"{type(instrument).__name__} is no instrument")


def exposition() -> bytes:
    """The text that Prometheus reads: a few milliseconds of work, for a thread."""
    return generate_latest(REGISTRY)


def _buckets(bounds: tuple[float, ...], cells: list[float]) -> list[tuple[str, float]]:
    total, found = 0.0, list[tuple[str, float]]()
    for bound, count in zip((*map(repr, bounds), "+Inf"), cells, strict=False):
        total += count
        found.append((bound, total))
    return found


def _told(labels: Labels, values: Labels) -> Labels:
    return tuple(value if _is_value(label, value) else "other" for label, value in zip(labels, values, strict=True))


def _is_value(label: str, value: str) -> bool:
    allowed = LABELS[label]
    if allowed is not None:
        return value in allowed
    return (_ROUTE if label == "route" else _OPEN).fullmatch(value) is not None


REGISTRY = CollectorRegistry(auto_describe=True)
"""Only what is declared, and what Prometheus' own library tells of a process: its memory, time and open files."""
REGISTRY.register(_Instruments())
ProcessCollector(registry=REGISTRY)
