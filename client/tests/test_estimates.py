"""Place in the queue, estimated end, and warnings of a model that ends."""

from __future__ import annotations

import json
import time

WARNING = {"code": "model_retiring", "message": "The vendor is retiring seedance-1.0-pro. Use seedance-2.0-mini."}


def test_a_video_says_where_it_stands(client, service):
    video = client.videos.create("x")
    assert (video.queue_position, video.eta, video.warnings) == (None, None, ())
    service.steps[video.id].clear()
    service.videos[video.id] |= {"queue_position": 3, "eta": 1_800_000_000, "warnings": [WARNING | {"new": 1}]}
    video = client.videos.retrieve(video)
    assert (video.queue_position, video.eta) == (3, 1_800_000_000)
    assert [(one.code, one.message) for one in video.warnings] == [("model_retiring", WARNING["message"])]


def test_status_shows_the_place_the_estimate_and_the_warning(run, client, service):
    video = client.videos.create("x")
    service.steps[video.id].clear()
    service.videos[video.id] |= {"queue_position": 3, "warnings": [WARNING]}
    said = run("status", video.id).stdout
    assert "3 in the queue" in said
    assert WARNING["message"] in said
    service.videos[video.id] |= {"queue_position": 1000}
    assert "beyond 1000" in run("status", video.id).stdout
    now = int(time.time())
    for ahead, words in ((-5, "in 0 s"), (30, "in 30 s"), (300, "in 5 min")):
        service.videos[video.id] |= {"status": "in_progress", "queue_position": None, "eta": now + ahead}
        said = run("status", video.id).stdout
        assert words in said or f"in {ahead - 1} s" in said
        assert "queue" not in said


def test_generate_warns_beside_the_result(process, service):
    service.extra = {"warnings": [WARNING]}
    done = process("generate", "a cat", "-o", "out.mp4")
    assert done.returncode == 0
    assert WARNING["message"] in done.stderr
    assert WARNING["message"] not in done.stdout
    done = process("generate", "a cat", "--json")
    assert (json.loads(done.stdout)["warnings"], done.stderr) == ([WARNING], "")


def test_a_new_place_in_the_queue_is_a_change(client, service):
    service.timeline = [("queued", 0), ("queued", 0), ("completed", 100)]
    service.places = [5, 2, None]
    seen = []
    client.videos.wait(client.videos.create("x"), on_change=lambda video: seen.append(video.queue_position))
    assert seen == [5, 2, None]


def test_an_asset_passes_on_as_it_is(client, service):
    client.videos.create("x", images=["asset://abc", {"url": "asset://def", "role": "reference"}])
    assert service.seen("POST", "/v1/videos")[0].json["images"] == [
        "asset://abc",
        {"url": "asset://def", "role": "reference"},
    ]
