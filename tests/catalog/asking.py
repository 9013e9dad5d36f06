"""Short ways to ask the check something, for the tests of its rules."""

from datetime import date
from typing import Any

import msgspec

from seedance_api.catalog.check import Accepted, check
from seedance_api.catalog.order import Kind, Order
from seedance_api.catalog.problem import Problem
from seedance_api.catalog.request import Facts, Media, Request

TODAY = date(2026, 11, 23)
SPRING = date(2026, 5, 10)  # every model was still to be had

M25, M20, FAST, MINI = "seedance-2.5", "seedance-2.0", "seedance-2.0-fast", "seedance-2.0-mini"
M15, PRO, PRO_FAST, LITE = (
    "seedance-1.5-pro",
    "seedance-1.0-pro",
    "seedance-1.0-pro-fast",
    "seedance-1.0-lite",
)

PICTURE = Facts(media_type="image/png", bytes=1000, width=1280, height=720)
CLIP = Facts(
    media_type="video/mp4",
    bytes=1000,
    width=1280,
    height=720,
    seconds=5.0,
    fps=24,
    video_codec="h264",
    audio_codec="aac",
)
SOUND = Facts(media_type="audio/wav", bytes=1000, seconds=5.0, audio_codec="pcm_s16le")


def media(kind: Kind, *roles: str | None, facts: Facts | None = None) -> list[Media]:
    return [Media(kind=kind, role=role, path=f"{kind}s[{index}]", facts=facts) for index, role in enumerate(roles)]


def images(*roles: str | None, facts: Facts | None = None) -> list[Media]:
    return media(Kind.IMAGE, *roles, facts=facts)


def videos(*seconds: float | None) -> list[Media]:
    return [
        Media(
            kind=Kind.VIDEO,
            path=f"videos[{index}]",
            facts=None if length is None else msgspec.structs.replace(CLIP, seconds=length),
        )
        for index, length in enumerate(seconds)
    ]


def audios(count: int) -> list[Media]:
    return media(Kind.AUDIO, *([None] * count))


def ask(today: date = SPRING, **fields: Any) -> Accepted | list[Problem]:
    fields.setdefault("prompt", "a cat")
    return check(Request(**fields), today=today)


def accepted(today: date = SPRING, **fields: Any) -> Order:
    result = ask(today, **fields)
    assert isinstance(result, Accepted), result
    return result.order


def refused(today: date = SPRING, **fields: Any) -> list[Problem]:
    result = ask(today, **fields)
    assert isinstance(result, list), result
    assert result
    return result


def only(today: date = SPRING, **fields: Any) -> Problem:
    problems = refused(today, **fields)
    assert len(problems) == 1, problems
    return problems[0]


def told(problem: Problem) -> tuple[str, str]:
    return problem.code.value, problem.path
