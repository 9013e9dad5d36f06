"""The message of a refusal carries all of it: most clients print nothing else."""

from collections.abc import Iterator

import httpx
import pytest

from security.attack import refused
from seedance_api.catalog.models import MODELS
from seedance_api.foundation.errors import AppError, Problem
from stage import Service


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


def message(client: httpx.Client, **body: object) -> str:
    return refused(client.post("/v1/videos", json=body), 400)["message"]


def test_an_unknown_model_is_named_with_those_that_there_are(client: httpx.Client) -> None:
    said = message(client, model="sora-2", prompt="x")
    assert said.startswith("Unknown model `sora-2`. Available: seedance-2.5, ")
    for answer in (client.get("/v1/models/sora-2"), client.get("/v1/videos", params={"model": "sora-2"})):
        said = refused(answer)["message"]
        assert said.startswith("Unknown model `sora-2`. Available: ")
        assert all(model.name in said for model in MODELS)


def test_what_has_not_the_form_of_a_name_is_not_repeated(client: httpx.Client) -> None:
    said = message(client, model="a lake at dawn", prompt="x")
    assert said.startswith("Unknown model. Available: ")
    assert "lake" not in said


def test_a_size_is_told_its_sizes(client: httpx.Client) -> None:
    said = message(client, prompt="x", size="1x1")
    assert all(size in said for size in ("1280x720", "864x496", "720x1280"))


def test_two_problems_are_both_in_the_message_in_their_order(client: httpx.Client) -> None:
    bodies = (
        ({"prompt": "x", "duration": 99, "ratio": "5:1"}, ("`duration` must be", "`ratio` must be")),
        ({"prompt": "x", "duraton": 4, "seed": "x"}, ("`duraton`", "`seed` must be")),
        ({"duration": 99, "model": "sora-2"}, ("`prompt` is needed", "Unknown model `sora-2`")),
    )
    for body, parts in bodies:
        error = refused(client.post("/v1/videos", json=body), 400)
        assert all(part in error["message"] for part in parts), error["message"]
        places = [error["message"].index(problem["message"]) for problem in error["errors"]]
        assert places == sorted(places)


def test_lists_say_what_they_take(client: httpx.Client) -> None:
    said = refused(client.get("/v1/videos", params={"status": "done", "limit": 0}), 400)["message"]
    assert "`limit` must be 1 to 100 (got 0)." in said
    assert "`status` must be queued, in_progress, completed, failed or canceled (got done)." in said
    said = refused(client.get("/v1/events", params={"type": "done"}), 400)["message"]
    assert "video.completed" in said


def test_a_message_is_bounded_and_says_how_many_more() -> None:
    problems = [Problem(path=f"f{n}", code="wrong_type", message=f"`f{n}` must be {'x' * 90}.") for n in range(100)]
    said = AppError("invalid_request", problems=problems).message
    assert len(said) < 2100
    told = said.count("must be")
    assert said.endswith(f"And {100 - told} more: see `errors`.")


def test_what_is_no_address_is_told_what_is_one(client: httpx.Client) -> None:
    said = message(client, prompt="x", model="seedance-2.0", images=["boat.png"])
    assert "`images[0]`: `boat.png` is not an address." in said
    assert "images=@boat.png" in said
    said = refused(client.post("/v1/videos", data={"prompt": "x", "images": "boat.png"}, files={"seed": (None, "1")}))
    assert "images=@boat.png" in said["message"]
    said = message(client, prompt="x", webhook_url="localhost:3000")
    assert said == "`webhook_url`: `localhost:3000` is not an address; give one such as https://example.com/events."


def test_a_draft_that_is_not_there_is_named(client: httpx.Client) -> None:
    draft = "vid_01jh0000000000000000000000"
    assert message(client, draft_id=draft) == f"There is no video `{draft}` in this account."
    said = message(client, draft_id="a secret")
    assert said == "`draft_id` must be the id of a completed draft: `vid_` and 26 letters and digits."


def test_a_type_of_event_that_there_is_not_is_told_those_that_there_are(client: httpx.Client) -> None:
    for given, named in (("video.done", " (got video.done)."), ("a secret", ".")):
        body = {"url": "https://example.com/", "event_types": [given]}
        said = refused(client.post("/v1/webhook_endpoints", json=body), 400)["message"]
        assert said.startswith("`event_types[0]` must be video.queued, ")
        assert said.endswith(named)
        assert "video.completed" in said
        assert "secret" not in said
