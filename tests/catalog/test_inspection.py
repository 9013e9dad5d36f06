"""Inspected media against the limits."""

import msgspec
import pytest

from catalog.asking import (
    CLIP,
    M25,
    PICTURE,
    PRO,
    SOUND,
    accepted,
    images,
    media,
    only,
    refused,
    told,
    videos,
)
from seedance_api.catalog.order import Kind


@pytest.mark.parametrize(
    ("changes", "times"),
    [
        ({"media_type": "image/svg+xml"}, 1),
        ({"bytes": 30_000_001}, 1),
        ({"bytes": 0}, 1),
        ({"width": 300, "height": 400}, 1),
        ({"width": 6000, "height": 4000}, 1),
        ({"width": 400, "height": 1000}, 1),  # 0.4 exactly
        ({"width": 1000, "height": 400}, 1),  # 2.5 exactly
        ({"width": 10, "height": 9}, 2),
        ({"width": 0, "height": 0}, 2),
        ({"width": -5, "height": 10**5000}, 2),
        ({"width": 7000, "height": 100, "bytes": 2**40, "media_type": "text/html"}, 5),
    ],
)
def test_a_bad_image(changes: dict[str, object], times: int) -> None:
    problems = refused(images=images(None, facts=msgspec.structs.replace(PICTURE, **changes)))
    assert [told(problem) for problem in problems] == [("bad_media", "images[0]")] * times
    msgspec.json.encode(problems)


@pytest.mark.parametrize(
    "changes",
    [
        {"bytes": 30_000_000},
        {"width": 301, "height": 301},
        {"width": 5999, "height": 4000},
        {"width": 401, "height": 1000},
        {"width": 999, "height": 400},
        {"media_type": "image/heic"},
        {"media_type": "image/gif"},
    ],
)
def test_a_good_image(changes: dict[str, object]) -> None:
    assert accepted(images=images(None, facts=msgspec.structs.replace(PICTURE, **changes)))


def test_heic_is_not_for_1_0() -> None:
    heic = msgspec.structs.replace(PICTURE, media_type="image/heic")
    assert told(only(model=PRO, images=images(None, facts=heic))) == ("bad_media", "images[0]")


@pytest.mark.parametrize(
    "changes",
    [
        {"media_type": "video/webm"},
        {"bytes": 200_000_001},
        {"width": 640, "height": 636},  # 407,040 pixels
        {"width": 3000, "height": 2800},
        {"fps": 23.7},
        {"fps": 60.1},
        {"fps": float("nan")},
        {"seconds": 1.9},
        {"video_codec": "av1"},
        {"audio_codec": "opus"},
    ],
)
def test_a_bad_video(changes: dict[str, object]) -> None:
    clip = msgspec.structs.replace(CLIP, **changes)
    problem = only(videos=media(Kind.VIDEO, None, facts=clip))
    assert told(problem) == ("bad_media", "videos[0]")


@pytest.mark.parametrize(
    "changes",
    [
        {"media_type": "video/quicktime", "video_codec": "hevc"},
        {"bytes": 200_000_000, "fps": 60.0},
        {"width": 640, "height": 638},
        {"seconds": 2.0, "audio_codec": None},
        {"seconds": 15.0},
    ],
)
def test_a_good_video(changes: dict[str, object]) -> None:
    order = accepted(videos=media(Kind.VIDEO, None, facts=msgspec.structs.replace(CLIP, **changes)))
    assert order.input_video_seconds == changes.get("seconds", 5.0)


def test_lengths_each_and_in_all() -> None:
    assert len(refused(videos=videos(15.1))) == 2  # too long by itself and in all
    assert told(only(videos=videos(8, 8))) == ("bad_media", "videos")
    assert accepted(videos=videos(5, 5, 5)).input_video_seconds == 15.0
    assert accepted(model=M25, videos=videos(10.1, 10.2, 9.7)).input_video_seconds == 30.0
    assert told(only(model=M25, videos=videos(15, 15.1))) == ("bad_media", "videos")


def test_bad_audio() -> None:
    for changes in ({"media_type": "audio/ogg"}, {"bytes": 15_000_001}, {"seconds": 1.0}):
        sound = msgspec.structs.replace(SOUND, **changes)
        problem = only(model=M25, audios=media(Kind.AUDIO, None, facts=sound))
        assert told(problem) == ("bad_media", "audios[0]")
    assert accepted(model=M25, audios=media(Kind.AUDIO, *[None] * 6, facts=SOUND))
    problem = only(model=M25, audios=media(Kind.AUDIO, *[None] * 7, facts=SOUND))
    assert told(problem) == ("bad_media", "audios")


def test_a_video_not_yet_inspected_counts_with_the_longest() -> None:
    assert accepted(videos=videos(None)).input_video_seconds == 15.0
    assert accepted(videos=videos(None, 14.5)).input_video_seconds == 15.0
    assert accepted(model=M25, videos=videos(None)).input_video_seconds == 30.0
    assert accepted(images=images(None)).input_video_seconds == 0.0
