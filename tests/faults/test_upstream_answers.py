"""Bad input from an upstream: whatever it says of a task, and whatever its links lead to, nothing crashes, and the
customer is charged for a video or not at all."""

import json
import time
from typing import Any

import pytest

from faults.kit import do
from faults.upstream import Live
from security.attack import rows
from stage import until

INNER = (
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/video.mp4",
    "https://[::1]/video.mp4",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "//no-scheme/video.mp4",
    "",
    "x" * 9000,
)


def test_links_to_inner_addresses_are_not_followed(live: Live) -> None:
    prompts = [live.fault("create", {"set": {"content.video_url": link}}) for link in INNER]
    away = {"status": 302, "headers": {"Location": "http://169.254.169.254/latest/meta-data/"}}
    prompts.append(live.fault("download", away))
    videos = [live.create(prompt) for prompt in prompts]
    sql = "SELECT count(*) AS n FROM generation WHERE id = ANY ($1) AND finished_at IS NULL AND waiting_since IS NULL"

    def all_judged() -> bool:
        live.hurry(*videos)
        return rows(live.url, sql, videos)[0]["n"] == 0

    # a link that the operator may have to allow waits until the deadline, and is told; the others are no links
    until(all_judged, 100)
    do(live.url, "UPDATE generation SET deadline_at = now() WHERE id = ANY ($1) AND finished_at IS NULL", videos)
    live.ends(*videos, hurried=True)
    for video, prompt in zip(videos, prompts, strict=True):
        live.failed(video, prompt, "output_unavailable")


WITHOUT: dict[str, dict[str, Any]] = {
    "no link": {"unset": ["content.video_url"]},
    "no content": {"unset": ["content"]},
    "null": {"set": {"content": None}},
    "number": {"set": {"content.video_url": 5}},
    "list": {"set": {"content": ["https://example.org/video.mp4"]}},
}


@pytest.mark.parametrize("what", WITHOUT)
def test_succeeded_without_a_link_costs_nothing(live: Live, what: str) -> None:
    prompt = live.fault("create", WITHOUT[what])
    live.failed(live.create(prompt), prompt, "output_unavailable", hurried=True)


TOKENS: dict[str, dict[str, Any]] = {
    "negative": {"set": {"usage.completion_tokens": -1}},
    "none": {"unset": ["usage"]},
    "text": {"set": {"usage.completion_tokens": "many"}},
    "fraction": {"set": {"usage.completion_tokens": 1.5}},
    "list": {"set": {"usage": [1]}},
    "huge": {"set": {"usage.completion_tokens": 10**30}},
    "zero": {"set": {"usage.completion_tokens": 0}},
}


@pytest.mark.parametrize("what", TOKENS)
def test_tokens_that_are_none_are_charged_as_they_were_quoted(live: Live, what: str) -> None:
    prompt = live.fault("create", TOKENS[what])
    found = live.completed(live.create(prompt), prompt)
    assert found.hold["tokens"] == found.hold["quoted_tokens"]
    assert found.hold["charged"] == found.hold["quoted"]
    assert found.hold["reason"], "the reason is said"


def test_more_tokens_than_were_held_are_charged_up_to_what_was_held(live: Live) -> None:
    prompt = live.fault("create", {"set": {"usage.completion_tokens": 10_000_000}})
    found = live.completed(live.create(prompt), prompt)
    assert found.hold["charged"] == found.hold["amount"]
    assert found.hold["waived"] > 0
    assert found.hold["reason"]


SAID: dict[str, dict[str, Any]] = {
    "times": {"created_at": "yesterday", "updated_at": -5},
    "numbers": {"seed": "x", "duration": {}, "frames": -3, "framespersecond": []},
    "words": {"resolution": 720, "ratio": "wide", "model": ["x"], "service_tier": 1},
    "far": {"resolution": "9999p", "ratio": "9999:1", "duration": 2**60, "seed": 2**63},
    "html": {"resolution": "<script>", "ratio": "<b>1:1</b>", "model": "<img src=x>"},
    "error": {"error": {"code": 5, "message": ["x"]}, "failure_reason": "x" * 100_000},
    "null": dict.fromkeys(("seed", "resolution", "ratio", "duration", "error", "model", "created_at", "usage")),
}


@pytest.mark.parametrize("what", SAID)
def test_odd_facts_about_a_good_video_do_no_harm(live: Live, what: str) -> None:
    prompt = live.fault("create", {"set": SAID[what]})
    video = live.create(prompt)
    live.completed(video, prompt, hurried=True)
    with live.service.client() as client:
        shown = client.get(f"/v1/videos/{video}")
    assert shown.status_code == 200
    assert "<" not in shown.text
    assert shown.json()["seconds"] == "4"


@pytest.mark.parametrize("state", [5, None, ["succeeded"], "SUCCEEDED", "done", "x" * 10_000])
def test_a_state_that_is_none_is_no_end(live: Live, state: object) -> None:
    prompt = live.fault("create", {"set": {"status": state}})
    video = live.create(prompt)
    live.reaches(video, "running")
    for _ in range(3):
        live.look(video)
        time.sleep(0.1)
    assert live.reaches(video, "running", "storing", "failed") == "running"
    live.expire(video)
    live.failed(video, prompt, "deadline_exceeded")


@pytest.mark.parametrize("error", [None, "text", {"code": 5}, {"code": "Never.Heard.Of", "message": "<b>x</b>"}, [1]])
def test_a_failure_with_an_odd_reason_costs_nothing(live: Live, error: object) -> None:
    prompt = live.fault("create", {"fail": "InternalServiceError", "set": {"error": error, "failure_reason": error}})
    video = live.create(prompt)
    found = live.failed(video, prompt, "provider_failed")
    assert "<" not in str(found.row["error_message"])


def test_states_that_go_backwards_change_nothing(live: Live) -> None:
    """It failed, and then it claims to have succeeded: what was told stays; the operator hears of the bill."""
    prompt = live.fault("create", {"fail": "InternalServiceError"})
    video = live.create(prompt)
    found = live.failed(video, prompt, "provider_failed")
    live.fakes[0].alter(live.task(prompt), set={"status": "succeeded", "usage.completion_tokens": 40_594})
    live.reconcile()
    (after,) = live.ends(video)
    assert after.row == found.row
    assert after.amounts("charge") == []
    (late,) = rows(live.url, "SELECT * FROM discrepancy WHERE attempt_id = $1", found.attempts[0]["id"])
    assert late["kind"] == "late"
    assert len(after.amounts("upstream")) == 1


def test_a_file_that_is_no_video_is_not_delivered(live: Live) -> None:
    for body in ("#!/bin/sh\nexit 0\n", "GIF89a" + "x" * 1000, json.dumps({"error": "gone"})):
        prompt = live.fault("download", {"status": 200, "body": body, "headers": {"Content-Type": "video/mp4"}})
        live.failed(live.create(prompt), prompt, "output_invalid", hurried=True)


def test_a_video_of_another_shape_is_not_what_was_ordered(live: Live) -> None:
    prompt = live.fault("download", {"picture": [480, 864]})
    live.failed(live.create(prompt, ratio="16:9"), prompt, "output_invalid", hurried=True)


def test_answers_that_are_huge_or_deep_are_no_answers(live: Live) -> None:
    prompts = [live.fault("create", {"stuck": True}) for _ in range(3)]
    videos = [live.create(prompt) for prompt in prompts]
    for video in videos:
        live.reaches(video, "running")
    huge, deep = '{"items":[' + "0," * 9_000_000 + "0]}", '{"items":' * 50_000
    for on in ("list", "get"):
        rules = ({"on": on, "times": 1, "do": {"status": 200, "body": body}} for body in (huge, deep))
        live.fakes[0].faults(*rules)
        live.met(on, (lambda: live.watch("main")) if on == "list" else lambda: live.look(videos[0]))
    live.fakes[0].alter(*map(live.task, prompts), stuck=False)
    live.watch("main")
    for video, prompt in zip(videos, prompts, strict=True):
        live.completed(video, prompt, hurried=True)
