"""Drafts and their final takes."""

from datetime import date
from typing import Any

import msgspec
import pytest

from catalog.asking import (
    CLIP,
    M15,
    M20,
    M25,
    MINI,
    SPRING,
    TODAY,
    accepted,
    audios,
    images,
    media,
    only,
    told,
    videos,
)
from seedance_api.catalog.check import Accepted, check
from seedance_api.catalog.order import Kind, Mode, Order
from seedance_api.catalog.problem import Problem
from seedance_api.catalog.request import Request


def test_drafts() -> None:
    order = accepted(model=M25, draft=True)
    assert (order.draft, order.resolution, order.width) == (True, "480p", 854)
    assert accepted(model=M25, draft=True, return_last_frame=True, resolution="480P")
    assert told(only(model=M25, draft=True, resolution="720p")) == ("unsupported_value", "resolution")
    assert told(only(model=M25, draft=True, size="1280x720")) == ("unsupported_value", "size")
    assert told(only(model=M15, draft=True, return_last_frame=True)) == ("conflict", "return_last_frame")
    assert told(only(model=M15, draft=True, service_tier="flex")) == ("conflict", "service_tier")
    assert told(only(model=MINI, draft=True)) == ("unsupported_parameter", "draft")
    assert not accepted(model=MINI, draft=False).draft


def final(order: Order, today: date = SPRING, **fields: Any) -> Accepted | list[Problem]:
    return check(Request(final_of=order, **fields), today=today)


def test_a_final_take_of_2_5() -> None:
    draft = accepted(model=M25, draft=True, ratio="9:16", duration=9, seed=3, watermark=True)
    result = final(draft, TODAY, return_last_frame=True)
    assert isinstance(result, Accepted)
    assert result.order == msgspec.structs.replace(
        draft,
        mode=Mode.FINAL,
        draft=False,
        resolution="1080p",
        width=1080,
        height=1920,
        watermark=False,
        return_last_frame=True,
    )
    assert final(draft, model=M25, resolution="1080P") == final(draft)


@pytest.mark.parametrize(
    ("fields", "code", "path"),
    [
        ({"resolution": "720p"}, "unsupported_value", "resolution"),
        ({"prompt": "a cat"}, "conflict", "prompt"),
        ({"images": images(None)}, "conflict", "images"),
        ({"videos": videos(None)}, "conflict", "videos"),
        ({"audios": audios(1)}, "conflict", "audios"),
        ({"duration": 9}, "conflict", "duration"),
        ({"seconds": "9"}, "conflict", "seconds"),
        ({"ratio": "9:16"}, "conflict", "ratio"),
        ({"seed": 3}, "conflict", "seed"),
        ({"generate_audio": True}, "conflict", "generate_audio"),
        ({"task_type": "auto"}, "conflict", "task_type"),
        ({"size": "1920x1080"}, "conflict", "size"),
        ({"frames": 57}, "conflict", "frames"),
        ({"draft": True}, "conflict", "draft"),
        ({"service_tier": "flex"}, "unsupported_value", "service_tier"),
        ({"model": M20}, "conflict", "model"),
        ({"model": "nonsense"}, "unknown_model", "model"),
    ],
)
def test_a_final_take_of_2_5_repeats_nothing(fields: dict[str, Any], code: str, path: str) -> None:
    draft = accepted(model=M25, draft=True, ratio="9:16", duration=9, seed=3)
    problems = final(draft, **fields)
    assert isinstance(problems, list)
    assert [told(problem) for problem in problems] == [(code, path)]


def test_a_final_take_of_1_5_may_repeat_what_is_equal() -> None:
    draft = accepted(model=M15, draft=True, ratio="9:16", duration=9, seed=3, camera_fixed=True)
    equal = {"duration": 9, "ratio": "9:16", "seed": 3, "generate_audio": True, "camera_fixed": True}
    result = final(draft, resolution="1080p", service_tier="flex", **equal)
    assert isinstance(result, Accepted)
    assert (result.order.resolution, result.order.width, result.order.service_tier) == ("1080p", 1080, "flex")
    plain = final(draft)
    assert isinstance(plain, Accepted)
    assert plain.order.resolution == "720p"
    other = {"duration": 8, "ratio": "1:1", "seed": 4, "generate_audio": False, "camera_fixed": False}
    problems = final(draft, **other)
    assert isinstance(problems, list)
    assert [told(problem) for problem in problems] == [("conflict", field) for field in other]


def test_a_final_take_needs_a_draft_and_a_living_model() -> None:
    problems = final(accepted(model=M25))
    assert isinstance(problems, list)
    assert [told(problem) for problem in problems] == [("conflict", "final_of")]
    problems = final(accepted(model=M15, draft=True), TODAY)
    assert isinstance(problems, list)
    assert [told(problem) for problem in problems] == [("retired_model", "model")]


def test_a_final_take_keeps_the_shape_and_the_videos_of_an_adaptive_draft() -> None:
    tall = msgspec.structs.replace(CLIP, width=720, height=1280, seconds=6.0)
    draft = accepted(model=M25, draft=True, videos=media(Kind.VIDEO, None, facts=tall))
    result = final(draft)
    assert isinstance(result, Accepted)
    assert (result.order.width, result.order.height, result.order.input_video_seconds) == (1080, 1920, 6.0)
