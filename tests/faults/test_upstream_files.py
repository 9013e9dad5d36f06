"""F20–F22: links that are over and files that are broken: fetched again, never delivered, never paid."""

import time
from typing import Any

import pytest

from faults.behind import Long
from faults.kit import do
from faults.upstream import HTML, Live
from security.attack import rows


def test_F20_a_link_that_is_over_is_asked_for_anew(live: Live) -> None:
    once = live.fault("download", {"status": 403}, times=1)
    always = live.fault("download", {"status": 403})
    videos = live.create(once), live.create(always)
    live.completed(videos[0], once)
    task, fake = live.task(once), live.fakes[0]
    gets, downloads = ([one for one in fake.calls(on)["calls"] if one["task_id"] == task] for on in ("get", "download"))
    refused, taken = downloads
    assert (refused["status"], taken["status"]) == (403, 200)
    assert any(refused["at"] < one["at"] < taken["at"] for one in gets), "a fresh link"
    live.failed(videos[1], always, "output_unavailable", hurried=True)


SPOILED: dict[str, tuple[dict[str, Any], str]] = {
    "html": ({"status": 200, "body": HTML, "content_type": "text/html"}, "output_unavailable"),
    "empty": ({"empty": True}, "output_unavailable"),
    "type": ({"content_type": "application/json"}, "output_unavailable"),
    "junk": ({"junk": 100_000}, "output_invalid"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_F21_a_spoiled_download_is_tried_again_and_never_completed(live: Live, how: str) -> None:
    what, code = SPOILED[how]
    once, always = live.fault("download", what, times=1), live.fault("download", what)
    videos = live.create(once), live.create(always)
    live.completed(videos[0], once, hurried=True)
    found = live.failed(videos[1], always, code, hurried=True)
    assert len(found.amounts("upstream")) == 1, "the upstream bills what it has made"


def test_F21_a_download_that_is_cut_near_its_end_goes_on_from_there(live: Live) -> None:
    prompt = live.fault("download", {"cut": 0.99}, times=1)
    video = live.create(prompt)
    live.completed(video, prompt)
    with live.service.client() as client:
        content = client.get(f"/v1/videos/{video}/content")
    (asset,) = rows(live.url, "SELECT * FROM asset WHERE generation_id = $1 AND variant = 'video'", video)
    assert len(content.content) == asset["bytes"]


def test_F22_a_file_of_ten_gigabytes_is_not_fetched(live: Live) -> None:
    prompt = live.fault("download", {"endless": True, "content_length": 10_000_000_000})
    started = time.monotonic()
    live.failed(live.create(prompt), prompt, "output_unavailable")
    assert time.monotonic() - started < 10


def test_F21_a_download_that_is_always_cut_or_short_is_given_up(live: Live, long: Long) -> None:
    for name in ("torn", "longer"):
        live.failed(long.videos[name], long[name], "output_unavailable")


def test_F22_a_file_of_a_byte_a_second_is_given_up_and_fetched_again(live: Live, long: Long) -> None:
    hopeless = long.videos["hopeless"]
    # its deadline comes while it drips: the next try is its last
    do(live.url, "UPDATE generation SET deadline_at = now() WHERE id = $1 AND finished_at IS NULL", hopeless)
    live.completed(long.videos["drip"], long["drip"])
    live.failed(hopeless, long["hopeless"], "output_unavailable")
