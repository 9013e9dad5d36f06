"""Metrics of a running service: every process tells its own, and all that was done is told."""

import re
import socket
import uuid
from collections.abc import Iterable, Iterator

import httpx
import psutil
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from seedance_api.foundation.instruments import Counter, Gauge, Histogram
from seedance_api.traffic.metrics import INSTRUMENTS, LABELS
from seedance_api.traffic.slo import SLOS
from stage import Service, finished, fresh_database, until

WORKERS = 2
PROMPT = "a canary named Tweetiebert flies over the harbour"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def free_range(count: int) -> int:
    """The first of so many ports in a row that nobody listens on now."""
    for first in range(21_000, 32_000, 37):
        with socket.socket() as probe:
            try:
                for port in range(first, first + count):
                    with socket.socket() as one:
                        one.bind(("127.0.0.1", port))
                probe.bind(("127.0.0.1", 0))
            except OSError:
                continue
            return first
    raise AssertionError("no ports are free")


@pytest.fixture(scope="module")
def first_port() -> int:
    return free_range(WORKERS + 1)


@pytest.fixture(scope="module")
def measured(postgres: str, tmp_path_factory: pytest.TempPathFactory, first_port: int) -> Iterator[Service]:
    with fresh_database(postgres) as url:
        running = Service(url, tmp_path_factory.mktemp("service"), workers=str(WORKERS), metrics_port=str(first_port))
        yield running
        if running.process.poll() is None:
            running.stop()


def text_of(port: int) -> str:
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10, trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return answer.text


def samples_of(text: str) -> Samples:
    metrics: Iterable[Metric] = text_string_to_metric_families(text)
    return {(one.name, frozenset(one.labels.items())): one.value for metric in metrics for one in metric.samples}


def total(samples: Samples, name: str, **labels: str) -> float:
    return sum(value for (found, has), value in samples.items() if found == name and labels.items() <= set(has))


def all_of(port: int) -> list[Samples]:
    return [samples_of(text_of(each)) for each in range(port, port + WORKERS + 1)]


def summed(port: int, name: str, **labels: str) -> float:
    return sum(total(one, name, **labels) for one in all_of(port))


def test_what_all_processes_did_comes_out(measured: Service, first_port: int) -> None:
    secret = f"canary-{uuid.uuid4().hex}"
    asked = 40
    with measured.client() as client:
        made = client.post("/v1/videos", json={"prompt": PROMPT, "model": "seedance-2.0-mini"})
        assert made.status_code == 200, made.text
        assert finished(client, made.json()["id"])["status"] == "completed"
        client.get(f"/v1/videos?after={secret}")
    for _ in range(asked):  # each with a connection of its own: both API processes get some
        with measured.client() as client:
            assert client.get("/v1/models").status_code == 200
            assert client.get(f"/{secret}").status_code == 404
    with measured.client("sda_test_" + "x" * 46) as client:
        assert client.get("/v1/models").status_code == 401
    models = {"route": "GET /v1/models", "status_class": "2xx"}
    until(lambda: summed(first_port, "seedance_http_requests_total", **models) == asked)
    worker, *apis = all_of(first_port)
    for api in apis:
        assert total(api, "seedance_http_requests_total") > 0, "each answered some"
        assert total(api, "seedance_database_connections_max") > 0
    assert sum(total(one, "seedance_http_request_seconds_count", route="GET /v1/models") for one in apis) == asked + 1
    assert sum(total(one, "seedance_http_requests_total", route="GET (unknown)") for one in apis) == asked
    assert sum(total(one, "seedance_generations_created_total", provider="sandbox") for one in apis) == 1
    assert total(worker, "seedance_generations_ended_total", provider="sandbox", outcome="completed") == 1
    assert total(worker, "seedance_generation_seconds_count", model="seedance-2.0-mini") == 1
    assert total(worker, "seedance_generation_queue_seconds_count", provider="sandbox") == 1
    assert total(worker, "seedance_jobs_total", job_kind="store", outcome="succeeded") >= 1
    assert total(worker, "seedance_jobs_total", job_kind="sweep", outcome="succeeded") >= 1
    for one in (worker, *apis):
        assert total(one, "seedance_database_up") == 1
        assert total(one, "seedance_event_loop_lag_seconds_count") > 0
        assert 0 < total(one, "seedance_disk_free_bytes") <= total(one, "seedance_disk_size_bytes")
        assert total(one, "process_resident_memory_bytes") > 0
    assert ("seedance_purge_lag_seconds", frozenset[tuple[str, str]]()) in worker, "the installation's, of the worker"
    assert ("seedance_purge_lag_seconds", frozenset[tuple[str, str]]()) not in apis[0]
    texts = "".join(text_of(port) for port in range(first_port, first_port + WORKERS + 1))
    for private in (
        secret,
        "Tweetiebert",
        measured.key,
        measured.account["id"],
        measured.account["email"],
        "127.0.0.1",
    ):
        assert private not in texts


def test_P10_labels_and_values_after_a_load_are_of_the_fixed_set(measured: Service, first_port: int) -> None:  # noqa: N802
    with measured.client() as client:
        for number in range(60):
            client.get(f"/v1/videos/vid_{number:026}")
            client.request(f"M{number}", "/v1/videos")
            client.get(f"/{number}")
    kinds = {one.name: one for one in INSTRUMENTS}
    found = {sample for one in all_of(first_port) for sample in one if sample[0].startswith("seedance_")}
    assert len(found) < 1000, "few series, whatever was asked for"
    for name, labels in found:
        plain = name.removesuffix("_total")
        for suffix in ("_bucket", "_count", "_sum"):
            plain = plain if plain in kinds else plain.removesuffix(suffix)
        assert isinstance(kinds[plain], Counter | Gauge | Histogram), name
        for label, value in labels:
            if label == "le":
                continue
            assert label in kinds[plain].labels
            allowed = LABELS[label]
            assert allowed is None or value in allowed, f"{label}={value}"
            assert not re.search(r"@|sda_|[a-z]+_[0-9a-z]{20}|\d{1,3}\.\d{1,3}\.\d{1,3}\.", value), value


def test_the_command_shows_the_levels_that_are_measured(measured: Service) -> None:
    shown = measured.command("slo")
    assert [one["name"] for one in shown["slos"]] == list(SLOS)
    for one in shown["slos"]:
        assert one["windows"].keys() == {"1h", "24h", "30d"}
        assert one["objective"] == SLOS[one["name"]].objective


def test_only_metrics_are_answered_there(measured: Service, first_port: int) -> None:
    for path in ("/", "/v1/videos", "/metrics/x", "/healthz"):
        answer = httpx.get(f"http://127.0.0.1:{first_port}{path}", timeout=10, trust_env=False)
        assert answer.status_code == 404
    with measured.client() as client:
        assert client.get("/metrics").status_code == 404, "nor is it at the API's own port"


def test_an_api_process_that_is_started_anew_is_heard_of_at_the_same_port(measured: Service, first_port: int) -> None:
    listening: dict[int, int] = {
        one.laddr.port: one.pid
        for one in psutil.net_connections("tcp4")
        if one.status == psutil.CONN_LISTEN and one.laddr and one.pid
    }
    assert len({listening[port] for port in range(first_port, first_port + WORKERS + 1)}) == WORKERS + 1
    port = first_port + 1
    before = total(samples_of(text_of(port)), "process_start_time_seconds")
    psutil.Process(listening[port]).kill()

    def back() -> bool:
        try:
            return total(samples_of(text_of(port)), "process_start_time_seconds") > before
        except httpx.HTTPError:
            return False

    until(back)
