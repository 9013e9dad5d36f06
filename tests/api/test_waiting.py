"""What those who wait are told: the place in the queue, and when it should be finished."""

import time
from collections.abc import Callable

from stage import Service, finished, until

SMALL = {"resolution": "480p", "duration": 4}


def test_places_in_the_queue_and_an_estimate_for_what_was_made_before(start_service: Callable[..., Service]) -> None:
    service = start_service(sandbox_slots="1", sandbox_renderers="1")
    with service.client() as client:

        def create(prompt: str) -> str:
            return client.post("/v1/videos", json=SMALL | {"prompt": prompt}).json()["id"]

        def told(one: str, field: str) -> object:
            return client.get(f"/v1/videos/{one}").json()[field]

        first = finished(client, create("[sandbox:slow=2] waves"))
        assert (first["queue_position"], first["eta"], first["progress"]) == (None, None, 100)
        running = create("[sandbox:slow=60] waves")
        until(lambda: told(running, "status") == "in_progress")
        waiting = [create(f"wave {number}") for number in range(3)]
        until(lambda: [told(one, "queue_position") for one in waiting] == [1, 2, 3])
        listed = client.get("/v1/videos", params={"status": "queued"}).json()["data"]
        assert [(one["id"], one["queue_position"]) for one in listed[::-1]] == list(
            zip(waiting, (1, 2, 3), strict=True)
        )
        assert [told(one, "eta") for one in waiting] == [None] * 3
        assert told(running, "queue_position") is None
        client.post(f"/v1/videos/{waiting[0]}/cancel")
        until(lambda: [told(one, "queue_position") for one in waiting] == [None, 1, 2])
        for one in (running, *waiting[1:]):
            client.post(f"/v1/videos/{one}/cancel")
        another = create("[sandbox:slow=2] more waves")
        eta = until(lambda: told(another, "eta") or told(another, "status") not in ("queued", "in_progress"))
        assert isinstance(eta, int)
        assert abs(eta - time.time()) < 120
        assert finished(client, another)["eta"] is None
