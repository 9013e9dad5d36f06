"""What most hostile tests need: a check that nothing was kept, and one finished video to aim at."""

from collections.abc import Iterator

import pytest

from security.attack import grown, kept, settled
from stage import Service, finished, until


@pytest.fixture
def nothing_kept(service: Service) -> Iterator[None]:
    """Whatever the test sends leaves no row, no object and no upload behind, and the server still answers."""
    before = settled(service)
    yield
    with service.client() as client:
        assert client.get("/readyz").json() == {"status": "ok"}
    until(lambda: not grown(before, kept(service)), 10)


@pytest.fixture(scope="session")
def video(service: Service) -> dict:
    """A completed video of the service's own account."""
    with service.client() as client:
        body = {"prompt": "A quiet lake", "duration": 4, "resolution": "480p", "seed": 1}
        made = client.post("/v1/videos", json=body).json()
        video = finished(client, made["id"])
    assert video["status"] == "completed"
    return video
