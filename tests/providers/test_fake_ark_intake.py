"""What the fake refuses and what it makes of the rest, against the contract's tables and measured bills."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fakes.ark import flags, pixels, tokens
from fakes.ark.run import FakeArk
from providers.fake_ark_kit import TASKS, finished, medium, picture, post, text

NEWEST, SECOND, FAST = "dreamina-seedance-2-5-260628", "dreamina-seedance-2-0-260128", "doubao-seedance-2-0-fast-260128"
LATE, FIRST = "seedance-1-5-pro-251215", "doubao-seedance-1-0-pro-250528"
BAD, UNTAKEN = "InvalidParameter", "InvalidParameter.UnsupportedParameter"
CONSTRAINT = "InvalidParameter.TaskTypeConstraint"
IMAGE = "content[0].image_url"
OMNI = "omni_reference_task_type"
FRAME = medium("image", picture())
STILL = medium("image", picture(), "reference_image")
CLIP = medium("video", "asset://clip", "reference_video")
TONE = medium("audio", "data:audio/mpeg;base64,SUQz", "reference_audio")


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeArk]:
    endpoint = f"ep-20260101000000-abcde={NEWEST}"
    closed = "seedance-1-0-pro-250528"
    with FakeArk(instant=True, enforce_budgets=False, not_open=[closed], endpoint=[endpoint]) as running:
        yield running


@pytest.fixture
def client(fake: FakeArk) -> Iterator[httpx.Client]:
    fake.reset()
    with fake.client() as client:
        yield client


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"model": None}, "MissingParameter", "model"),
    ({"content": None}, "MissingParameter", "content"),
    ({"content": []}, "MissingParameter", "content"),
    ({"model": "seedance-2-0"}, "InvalidEndpointOrModel.NotFound", ""),
    ({"model": "seedance-1-0-pro-250528"}, "ModelNotOpen", ""),
    ({"content": "a cat"}, BAD, "content"),
    ({"content": [{"type": "text"}]}, BAD, "content[0].text"),
    ({"content": [{"type": "sound"}]}, BAD, "content[0].type"),
    ({"content": [{"type": "image_url", "image_url": "http://x/y.png"}]}, BAD, IMAGE),
    ({"content": [medium("image", "")]}, "InvalidImageURL.EmptyURL", IMAGE),
    ({"content": [medium("image", "tos://x/y")]}, "InvalidImageURL.InvalidFormat", IMAGE),
    ({"content": [medium("image", "data:image/PNG;base64,AAAA")]}, "InvalidImageURL.InvalidFormat", IMAGE),
    ({"content": [CLIP | {"video_url": {"url": "data:video/mp4;base64,AAAA"}}]},
     "InvalidVideoURL.InvalidFormat", "content[0].video_url"),
    ({"content": [medium("image", "data:image/png;base64,AAAA")]}, BAD, IMAGE),
    ({"content": [text(), medium("image", "http://127.0.0.1:1/x.png")]}, BAD, "content[1].image_url"),
    ({"content": [medium("image", picture(200, 400))]}, BAD, IMAGE),
    ({"content": [medium("image", picture(1000, 380))]}, BAD, IMAGE),
    ({"content": [medium("image", picture(), "reference_video")]}, BAD, "content[0].role"),
    ({"content": [CLIP | {"role": ""}]}, BAD, "content[0].role"),
    ({"content": [FRAME, FRAME]}, BAD, "content"),
    ({"content": [STILL, FRAME | {"role": "first_frame"}]}, BAD, "content"),
    ({"content": [STILL] * 10}, BAD, "content"),
    ({"content": [TONE]}, BAD, "content"),
    ({"content": [{"type": "draft_task", "draft_task": {"id": "cgt-1"}}]}, BAD, "content[0].draft_task.id"),
    ({"content": [{"type": "draft_task", "draft_task": {"id": "cgt-1"}}, text()]}, BAD, "content"),
    ({"duration": 3}, BAD, "duration"),
    ({"duration": 5.0}, BAD, "duration"),
    ({"duration": "5"}, BAD, "duration"),
    ({"duration": True}, BAD, "duration"),
    ({"watermark": "no"}, BAD, "watermark"),
    ({"ratio": "2:3"}, BAD, "ratio"),
    ({"resolution": "2k"}, BAD, "resolution"),
    ({"model": FAST, "resolution": "1080p"}, BAD, "resolution"),
    ({"content": [text("a cat --dur 99")]}, BAD, "contents[0].text.duration"),
    ({"content": [text("a cat --rs 360p")]}, BAD, "contents[0].text.resolution"),
    ({"seed": 2**32}, BAD, "seed"),
    ({"priority": 10}, BAD, "priority"),
    ({"safety_identifier": "x" * 65}, BAD, "safety_identifier"),
    ({"callback_url": "ftp://x/y"}, BAD, "callback_url"),
    ({"execution_expires_after": 300_000}, BAD, "execution_expires_after"),
    ({"service_tier": "flex"}, BAD, "service_tier"),
    ({"draft": True}, BAD, "draft"),
    ({"frames": 57}, UNTAKEN, "frames"),
    ({"camera_fixed": False}, UNTAKEN, "camera_fixed"),
    ({"output_format": "mp4"}, UNTAKEN, "output_format"),
    ({OMNI: "auto"}, UNTAKEN, OMNI),
    ({"tools": [{"type": "web_search"}], "content": [text(), FRAME]}, BAD, "tools"),
    ({"model": LATE, "priority": 0}, UNTAKEN, "priority"),
    ({"model": LATE, "content": [STILL]}, BAD, "content"),
    ({"model": LATE, "draft": True, "resolution": "720p"}, BAD, "resolution"),
    ({"model": LATE, "draft": True, "return_last_frame": True}, BAD, "return_last_frame"),
    ({"model": FIRST, "duration": -1}, BAD, "duration"),
    ({"model": FIRST, "ratio": "adaptive"}, BAD, "ratio"),
    ({"model": FIRST, "frames": 58}, BAD, "frames"),
    ({"model": FIRST, "tools": []}, UNTAKEN, "tools"),
    ({"model": NEWEST, "content": [text(), FRAME], "ratio": "16:9"}, CONSTRAINT, "ratio"),
    ({"model": NEWEST, "content": [STILL], OMNI: "edit"}, CONSTRAINT, OMNI),
    ({"model": NEWEST, "content": [CLIP], OMNI: "edit", "duration": 5}, CONSTRAINT, "duration"),
    ({"model": NEWEST, "content": [CLIP], OMNI: "extend", "ratio": "1:1"}, CONSTRAINT, "ratio"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "code", "param"), REFUSED)
def test_refused(client: httpx.Client, fields: dict[str, Any], code: str, param: str) -> None:
    response = post(client, **fields)
    error = response.json()["error"]
    assert (error["code"], error["param"]) == (code, param), error
    assert response.status_code == (404 if error["type"] == "NotFound" else 400)


TAKEN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"aspect_ratio": "1:1", "framespersecond": 999}, {"ratio": "16:9", "duration": 5, "resolution": "720p"}),
    ({"resolution": "4K", "ratio": "1:1"}, {"resolution": "4k", "ratio": "1:1"}),
    ({"content": [text("a cat --rs 480p --rt 9:16 --dur 6 --seed 11 --fps 7 --nonsense x")]},
     {"resolution": "480p", "ratio": "9:16", "duration": 6, "seed": 11}),
    ({"content": [text("a cat --ratio 7:1 --seed x")]}, {"ratio": "16:9"}),
    ({"content": [text("a cat --dur 6")], "duration": 7}, {"duration": 7}),
    ({"content": [FRAME], "priority": 3}, {"ratio": "4:3", "priority": 3}),
    ({"model": "ep-20260101000000-abcde", "duration": 4}, {"model": NEWEST, "output_format": "mp4", "draft": False}),
    ({"model": "ep-20260101000000-other"}, {"model": "doubao-seedance-2-0-260128"}),
    ({"model": NEWEST, "content": [TONE], "duration": 4}, {"status": "succeeded"}),
    ({"model": NEWEST, "content": [CLIP], OMNI: "edit"}, {"duration": 5}),
    ({"model": FIRST, "frames": 57, "ratio": "3:2", "generate_audio": True},
     {"frames": 57, "ratio": "3:2", "resolution": "1080p"}),
    ({"model": FIRST, "service_tier": "nonsense", "priority": 4}, {"service_tier": "default"}),
    ({"model": LATE, "draft": True, "generate_audio": False}, {"draft": True, "resolution": "480p",
     "usage": {"completion_tokens": 35_446, "total_tokens": 35_446}}),
    ({"tools": [{"type": "web_search"}]}, {"tools": [{"type": "web_search"}]}),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "shown"), TAKEN)
def test_taken(client: httpx.Client, fields: dict[str, Any], shown: dict[str, Any]) -> None:
    response = post(client, **fields)
    assert response.status_code == 200, response.text
    task = finished(client, response.json()["id"])
    assert task | shown == task
    assert not {"frames", "duration"} <= task.keys()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"content": [text("[ark:reads edit]"), CLIP], "duration": 5}, CONSTRAINT),
        ({"content": [text("[ark:reads extend]"), CLIP], "ratio": "1:1"}, CONSTRAINT),
        (
            {"content": [text("[ark:reads edit]"), CLIP], OMNI: "extend"},
            "InvalidParameter.TaskTypeMismatch",
        ),
    ],
)
def test_a_misread_prompt_fails_the_task(client: httpx.Client, fields: dict[str, Any], code: str) -> None:
    task = finished(client, post(client, model=NEWEST, **fields).json()["id"])
    assert (task["status"], task["error"]["code"]) == ("failed", code)


def test_final_takes_nothing_over_that_is_said_again(client: httpx.Client) -> None:
    draft = post(client, model=NEWEST, draft=True, duration=4).json()["id"]
    finished(client, draft)
    content = [{"type": "draft_task", "draft_task": {"id": draft}}]
    for name, value in {"seed": 1, "duration": 4, "resolution": "720p"}.items():
        refused = post(client, model=NEWEST, content=content, **{name: value})
        assert refused.json()["error"]["param"] == name
    assert post(client, model=SECOND, content=content).json()["error"]["param"] == "model"


def test_cancelling_by_post_is_a_create(client: httpx.Client) -> None:
    response = client.post(f"{TASKS}/cgt-20260101000000-abcde/cancel", json={})
    assert response.json()["error"]["param"] == "model"


@pytest.mark.parametrize("query", ["page_num=0", "page_size=501", "filter.status=completed"])
def test_bad_lists(client: httpx.Client, query: str) -> None:
    assert client.get(f"{TASKS}?{query}").status_code == 400


@pytest.mark.parametrize(
    ("size", "seconds", "input_seconds", "extends", "bill"),
    [
        ((864, 480), 5, 0, False, 49_005),
        ((864, 496), 4, 0, False, 40_594),
        ((1280, 720), 5, 0, False, 108_900),
        ((1280, 720), 4, 4, False, 173_700),
        ((854, 480), 4, 0, False, 38_830),
        ((854, 480), 30, 0, False, 288_625),
        ((480, 854), 6, 0, False, 58_045),
        ((1920, 1080), 4, 0, False, 196_425),
        ((786, 1180), 5, 0, False, 109_594),
        ((854, 480), 4, 4, False, 77_260),
        ((530, 794), 5, 5, True, 98_629),
        ((726, 580), 8, 5, False, 138_166),
        ((1280, 720), 5, 2, False, 194_400),
    ],
)
def test_bills(size: tuple[int, int], seconds: int, input_seconds: int, extends: bool, bill: int) -> None:
    assert tokens.billed(*size, seconds=seconds, input_seconds=input_seconds, extends=extends) == bill


@pytest.mark.parametrize("size", [(528, 798), (530, 794), (726, 580), (854, 480)])
def test_adaptive_sizes_as_measured(size: tuple[int, int]) -> None:
    assert pixels.nearest("2.5", "480p", size[0] / size[1])[1] == size


def test_flags() -> None:
    prompt, found = flags.split("a -- dash --rs 720p  --cf true --seed -1 --odd 4")
    assert prompt == "a -- dash"
    assert found == {"resolution": "720p", "camera_fixed": "true", "seed": "-1"}
