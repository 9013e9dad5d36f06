"""Each parameter against each model."""

from typing import Any

import msgspec
import pytest

from catalog.asking import (
    FAST,
    LITE,
    M15,
    M20,
    M25,
    MINI,
    PICTURE,
    PRO,
    PRO_FAST,
    accepted,
    audios,
    images,
    only,
    refused,
    told,
    videos,
)
from seedance_api.catalog.order import TaskType


@pytest.mark.parametrize(
    ("model", "resolution", "taken"),
    [
        (M25, "1080p", True),
        (M25, "4k", False),
        (M20, "4K", True),
        (MINI, "1080p", False),
        (FAST, "1080p", False),
        (M15, "1080p", True),
        (PRO, "480P", True),
        (M20, "2k", False),
        (M20, "540p", False),
        (M20, "", False),
    ],
)
def test_resolution(model: str, resolution: str, taken: bool) -> None:
    if taken:
        assert accepted(model=model, resolution=resolution).resolution == resolution.lower()
    else:
        problem = only(model=model, resolution=resolution)
        assert told(problem) == ("unsupported_value", "resolution")
        assert "480p" in (problem.allowed or ())


@pytest.mark.parametrize(
    ("model", "roles", "default"),
    [
        (M25, [], "adaptive"),
        (M20, [], "adaptive"),
        (M15, [], "adaptive"),
        (PRO, [], "16:9"),
        (PRO, [None], "adaptive"),
        (PRO, ["first_frame", "last_frame"], "adaptive"),
        (LITE, [], "16:9"),
        (LITE, ["reference"], "16:9"),
    ],
)
def test_the_default_ratio(model: str, roles: list[str | None], default: str) -> None:
    assert accepted(model=model, images=images(*roles)).ratio == default


@pytest.mark.parametrize(
    ("model", "roles", "ratio", "taken"),
    [
        (PRO, [], "adaptive", False),
        (PRO, [None], "adaptive", True),
        (LITE, ["reference"], "adaptive", False),
        (LITE, [], "9:21", True),
        (PRO, [], "9:21", False),
        (M25, [None], "16:9", False),
        (M25, ["first_frame", "last_frame"], "1:1", False),
        (M25, [None], "adaptive", True),
        (M25, ["reference"], "1:1", True),
        (M20, [None], "1:1", True),
        (M20, [], "5:4", False),
    ],
)
def test_ratio(model: str, roles: list[str | None], ratio: str, taken: bool) -> None:
    fields = {"model": model, "images": images(*roles), "ratio": ratio}
    if taken:
        assert accepted(**fields).ratio == ratio
    else:
        assert told(only(**fields)) == ("unsupported_value", "ratio")


def test_a_size_is_a_ratio_too_for_a_first_frame_on_2_5() -> None:
    assert told(only(model=M25, images=images(None), size="1280x720")) == ("unsupported_value", "size")


def test_lite_references_have_no_1080p_and_no_fixed_camera() -> None:
    assert told(only(model=LITE, images=images("reference"), resolution="1080p")) == (
        "unsupported_value",
        "resolution",
    )
    problem = only(model=LITE, images=images("reference"), camera_fixed=True)
    assert told(problem) == ("unsupported_parameter", "camera_fixed")
    assert accepted(model=LITE, resolution="1080p", camera_fixed=True)


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({}, (1280, 720)),
        ({"images": images(None)}, (1280, 720)),
        (
            {"images": images(None, facts=msgspec.structs.replace(PICTURE, width=900, height=1600))},
            (720, 1280),
        ),
        (
            {"images": images("reference", facts=msgspec.structs.replace(PICTURE, width=900, height=900))},
            (960, 960),
        ),
        (
            {
                "images": images("reference", facts=msgspec.structs.replace(PICTURE, width=900, height=900)),
                "videos": videos(5),
            },
            (1280, 720),
        ),
        ({"audios": audios(1)}, (1280, 720)),
    ],
)
def test_the_size_expected_of_adaptive(fields: dict[str, Any], size: tuple[int, int]) -> None:
    order = accepted(model=M25, resolution="720p", **fields)
    assert (order.ratio, order.width, order.height) == ("adaptive", *size)


@pytest.mark.parametrize(
    ("model", "duration", "taken"),
    [
        (M25, -1, True),
        (M25, 30, True),
        (M25, 31, False),
        (M25, 3, False),
        (M20, -1, True),
        (M20, 15, True),
        (M20, 16, False),
        (M15, 12, True),
        (M15, 13, False),
        (M15, -1, True),
        (PRO, 2, True),
        (PRO, 1, False),
        (PRO, -1, False),
        (MINI, 0, False),
        (MINI, -2, False),
        (MINI, 2**70, False),
    ],
)
def test_duration(model: str, duration: int, taken: bool) -> None:
    if taken:
        order = accepted(model=model, duration=duration)
        assert (order.duration, order.seconds) == (duration, 5.0 if duration == -1 else float(duration))
    else:
        problem = only(model=model, duration=duration)
        assert told(problem) == ("out_of_range", "duration")
        assert isinstance(problem.allowed, str)
        msgspec.json.encode(problem)


def test_no_number_is_too_large_to_be_refused() -> None:
    huge = 10**5000  # more digits than Python turns into text
    problems = refused(model=PRO, duration=huge, seconds=huge, seed=huge, frames=huge)
    assert {told(problem) for problem in problems} == {
        ("conflict", "frames"),
        ("out_of_range", "frames"),
        ("out_of_range", "duration"),
        ("out_of_range", "seed"),
    }
    msgspec.json.encode(problems)


def test_2_5_decides_its_length_by_default() -> None:
    order = accepted(model=M25)
    assert (order.duration, order.seconds) == (-1, 5.0)


@pytest.mark.parametrize("frames", [29, 57, 121, 289])
def test_frames(frames: int) -> None:
    order = accepted(model=PRO, frames=frames)
    assert (order.frames, order.seconds) == (frames, frames / 24)
    assert order.duration >= 1


@pytest.mark.parametrize("frames", [25, 28, 30, 290, 293, -1])
def test_frames_out_of_step(frames: int) -> None:
    assert told(only(model=PRO, frames=frames)) == ("out_of_range", "frames")


def test_frames_exclude_a_length_and_other_models() -> None:
    assert told(only(model=PRO, frames=57, duration=5)) == ("conflict", "frames")
    assert told(only(model=PRO, frames=57, seconds="5")) == ("conflict", "frames")
    assert told(only(model=M20, frames=57)) == ("unsupported_parameter", "frames")


@pytest.mark.parametrize("model", [M25, M20, MINI, M15, PRO, LITE])
def test_seed(model: str) -> None:
    for seed in (-1, 0, 2_147_483_647):
        assert accepted(model=model, seed=seed).seed == seed
    for seed in (-2, 2_147_483_648, 2**70):
        assert told(only(model=model, seed=seed)) == ("out_of_range", "seed")


def test_audio() -> None:
    assert accepted(model=M15).generate_audio
    assert not accepted(model=M15, generate_audio=False).generate_audio
    assert not accepted(model=PRO).generate_audio
    assert not accepted(model=PRO, generate_audio=False).generate_audio
    assert told(only(model=PRO, generate_audio=True)) == ("unsupported_parameter", "generate_audio")


def test_camera_fixed() -> None:
    assert accepted(model=PRO, camera_fixed=True).camera_fixed
    assert not accepted(model=M20, camera_fixed=False).camera_fixed
    assert told(only(model=M20, camera_fixed=True)) == ("unsupported_parameter", "camera_fixed")


@pytest.mark.parametrize("model", [M15, PRO, PRO_FAST, LITE])
def test_flex_is_for_the_old(model: str) -> None:
    assert accepted(model=model, service_tier="flex").service_tier == "flex"


@pytest.mark.parametrize(("model", "tier"), [(M25, "flex"), (M20, "flex"), (PRO, "fast"), (MINI, "")])
def test_service_tier(model: str, tier: str) -> None:
    assert told(only(model=model, service_tier=tier)) == ("unsupported_value", "service_tier")


def test_task_types() -> None:
    assert told(only(model=M20, task_type="edit")) == ("unsupported_value", "task_type")
    assert told(only(model=M25, task_type="remix")) == ("unsupported_value", "task_type")
    assert told(only(model=M25, task_type="edit")) == ("missing", "videos")
    assert told(only(model=M25, task_type="extend", images=images("reference"))) == ("missing", "videos")
    assert told(only(model=M25, task_type="reference")) == ("conflict", "task_type")
    assert accepted(model=M25, task_type="reference", images=images("reference"), ratio="1:1", duration=9)
    assert accepted(model=M20, task_type="auto").task_type is TaskType.AUTO


def test_edit() -> None:
    order = accepted(model=M25, task_type="edit", videos=videos(7.5))
    assert (order.task_type, order.duration, order.seconds) == (TaskType.EDIT, -1, 7.5)
    assert order.input_video_seconds == 7.5
    assert told(only(model=M25, task_type="edit", videos=videos(7.5), duration=7)) == (
        "unsupported_value",
        "duration",
    )
    assert told(only(model=M25, task_type="edit", videos=videos(7.5), ratio="1:1")) == (
        "unsupported_value",
        "ratio",
    )
    assert told(only(model=M25, task_type="edit", videos=videos(3.5))) == ("bad_media", "videos")
    assert accepted(model=M25, task_type="edit", videos=videos(3.5, 4.0)).seconds == 4.0
    assert accepted(model=M25, task_type="edit", videos=videos(None), duration=-1, ratio="adaptive").seconds == 5.0


def test_extend() -> None:
    order = accepted(model=M25, task_type="extend", videos=videos(3.5), duration=9)
    assert (order.task_type, order.duration, order.seconds) == (TaskType.EXTEND, 9, 9.0)
    assert told(only(model=M25, task_type="extend", videos=videos(5), ratio="1:1")) == (
        "unsupported_value",
        "ratio",
    )
