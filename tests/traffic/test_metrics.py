"""What is exported: declared names, a fixed set of labels, few values, nothing of anybody; cheap to observe."""

import re
import timeit
from collections.abc import Iterable
from itertools import pairwise
from typing import get_args

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from seedance_api.api.routes import ROUTES
from seedance_api.foundation.instruments import Counter, Gauge, Histogram
from seedance_api.traffic.expose import REGISTRY, exposition, family
from seedance_api.traffic.metrics import INSTRUMENTS, LABELS, RATE_LIMIT_REFUSALS, observe_request
from seedance_api.traffic.rate_limits import RateClass
from seedance_api.traffic.slo import SLOS
from seedance_api.webhooks.decide import How

ALLOWED = {"route", "status_class", "provider", "model", "job_kind", "outcome", "code", "rate_class", "state", "slo"}
"""The labels that a metric may have. One more is a promise changed: see docs/security.md."""
OF_PROMETHEUS = {"le"}
PRIVATE = re.compile(
    r"@|sda_|\b\d{1,3}(?:\.\d{1,3}){3}\b|[0-9a-f]{8}-[0-9a-f]{4}|\b(?:acc|vid|key|req|evt|file|whe|att)_[0-9a-z]{10}"
)


def exported() -> Iterable[Metric]:
    return text_string_to_metric_families(exposition().decode())


def test_P10_no_metric_has_a_label_that_is_not_in_the_fixed_set() -> None:  # noqa: N802 the promise's name
    assert LABELS.keys() == ALLOWED
    assert {label for one in INSTRUMENTS for label in one.labels} == ALLOWED
    assert {label for metric in exported() for sample in metric.samples for label in sample.labels} <= (
        ALLOWED | OF_PROMETHEUS
    )


def test_names_are_declared_once_and_follow_the_field_s_rules() -> None:
    names = [one.name for one in INSTRUMENTS]
    assert len(names) == len(set(names)) > 30
    for one in INSTRUMENTS:
        assert re.fullmatch(r"seedance_[a-z_]+[a-z]", one.name), one.name
        assert not one.name.endswith("_total"), "the exposition adds it"
        assert one.meaning.endswith("."), one.name
        assert not isinstance(one, Histogram) or one.name.endswith("_seconds")
    described = {metric.name for metric in REGISTRY.collect() if metric.name.startswith("seedance_")}
    assert described == set(names), "nothing is exported beside them"


def test_bounds_grow() -> None:
    histograms = [one for one in INSTRUMENTS if isinstance(one, Histogram)]
    assert len(histograms) > 5
    assert [one.name for one in histograms for low, high in pairwise(one.bounds) if low >= high] == []


def test_closed_labels_have_the_values_that_the_code_gives_them() -> None:
    assert LABELS["rate_class"] == {*get_args(RateClass), "address"}
    assert LABELS["slo"] == set(SLOS)
    assert set(get_args(How)) <= (LABELS["outcome"] or set())


@pytest.mark.parametrize("value", ["user@example.org", "GET /v1/videos/x?q=1", "203.0.113.9", "a b", "x" * 300, "é"])
def test_what_is_no_value_of_its_label_leaves_as_other(value: str) -> None:
    for label in ("provider", "status_class", "route"):
        counter = Counter("c", "C.", (label,))
        counter.add(value)
        (sample,) = family(counter).samples
        if value != "203.0.113.9" or label != "provider":  # it might be the name of an upstream
            assert sample.labels == {label: "other"}


def test_the_route_of_every_handler_is_told_as_it_is() -> None:
    routes = {
        f"{method} " + re.sub(r"{(\w+):str}", r"{\1}", path)
        for handler in ROUTES
        for path in handler.paths
        for method in map(str, handler.http_methods)
    } | {"GET (unknown)"}
    assert len(routes) > 20
    counter = Counter("c", "C.", ("route",))
    for route in routes:
        counter.add(route)
    assert {sample.labels["route"] for sample in family(counter).samples} == routes


def test_the_exposition_is_what_was_observed() -> None:
    histogram, gauge = Histogram("h", "H.", ("job_kind",), bounds=(0.1, 1.0)), Gauge("g", "G.")
    for seconds in (0.05, 0.5, 5.0):
        histogram.observe(seconds, "sweep")
    gauge.set(7.0)
    samples = {(one.name, one.labels.get("le")): one.value for one in family(histogram).samples}
    assert samples["h_bucket", "0.1"] == 1
    assert samples["h_bucket", "1.0"] == 2
    assert samples["h_bucket", "+Inf"] == samples["h_count", None] == 3
    assert samples["h_sum", None] == pytest.approx(5.55)
    assert [one.value for one in family(gauge).samples] == [7.0]
    before = RATE_LIMIT_REFUSALS.series.get(("read",), 0.0)
    RATE_LIMIT_REFUSALS.add("read")
    (told,) = [
        sample.value
        for metric in exported()
        for sample in metric.samples
        if sample.name == "seedance_rate_limit_refusals_total" and sample.labels == {"rate_class": "read"}
    ]
    assert told == before + 1


def test_to_observe_a_request_costs_little_in_its_path() -> None:
    def once() -> None:
        observe_request("GET /v1/videos/{video_id}", 200, 0.0004)

    # a figure of the same run is the measure: a call of a function that does nothing takes some 0.05 µs
    least = min(timeit.repeat(once, number=2000, repeat=20))
    nothing = min(timeit.repeat(lambda: None, number=2000, repeat=20))
    assert least < 40 * nothing


def test_nothing_private_is_in_what_is_exported_now() -> None:
    assert PRIVATE.search("GET /v1/videos/vid_0123456789abcdef"), "the pattern finds what it is for"
    assert PRIVATE.findall(exposition().decode()) == []
