"""Models, the prompt, flags, duplicates, and all problems of a request at once."""

from datetime import date
from typing import Any

import msgspec
import pytest

from catalog.asking import (
    LITE,
    M15,
    M20,
    M25,
    MINI,
    PICTURE,
    PRO,
    PRO_FAST,
    SPRING,
    TODAY,
    accepted,
    ask,
    images,
    media,
    only,
    refused,
    told,
)
from seedance_api.catalog.check import Accepted, check
from seedance_api.catalog.order import Kind, Mode, Order, Role
from seedance_api.catalog.problem import Code
from seedance_api.catalog.request import Request


def test_the_smallest_request() -> None:
    assert accepted(TODAY) == Order(
        model=MINI,
        mode=Mode.TEXT,
        resolution="720p",
        ratio="adaptive",
        width=1280,
        height=720,
        duration=5,
        seconds=5.0,
        seed=-1,
        generate_audio=True,
    )


def test_a_full_request() -> None:
    result = ask(
        model="seedance-1-0-pro-250528",
        prompt="a cat --wm true",
        resolution="480P",
        ratio="9:16",
        frames=57,
        seed=7,
        camera_fixed=True,
        return_last_frame=True,
        service_tier="flex",
        images=images("first_frame", "last_frame", facts=PICTURE),
    )
    assert isinstance(result, Accepted)
    assert result.prompt == "a cat"
    assert [(piece.path, piece.role) for piece in result.media] == [
        ("images[0]", Role.FIRST_FRAME),
        ("images[1]", Role.LAST_FRAME),
    ]
    assert result.order == Order(
        model=PRO,
        mode=Mode.FIRST_LAST,
        resolution="480p",
        ratio="9:16",
        width=480,
        height=864,
        duration=2,
        frames=57,
        seconds=57 / 24,
        seed=7,
        generate_audio=False,
        camera_fixed=True,
        watermark=True,
        return_last_frame=True,
        service_tier="flex",
    )


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("seedance-2.0-miny", MINI),
        ("Seedance-2.5", M25),
        ("doubao-seedance-2-5", M25),
        ("seedance-1.0-pro-250528", PRO),
    ],
)
def test_an_unknown_model_names_the_nearest(name: str, suggested: str) -> None:
    problem = only(TODAY, model=name)
    assert told(problem) == ("unknown_model", "model")
    assert suggested in problem.message
    assert problem.value == name
    assert M15 not in (problem.allowed or ())


@pytest.mark.parametrize("name", ["", "gpt", "x" * 100_000, "\ud800"])
def test_a_strange_model_is_unknown(name: str) -> None:
    problem = only(model=name)
    assert told(problem) == ("unknown_model", "model")
    assert len(str(problem.value)) <= 100
    msgspec.json.encode(problem)


@pytest.mark.parametrize("name", [M15, LITE, "seedance-1-5-pro-251215"])
def test_a_retired_model_names_its_replacement(name: str) -> None:
    problem = only(TODAY, model=name)
    assert told(problem) == ("retired_model", "model")
    assert MINI in problem.message
    assert accepted(SPRING, model=name)


@pytest.mark.parametrize("name", [PRO, PRO_FAST])
def test_a_retiring_model_is_accepted(name: str) -> None:
    assert accepted(date(2027, 1, 1), model=name).model == name


def test_today_is_the_default() -> None:
    assert isinstance(check(Request(prompt="a cat")), Accepted)


@pytest.mark.parametrize("prompt", [None, "", " \n\t ", "--dur 5"])
def test_text_is_needed_without_media(prompt: str | None) -> None:
    assert told(only(prompt=prompt)) == ("missing", "prompt")
    assert accepted(prompt=prompt, images=images(None)).mode is Mode.FIRST_FRAME


def test_the_longest_prompt() -> None:
    assert accepted(prompt="é" * 32_000)
    problem = only(prompt="é" * 32_001)
    assert told(problem) == ("out_of_range", "prompt")
    assert problem.value is None


@pytest.mark.parametrize("character", ["\0", "\x1b", "\r", "\x7f", "\x85", "\ud800"])
def test_control_characters_are_refused(character: str) -> None:
    problem = only(prompt=f"a{character}cat")
    assert told(problem) == ("unsupported_value", "prompt")
    assert problem.value is None


def test_lines_and_tabs_are_fine() -> None:
    result = ask(prompt="a\r\ncat\n\tsits 🐈‍⬛")
    assert isinstance(result, Accepted)
    assert result.prompt == "a\ncat\n\tsits 🐈‍⬛"


def test_flags_become_fields() -> None:
    order = accepted(model=PRO, prompt="a cat --rs 480p --rt 1:1 --dur 3 --seed 9 --cf true --wm true --fps 24")
    assert (order.resolution, order.ratio, order.duration, order.seed) == ("480p", "1:1", 3, 9)
    assert order.camera_fixed
    assert order.watermark


@pytest.mark.parametrize(
    ("prompt", "fields", "agree"),
    [
        ("a --dur 5", {"duration": 5}, True),
        ("a --dur 5", {"seconds": "5"}, True),
        ("a --dur 5", {"duration": 6}, False),
        ("a --dur 5", {"seconds": 6}, False),
        ("a --rs 720P", {"resolution": "720p"}, True),
        ("a --rs 480p", {"resolution": "720p"}, False),
        ("a --rt 16:9", {"ratio": "9:16"}, False),
        ("a --seed 1", {"seed": 2}, False),
        ("a --wm true", {"watermark": False}, False),
        ("a --wm false", {"watermark": False}, True),
    ],
)
def test_a_flag_must_agree_with_the_body(prompt: str, fields: dict[str, Any], agree: bool) -> None:
    if agree:
        assert accepted(prompt=prompt, **fields)
        return
    problem = only(prompt=prompt, **fields)
    assert told(problem) == ("conflict", "prompt")
    assert f"`{next(iter(fields))}`" in problem.message
    assert "--" in problem.message
    assert problem.value is None


@pytest.mark.parametrize(
    ("prompt", "code", "flag"),
    [
        ("a --rs 2k", "unsupported_value", "--rs"),
        ("a --rt 5:4", "unsupported_value", "--rt"),
        ("a --dur 99", "out_of_range", "--dur"),
        ("a --seed -2", "out_of_range", "--seed"),
        ("a --frames 57", "unsupported_parameter", "--frames"),
        ("a --cf true", "unsupported_parameter", "--cf"),
        ("a --ration 16:9", "unsupported_parameter", "--ratio"),
    ],
)
def test_a_bad_flag_is_a_problem_at_the_prompt(prompt: str, code: str, flag: str) -> None:
    problem = only(prompt=prompt)
    assert told(problem) == (code, "prompt")
    assert f"`{flag}`" in problem.message
    assert problem.value is None


@pytest.mark.parametrize("seconds", [5, "5"])
def test_seconds_is_another_name_of_duration(seconds: int | str) -> None:
    assert accepted(seconds=seconds).duration == 5
    assert accepted(seconds=seconds, duration=5).duration == 5
    assert told(only(seconds=seconds, duration=6)) == ("conflict", "seconds")


@pytest.mark.parametrize("seconds", ["", "5s", "five", "5.5", "٥", "9" * 5000])
def test_seconds_is_a_whole_number(seconds: str) -> None:
    assert told(only(seconds=seconds)) == ("unsupported_value", "seconds")


def test_a_bad_length_is_told_where_it_was_written() -> None:
    assert told(only(seconds="99")) == ("out_of_range", "seconds")
    assert told(only(duration=99)) == ("out_of_range", "duration")


def test_size() -> None:
    order = accepted(size="1024x1792", model=M20)
    assert (order.resolution, order.ratio, order.width, order.height) == ("1080p", "9:16", 1080, 1920)
    assert accepted(size="1280x720", resolution="720p", ratio="16:9")
    assert told(only(size="1280x720", resolution="480p")) == ("conflict", "size")
    assert told(only(size="1280x720", ratio="9:16")) == ("conflict", "size")
    assert told(only(size="1280x720", prompt="a --rt 9:16")) == ("conflict", "size")
    problem = only(size="1920x1080")
    assert told(problem) == ("unsupported_value", "size")
    assert "1280x720" in (problem.allowed or ())
    assert problem.models == (M25, M20)
    assert told(only(size="nonsense")) == ("unsupported_value", "size")


def test_every_problem_is_told_at_once() -> None:
    problems = refused(
        TODAY,
        model=MINI,
        prompt="a cat --fps 30",
        resolution="4k",
        ratio="5:4",
        duration=99,
        seed=-7,
        frames=57,
        camera_fixed=True,
        draft=True,
        service_tier="flex",
        task_type="edit",
        images=images(*["reference"] * 10, facts=msgspec.structs.replace(PICTURE, bytes=10**9)),
        audios=media(Kind.AUDIO, "first_frame"),
    )
    assert {told(problem) for problem in problems} == {
        ("unsupported_value", "prompt"),
        ("unsupported_value", "resolution"),
        ("unsupported_value", "ratio"),
        ("out_of_range", "duration"),
        ("out_of_range", "seed"),
        ("conflict", "frames"),
        ("unsupported_parameter", "frames"),
        ("unsupported_parameter", "camera_fixed"),
        ("unsupported_parameter", "draft"),
        ("unsupported_value", "service_tier"),
        ("unsupported_value", "task_type"),
        ("unsupported_value", "audios[0].role"),
        ("too_many", "images"),
        *(("bad_media", f"images[{index}]") for index in range(10)),
    }


def test_an_unknown_model_does_not_hide_the_rest() -> None:
    problems = refused(model="x", prompt=None, seed=-9, seconds="soon")
    assert {told(problem) for problem in problems} == {
        ("unknown_model", "model"),
        ("missing", "prompt"),
        ("out_of_range", "seed"),
        ("unsupported_value", "seconds"),
    }


def test_a_retired_model_does_not_hide_the_rest() -> None:
    problems = refused(TODAY, model=M15, duration=99)
    assert [told(problem) for problem in problems] == [
        ("retired_model", "model"),
        ("out_of_range", "duration"),
    ]


def test_messages_are_sentences() -> None:
    for problem in refused(model=PRO, resolution="8k", duration=99, generate_audio=True, images=images(None, None)):
        assert problem.message.startswith("`")
        assert problem.message.endswith(".")
        assert problem.code in Code
