"""What media are for, how many of them, and what the model takes."""

from typing import Any

import pytest

from catalog.asking import (
    FAST,
    LITE,
    M15,
    M20,
    M25,
    MINI,
    PRO,
    PRO_FAST,
    accepted,
    audios,
    images,
    media,
    only,
    refused,
    told,
    videos,
)
from seedance_api.catalog.order import Kind, Mode


@pytest.mark.parametrize(
    ("roles", "mode"),
    [
        ([], Mode.TEXT),
        ([None], Mode.FIRST_FRAME),
        (["first_frame"], Mode.FIRST_FRAME),
        (["first_frame", "last_frame"], Mode.FIRST_LAST),
        (["last_frame", "first_frame"], Mode.FIRST_LAST),
        (["reference"], Mode.REFERENCE),
        (["reference_image", "reference"], Mode.REFERENCE),
    ],
)
def test_the_mode_follows_from_the_roles(roles: list[str | None], mode: Mode) -> None:
    assert accepted(images=images(*roles)).mode is mode


def test_videos_and_audios_are_references() -> None:
    assert accepted(videos=videos(None)).mode is Mode.REFERENCE
    assert accepted(videos=media(Kind.VIDEO, "reference_video"), audios=audios(1)).mode is Mode.REFERENCE
    assert accepted(audios=media(Kind.AUDIO, "reference_audio"), images=images("reference")).mode


@pytest.mark.parametrize("roles", [[None, None], ["first_frame", None], ["reference", None], [None] * 4])
def test_several_images_need_roles(roles: list[str | None]) -> None:
    problems = refused(images=images(*roles))
    missing = [f"images[{index}].role" for index, role in enumerate(roles) if role is None]
    assert [told(problem) for problem in problems] == [("missing", path) for path in missing]
    assert "`first_frame`" in problems[0].message


def test_one_image_beside_a_video_needs_a_role() -> None:
    assert told(only(images=images(None), videos=videos(None))) == ("missing", "images[0].role")


def test_frames_and_references_do_not_mix() -> None:
    assert told(only(images=images("first_frame", "reference"))) == ("conflict", "images[0]")
    assert told(only(images=images("first_frame"), videos=videos(None))) == ("conflict", "images[0]")


def test_frames_come_once_and_in_pairs() -> None:
    assert told(only(images=images("first_frame", "first_frame"))) == ("too_many", "images[1].role")
    assert told(only(images=images("last_frame"))) == ("missing", "images")
    assert len(refused(images=images("last_frame", "last_frame"))) == 2


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        (Kind.IMAGE, "reference_video"),
        (Kind.VIDEO, "first_frame"),
        (Kind.AUDIO, "reference_image"),
        (Kind.IMAGE, ""),
    ],
)
def test_a_role_must_fit_its_kind(kind: Kind, role: str) -> None:
    given: dict[str, Any] = {f"{kind}s": media(kind, role)}
    problem = only(**given)
    assert told(problem) == ("unsupported_value", f"{kind}s[0].role")
    assert "reference" in (problem.allowed or ())


@pytest.mark.parametrize(
    ("model", "fields", "code", "path"),
    [
        (PRO_FAST, {"images": images("first_frame", "last_frame")}, "unsupported_value", "images"),
        (PRO, {"images": images("reference")}, "unsupported_parameter", "images"),
        (M15, {"images": images("reference")}, "unsupported_parameter", "images"),
        (LITE, {"images": images(*["reference"] * 5)}, "too_many", "images"),
        (LITE, {"videos": videos(None)}, "unsupported_parameter", "videos"),
        (PRO, {"audios": audios(1)}, "unsupported_parameter", "audios"),
        (MINI, {"images": images(*["reference"] * 10)}, "too_many", "images"),
        (M20, {"videos": videos(*[None] * 4)}, "too_many", "videos"),
        (M20, {"videos": videos(None), "audios": audios(4)}, "too_many", "audios"),
        (M25, {"images": images(*["reference"] * 31)}, "too_many", "images"),
        (M25, {"videos": videos(*[None] * 11)}, "too_many", "videos"),
        (M25, {"audios": audios(11)}, "too_many", "audios"),
        (M20, {"audios": audios(1)}, "missing", "audios"),
        (MINI, {"audios": audios(3)}, "missing", "audios"),
    ],
)
def test_what_a_model_does_not_take(model: str, fields: dict[str, Any], code: str, path: str) -> None:
    assert told(only(model=model, **fields)) == (code, path)


def test_the_most_of_everything() -> None:
    assert accepted(model=M25, images=images(*["reference"] * 30), videos=videos(*[None] * 10), audios=audios(10))
    assert accepted(model=M20, images=images(*["reference"] * 9), videos=videos(*[None] * 3), audios=audios(3))
    assert accepted(model=LITE, images=images(*["reference"] * 4)).ratio == "16:9"
    assert accepted(model=M25, audios=audios(10), prompt=None)


def test_a_flood_of_media_is_counted_and_not_answered_one_by_one() -> None:
    problems = refused(images=images(*[None] * 50_000))
    assert len(problems) < 100
    assert ("too_many", "images") in [told(problem) for problem in problems]


def test_who_takes_it_is_named() -> None:
    assert only(model=PRO, images=images("reference")).models == (M25, M20, FAST, MINI)
    assert only(model=M20, images=images(*["reference"] * 10)).models == (M25,)
    assert only(model=MINI, resolution="4k").models == (M20,)
    assert only(model=MINI, duration=20).models == (M25,)
    assert only(model=MINI, draft=True).models == (M25,)
    assert only(model=MINI, service_tier="flex").models == ()
    assert only(model=MINI, audios=audios(1)).models == (M25,)
    assert only(model=M25, images=images(None), ratio="1:1").models == (M20, FAST, MINI)


def test_the_missing_frame_is_named() -> None:
    assert "a last frame" in only(model=PRO_FAST, images=images("first_frame", "last_frame")).message


def test_unclear_roles_do_not_hide_a_bad_ratio_or_resolution() -> None:
    problems = refused(model=PRO, images=images(None, None), ratio="9:21", resolution="4k")
    assert [told(problem) for problem in problems if problem.path in {"ratio", "resolution"}] == [
        ("unsupported_value", "resolution"),
        ("unsupported_value", "ratio"),
    ]
    assert [problem.models for problem in problems if problem.path == "resolution"] == [(M20,)]
    assert [problem.models for problem in problems if problem.path == "ratio"] == [()]
