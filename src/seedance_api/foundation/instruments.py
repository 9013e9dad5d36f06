"""Instruments: counts, times and states in plain numbers, which a process keeps and somebody else exports.

One event loop observes, so there is no lock: an observation costs well under a microsecond. Labels have few values; an
instrument keeps `MAX_SERIES` of their combinations, and counts what is more as `other`.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence

MAX_SERIES = 1000
"""Of one instrument: some 100 kB, of a histogram 300 kB."""
Labels = tuple[str, ...]


class Instrument:
    """What is observed: its name, what it means, and the names of its labels."""

    def __init__(self, name: str, meaning: str, labels: Labels = ()) -> None:
        self.name, self.meaning, self.labels = name, meaning, labels

    def _admitted(self, values: Labels, known: int) -> Labels:
        return values if known < MAX_SERIES else ("other",) * len(self.labels)


class Counter(Instrument):
    """What only grows, from zero at the start of the process."""

    def __init__(self, name: str, meaning: str, labels: Labels = ()) -> None:
        super().__init__(name, meaning, labels)
        self.series: dict[Labels, float] = {} if labels else {(): 0.0}

    def add(self, *values: str, count: float = 1.0) -> None:
        """Count it, with the values of its labels."""
        series = self.series
        if values in series:
            series[values] += count
        else:
            values = self._admitted(values, len(series))
            series[values] = series.get(values, 0.0) + count


class Gauge(Instrument):
    """What is so now, and may be less later."""

    def __init__(self, name: str, meaning: str, labels: Labels = ()) -> None:
        super().__init__(name, meaning, labels)
        self.series: dict[Labels, float] = {}

    def set(self, value: float, *values: str) -> None:
        """It is this now."""
        self.series[values if values in self.series else self._admitted(values, len(self.series))] = value

    def add(self, *values: str, count: float = 1.0) -> None:
        """It has changed by this."""
        self.set(self.series.get(values, 0.0) + count, *values)

    def replace(self, series: Mapping[Labels, float]) -> None:
        """It is these now, and nothing else. Those that find no room are left out."""
        self.series = dict(list(series.items())[:MAX_SERIES])


class Histogram(Instrument):
    """How long something takes, in seconds: how often up to each of its bounds."""

    def __init__(self, name: str, meaning: str, labels: Labels = (), *, bounds: Sequence[float]) -> None:
        super().__init__(name, meaning, labels)
        self.bounds = tuple(bounds)
        self.series: dict[Labels, list[float]] = {}
        """For each combination of values the count up to each bound and above the last one, and the sum."""

    def observe(self, seconds: float, *values: str) -> None:
        """It took so long. Less than no time, by two clocks, is none."""
        cells = self.series.get(values)
        if cells is None:
            values = self._admitted(values, len(self.series))
            cells = self.series.setdefault(values, [0.0] * (len(self.bounds) + 2))
        if seconds < 0:
            seconds = 0.0
        cells[bisect_left(self.bounds, seconds)] += 1
        cells[-1] += seconds
