"""Flags leave the prompt and become fields; wrong ones become problems; prose stays prose."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.catalog import flags
from seedance_api.catalog.problem import Code


def said(prompt: str) -> dict[str, object]:
    fields = flags.parse(prompt).fields
    return {name: value for name in fields.__struct_fields__ if (value := getattr(fields, name)) is not None}


@pytest.mark.parametrize(
    ("flag", "field", "value"),
    [
        ("--rs 720p", "resolution", "720p"),
        ("--resolution 4K", "resolution", "4k"),
        ("--rt 16:9", "ratio", "16:9"),
        ("--ratio Adaptive", "ratio", "adaptive"),
        ("--dur 5", "duration", 5),
        ("--duration -1", "duration", -1),
        ("--frames 57", "frames", 57),
        ("--fps 24", "fps", 24),
        ("--seed 11", "seed", 11),
        ("--seed=-1", "seed", -1),
        ("--cf true", "camera_fixed", True),
        ("--camerafixed FALSE", "camera_fixed", False),
        ("--wm false", "watermark", False),
        ("--Watermark=true", "watermark", True),
    ],
)
def test_each_flag(flag: str, field: str, value: object) -> None:
    for prompt in (f"a cat {flag}", f"{flag} a cat", f"a  {flag}\n cat".replace("a  ", "a ")):
        parsed = flags.parse(prompt)
        assert said(prompt) == {field: value}
        assert parsed.prompt.split() == ["a", "cat"]
        assert parsed.problems == ()
        assert parsed.sources[field] == flag.replace("=", " ").split()[0].lower()


def test_several_flags_at_the_end() -> None:
    parsed = flags.parse("a cat,\n  running  --rs 720p --rt 16:9 --dur 5 --wm true")
    assert parsed.prompt == "a cat,\n  running"
    assert said("x --rs 720p --rt 16:9 --dur 5 --wm true") == {
        "resolution": "720p",
        "ratio": "16:9",
        "duration": 5,
        "watermark": True,
    }


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "  a cat  ",
        "a -- b",
        "he said --never 5 times",
        "wow--dur 5",
        "a --ar 16:9 shot",
        "--foo 3",
        "a --need help",
        "a --seedling grows",
        "x --ratios of gold",
    ],
)
def test_prose_is_left_alone(prompt: str) -> None:
    parsed = flags.parse(prompt)
    assert parsed.prompt == prompt
    assert parsed.problems == ()
    assert said(prompt) == {}


@pytest.mark.parametrize(
    ("prompt", "meant"),
    [
        ("a --ration 16:9", "ratio"),
        ("a --ratoi 16:9", "ratio"),
        ("a --frame 57", "frames"),
        ("a --durations 5", "duration"),
        ("a --camera_fixed true", "camerafixed"),
        ("a --camera-fixed=yes", "camerafixed"),
        ("a --sead -1", "seed"),
        ("a --fp=24", "fps"),
    ],
)
def test_a_slip_is_named(prompt: str, meant: str) -> None:
    parsed = flags.parse(prompt)
    assert [problem.code for problem in parsed.problems] == [Code.UNSUPPORTED_PARAMETER]
    assert f"did you mean `--{meant}`" in parsed.problems[0].message
    assert parsed.prompt == prompt


@pytest.mark.parametrize(
    ("prompt", "code", "names"),
    [
        ("a --dur five", Code.UNSUPPORTED_VALUE, "--dur"),
        ("a --dur 5.5", Code.UNSUPPORTED_VALUE, "--dur"),
        ("a --duration 5s", Code.UNSUPPORTED_VALUE, "--duration"),
        ("a --seed " + "9" * 5000, Code.UNSUPPORTED_VALUE, "--seed"),
        ("a --seed ５", Code.UNSUPPORTED_VALUE, "--seed"),
        ("a --fps 30", Code.UNSUPPORTED_VALUE, "--fps"),
        ("a --wm maybe", Code.UNSUPPORTED_VALUE, "--wm"),
        ("a --cf", Code.MISSING, "--cf"),
        ("a --rs --rt 16:9", Code.MISSING, "--rs"),
        ("a --seed=", Code.MISSING, "--seed"),
        ("a --dur 5 --duration 6", Code.CONFLICT, "--duration"),
    ],
)
def test_a_bad_value_is_a_problem_at_the_prompt(prompt: str, code: Code, names: str) -> None:
    (problem,) = flags.parse(prompt).problems
    assert problem.path == "prompt"
    assert problem.code is code
    assert f"`{names}`" in problem.message
    assert problem.value is None


def test_the_same_thing_twice_is_fine() -> None:
    assert flags.parse("a --dur 5 --duration 5").problems == ()


WORDS = st.sampled_from(
    [f"--{name}" for name in flags.FLAGS]
    + ["--", "--ration", "--x=", "=", "5", "-1", "true", "16:9", "a", "\n", "\t", "--dur=5", "𝔸", "\x1c"]
)


@given(st.one_of(st.text(), st.lists(WORDS).map(" ".join)))
def test_any_text_is_read_without_leaking(prompt: str) -> None:
    parsed = flags.parse(prompt)
    assert len(parsed.prompt) <= len(prompt)
    assert len(parsed.problems) <= 4 * len(flags.FLAGS)
    assert set(parsed.prompt.split()) <= set(prompt.split())
    again = flags.parse(parsed.prompt)
    assert again.sources == {} or parsed.sources != {}


@given(st.text(alphabet=st.characters(categories=["L"]), min_size=8, max_size=20))
def test_no_message_holds_a_piece_of_the_prompt(secret: str) -> None:
    prompt = f"{secret} --dur {secret} --fps {secret} --wm {secret} --ration=1{secret} --seed {secret}"
    for problem in flags.parse(prompt).problems:
        assert secret not in problem.message
        assert problem.value is None


@pytest.mark.parametrize(
    "piece", ["--", "-- ", "--a ", "--dur ", "--ration 1 ", "--seed=1 ", "- ", "--dur", " ", "--x=", "=-"]
)
def test_hostile_prompts_cost_no_more_than_their_length(piece: str) -> None:
    """Four times the text must not take sixteen times as long; both are of one run, with room for noise."""
    short = (piece * 8_000)[:8_000]
    long = (piece * 32_000)[:32_000]
    flags.parse(long)
    once = min(_seconds(short) for _ in range(5))
    assert min(_seconds(long) for _ in range(5)) < 10 * once + 0.005


def _seconds(prompt: str) -> float:
    start = time.thread_time()  # what others take of the machine does not count
    flags.parse(prompt)
    return time.thread_time() - start
