"""Instruments: what is observed is what is told, and it is bounded."""

from seedance_api.foundation.instruments import MAX_SERIES, Counter, Gauge, Histogram


def test_a_counter_without_labels_is_there_before_anything_happens() -> None:
    counter = Counter("a", "A.")
    assert counter.series == {(): 0.0}
    counter.add()
    counter.add(count=2)
    assert counter.series == {(): 3.0}


def test_labels_are_bounded_and_nothing_is_lost() -> None:
    counter, histogram = Counter("a", "A.", ("x",)), Histogram("b", "B.", ("x",), bounds=(1.0,))
    gauge = Gauge("c", "C.", ("x",))
    for number in range(MAX_SERIES + 500):
        counter.add(str(number))
        histogram.observe(0.5, str(number))
        gauge.set(1.0, str(number))
    gauge.replace({(str(number),): 1.0 for number in range(2 * MAX_SERIES)})
    assert len(counter.series) <= MAX_SERIES + 1
    assert len(histogram.series) <= MAX_SERIES + 1
    assert len(gauge.series) <= MAX_SERIES
    assert counter.series["other",] == 500
    assert sum(cells[0] for cells in histogram.series.values()) == MAX_SERIES + 500
    counter.add("0")
    assert counter.series["0",] == 2, "what has a place keeps it"


def test_a_histogram_counts_up_to_each_bound_and_above() -> None:
    histogram = Histogram("a", "A.", bounds=(0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 1.5, -3.0):
        histogram.observe(seconds)
    assert histogram.series[()] == [3, 1, 1, 0.05 + 0.1 + 0.5 + 1.5]


def test_a_gauge_goes_down_too() -> None:
    gauge = Gauge("a", "A.", ("job",))
    for step in (1.0, 1.0, -1.0):
        gauge.add("sweep", count=step)
    assert gauge.series == {("sweep",): 1.0}
    gauge.replace({("purge",): 4.0})
    assert gauge.series == {("purge",): 4.0}
