"""One live installation for the faults of upstreams that do not disturb each other."""

from collections.abc import Iterator

import pytest

from faults.behind import Long
from faults.upstream import CROWD, DRAFTS, MAIN, Live, fast_fake, table
from stage import fresh_database


@pytest.fixture(scope="session")
def shared(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Upstreams of one fake with different models, so that trouble with one is none of the others'."""
    with fresh_database(postgres) as url, fast_fake() as fake:
        tables = [
            table("main", fake.url, MAIN),
            table("slow", fake.url, "seedance-2.0-fast"),
            table("busy", fake.url, "seedance-1.0-pro"),
            table("stormy", fake.url, "seedance-1.0-pro-fast"),
            table("drafts", fake.url, DRAFTS),
            table("crowd", fake.url, CROWD).replace(f"{[CROWD]}", f"{{ '{CROWD}' = {{ concurrency = 40 }} }}"),
        ]
        live = Live(url, tmp_path_factory.mktemp("live"), "".join(tables), fake, account_concurrency="100")
        try:
            yield live
        finally:
            live.stop()


@pytest.fixture(scope="session")
def long(shared: Live) -> Iterator[Long]:
    """Begun before the first test."""
    begun = Long(shared)
    yield begun
    begun.end()


@pytest.fixture
def live(shared: Live, long: Long) -> Iterator[Live]:
    """The installation, with its gates open; after the test the invariants hold and nothing has crashed."""
    del long
    shared.reopen("main", forget=True)
    yield shared
    shared.is_sound()
