"""The official SDKs of both clouds use the fake without noticing."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from fakes.ark.run import FakeArk
from providers.fake_ark_kit import Sdk, look, medium, picture, text
from stage import until

MODULES = {"volcengine": "volcenginesdkarkruntime", "byteplus": "byteplussdkarkruntime"}


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeArk]:
    with FakeArk(speed=2000, enforce_budgets=False) as running:
        yield running


@pytest.fixture(scope="module", params=list(MODULES))
def cloud(request: pytest.FixtureRequest, fake: FakeArk) -> Iterator[Sdk]:
    with Sdk(request.param, importlib.import_module(MODULES[request.param]), fake) as one:
        yield one


@pytest.fixture
def sdk(cloud: Sdk) -> Sdk:
    cloud.fake.reset()
    return cloud


def _stuck(sdk: Sdk, status: str = "running", count: int = 1) -> list[str]:
    body = {"model": sdk.models["2.0"], "content": [text("[ark:stuck]")]}
    return sdk.fake.make(count, body=body, status=status)


def test_text(sdk: Sdk) -> None:
    task_id = sdk.create(text(), ratio="16:9", duration=5, resolution="720p", seed=7, safety_identifier="u1")

    task = sdk.finish(task_id)

    assert (task.id, task.model, task.status) == (task_id, sdk.models["2.0"], "succeeded")
    assert (task.resolution, task.ratio, task.duration, task.seed) == ("720p", "16:9", 5, 7)
    assert task.usage.completion_tokens == task.usage.total_tokens == 108_900
    assert (task.framespersecond, task.service_tier, task.execution_expires_after) == (24, "default", 172_800)
    assert (task.generate_audio, task.draft, task.priority, task.safety_identifier) == (True, False, 0, "u1")
    assert task.updated_at >= task.created_at
    assert look(sdk.download(task.content.video_url)) == (1280, 720, 121, ["mono"])


def test_what_is_not_set_is_sent_as_null(sdk: Sdk) -> None:
    sdk.create(text())
    [call] = sdk.fake.calls("create")["calls"]
    assert call["body"]["seed"] is None
    assert len(call["client_request_id"]) == 34


def test_first_frame_without_role(sdk: Sdk) -> None:
    task = sdk.finish(
        sdk.create(text(), medium("image", picture(528, 798)), model="2.5", resolution="480p", duration=4)
    )

    assert (task.ratio, task.usage.completion_tokens) == ("88:133", 39_912)  # as measured


def test_first_and_last_frame(sdk: Sdk) -> None:
    seen = sdk.finish(sdk.create(text(), resolution="480p", return_last_frame=True, generate_audio=False))
    assert look(sdk.download(seen.content.video_url))[3] == []

    first, last = picture(480, 640), seen.content.last_frame_url
    content = [text(), medium("image", first, "first_frame"), medium("image", last, "last_frame")]
    task = sdk.finish(sdk.create(*content, resolution="480p"))

    assert (task.status, task.ratio) == ("succeeded", "3:4")


def test_references(sdk: Sdk) -> None:
    seen = sdk.finish(sdk.create(text(), resolution="480p", duration=4))
    wave = "data:audio/wav;base64,UklGRgAAAAA="
    content = [
        text("like video 1"),
        medium("image", picture(), "reference_image"),
        medium("video", seen.content.video_url, "reference_video"),
        medium("audio", wave, "reference_audio"),
    ]

    task = sdk.finish(sdk.create(*content, ratio="16:9", duration=4))

    assert task.usage.completion_tokens == 173_700  # as measured


def test_draft_and_final(sdk: Sdk) -> None:
    draft_id = sdk.create(text(), model="2.5", draft=True, duration=4, ratio="16:9")
    draft = sdk.finish(draft_id)
    assert (draft.draft, draft.resolution, draft.usage.completion_tokens) == (True, "480p", 38_830)

    final = sdk.finish(sdk.create({"type": "draft_task", "draft_task": {"id": draft_id}}, model="2.5"))

    assert (final.draft, final.draft_task_id, final.resolution) == (False, draft_id, "1080p")
    assert (final.seed, final.duration, final.usage.completion_tokens) == (draft.seed, 4, 196_425)


def test_failure(sdk: Sdk) -> None:
    task = sdk.finish(sdk.create(text("a star [ark:fail OutputVideoSensitiveContentDetected]")))
    assert (task.status, task.error.code) == ("failed", "OutputVideoSensitiveContentDetected")
    assert task.content is None
    assert task.usage is None


def test_pages(sdk: Sdk) -> None:
    made = sdk.fake.make(25, body={"model": sdk.models["2.0"]}, status="succeeded")
    flex = {"model": "doubao-seedance-1-0-pro-250528", "service_tier": "flex"}
    [hidden] = sdk.fake.make(1, body=flex)
    assert hidden.startswith("cgt-batch-")

    pages = [sdk.tasks.list(page_num=number, page_size=10) for number in (1, 2, 3, 4)]

    assert [page.total for page in pages] == [25] * 4
    assert [len(page.items) for page in pages] == [10, 10, 5, 0]
    assert [item.id for page in pages for item in page.items] == made[::-1]
    assert {item.id for item in sdk.tasks.list(task_ids=made[3:6]).items} == set(made[3:6])
    assert sdk.tasks.list(status="running").total == 0
    assert sdk.tasks.list(model=sdk.models["2.5"]).total == 0
    assert [item.id for item in sdk.tasks.list(service_tier="flex").items] == [hidden]


def test_delete_by_state(sdk: Sdk) -> None:
    [running, *_] = _stuck(sdk, count=10)
    queued = sdk.create(text())
    with pytest.raises(sdk.errors.ArkConflictError) as refused:
        sdk.tasks.delete(task_id=running)
    assert refused.value.code == "InvalidAction.RunningTaskDeletion"

    assert sdk.tasks.delete(task_id=queued).id is None
    assert sdk.tasks.get(task_id=queued).status == "cancelled"
    with pytest.raises(sdk.errors.ArkBadRequestError):
        sdk.tasks.delete(task_id=queued)

    sdk.fake.alter(running, status="succeeded")
    sdk.tasks.delete(task_id=running)
    with pytest.raises(sdk.errors.ArkNotFoundError) as missing:
        sdk.tasks.get(task_id=running)
    assert (missing.value.code, missing.value.param) == ("NotFound.ID", "id")


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (400, "InputTextSensitiveContentDetected", "ArkBadRequestError"),
        (403, "AccountOverdueError", "ArkPermissionDeniedError"),
        (404, "ModelNotOpen", "ArkNotFoundError"),
        (429, "ServerOverloaded", "ArkRateLimitError"),
        (500, "InternalServiceError", "ArkInternalServerError"),
    ],
)
def test_refusals(sdk: Sdk, status: int, code: str, name: str) -> None:
    with pytest.raises(getattr(sdk.errors, name)) as refused:
        sdk.create(text(f"a star [ark:{code}]"), extra_headers={"X-Client-Request-Id": "mine"})
    error: Any = refused.value
    assert (error.status_code, error.code, error.request_id) == (status, code, "mine")
    assert "Request id: 02" in error.message


def test_wrong_key(sdk: Sdk) -> None:
    with pytest.raises(sdk.errors.ArkAuthenticationError) as refused:
        sdk.client(api_key="another").content_generation.tasks.list()
    assert refused.value.code == "AuthenticationError"


def test_one_parameter_is_named(sdk: Sdk) -> None:
    with pytest.raises(sdk.errors.ArkBadRequestError) as refused:
        sdk.create(text(), duration=16, resolution="2k")
    assert (refused.value.code, refused.value.param, refused.value.type) == (
        "InvalidParameter",
        "resolution",
        "BadRequest",
    )


def test_the_sdk_makes_a_second_task_when_the_first_answer_is_lost(sdk: Sdk) -> None:
    sdk.fake.faults({"on": "create", "times": 1, "do": {"reset": True, "made": True}})
    tasks = sdk.client(max_retries=1).content_generation.tasks

    tasks.create(model=sdk.models["2.0"], content=[text()])

    assert len(sdk.fake.tasks()) == 2
    first, second = sdk.fake.calls("create")["calls"]
    assert first["client_request_id"] != second["client_request_id"]


def test_waits_for_a_place(sdk: Sdk) -> None:
    stuck = _stuck(sdk, count=10)
    waiting = sdk.create(text())
    until(lambda: sdk.fake.health()["states"] == {"running": 10, "queued": 1}, 5)

    sdk.fake.alter(stuck[0], status="failed")

    assert sdk.finish(waiting).status == "succeeded"
