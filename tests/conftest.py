"""Real parts for every test: one embedded PostgreSQL for the run, a database of its own for each test, real servers."""

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import sample as samples
from seedance_api.foundation.postgres import Embedded
from stage import Service, free_port, fresh_database, make_template


def pytest_addoption(parser: pytest.Parser) -> None:
    """What a sweep tries."""
    samples.add_options(parser)


@pytest.hookimpl(tryfirst=True)  # before Hypothesis looks for its seed
def pytest_configure(config: pytest.Config) -> None:
    """The run's seed."""
    samples.configure(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Each of pytest-xdist's processes has the run's seed, and so the same tests."""
    node.workerinput["seed"] = node.config.option.seed


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Draw the cases of this run, and put them in order."""
    samples.draw(config, items)
    samples.put_slow_first(items)


@pytest.fixture
def sample(request: pytest.FixtureRequest) -> samples.Sample:
    """How much of its cases the test tries in this run."""
    option = request.config.option
    return samples.Sample(f"{option.seed} {request.node.nodeid}", soak=option.soak)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """The run's PostgreSQL, shared by all of pytest's processes; its migrated template is made by the first."""
    if given := os.environ.get("TEST_POSTGRES"):  # a test that runs tests lends its own
        yield given
        return
    base = tmp_path_factory.getbasetemp()
    run = base if worker_id == "master" else base.parent
    # not below pytest's folder: a second run as root takes the way to it from the database's own user
    folder = Path(tempfile.gettempdir()) / f"seedance-test-{hashlib.sha256(str(run).encode()).hexdigest()[:12]}"
    folder.mkdir(mode=0o755, exist_ok=True)
    with Embedded(folder / "postgres") as server:
        asyncio.run(make_template(server.url))
        yield server.url
    if not (folder / "postgres" / "postmaster.pid").exists():  # the last one out
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """A migrated database for one test."""
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture(scope="session")
def service(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One running service for all tests that do not disturb it."""
    with fresh_database(postgres) as url:
        folder = tmp_path_factory.mktemp("service")
        port = free_port("127.0.0.2")
        running = Service(
            url, folder, fetch_http="true", fetch_allow_networks="127.0.0.2/32", webhook_ports=str(port),
            verify_per_minute="100000",
        )  # fmt: skip
        running.webhook_port = port
        yield running
        running.stop()


@pytest.fixture
def schedules(record_property: Callable[[str, object], None]) -> Callable[[int], None]:
    """Counts the schedules that a test has tried: interleavings, orders of operations, points of death."""
    return lambda count: record_property("schedules", count)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say by which seed sweeps were sampled, and how many schedules were tried."""
    option = terminalreporter.config.option
    terminalreporter.write_line(f"sweeps: {'whole' if option.soak else 'sampled'}, --seed {option.seed}")
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, ())]
    counts = [value for one in reports for name, value in one.user_properties if name == "schedules"]
    if counts:
        terminalreporter.write_line(f"schedules tried: {sum(counts)} in {len(counts)} tests")


@pytest.fixture
def start_service(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """A function that starts a service of the test's own."""
    with ExitStack() as stack:
        started: list[Service] = []

        def start(**settings: Any) -> Service:
            url = stack.enter_context(fresh_database(postgres))
            started.append(Service(url, tmp_path_factory.mktemp("service"), **settings))
            return started[-1]

        yield start
        for one in started:
            if one.process.poll() is None:
                one.stop()
