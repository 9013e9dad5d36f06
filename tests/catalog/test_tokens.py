"""Every bill that was measured on the live service, and the worked examples, come out exactly."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.catalog import models, pixels, tokens
from seedance_api.catalog.order import Mode, Order, TaskType

ORDER = Order(
    model="seedance-2.0",
    mode=Mode.TEXT,
    resolution="720p",
    ratio="16:9",
    width=1280,
    height=720,
    duration=5,
    seconds=5.0,
    seed=-1,
    generate_audio=True,
)


def order(**changes: object) -> Order:
    return msgspec.structs.replace(ORDER, **changes)


@pytest.mark.parametrize(
    ("model", "resolution", "ratio", "seconds", "video", "bill"),
    [
        ("seedance-1.0-pro", "480p", "16:9", 5, 0, 49_005),
        ("seedance-2.0", "480p", "16:9", 4, 0, 40_594),
        ("seedance-2.0-fast", "480p", "16:9", 4, 0, 40_594),
        ("seedance-2.0-mini", "480p", "16:9", 4, 0, 40_594),
        ("seedance-2.0", "720p", "16:9", 5, 0, 108_900),
        ("seedance-2.0", "720p", "16:9", 4, 4, 173_700),
        ("seedance-2.5", "480p", "16:9", 4, 0, 38_830),
        ("seedance-2.5", "480p", "16:9", 12, 0, 115_690),
        ("seedance-2.5", "480p", "16:9", 16, 0, 154_120),
        ("seedance-2.5", "480p", "16:9", 30, 0, 288_625),
        ("seedance-2.5", "480p", "9:16", 6, 0, 58_045),
        ("seedance-2.5", "720p", "16:9", 4, 0, 87_300),
        ("seedance-2.5", "1080p", "16:9", 4, 0, 196_425),
        ("seedance-2.5", "480p", "16:9", 4, 4, 77_260),
        ("seedance-2.5", "720p", "16:9", 30, 30, 1_296_900),
    ],
)
def test_measured_bills(model: str, resolution: str, ratio: str, seconds: int, video: int, bill: int) -> None:
    found = models.find(model)
    assert found
    width, height = pixels.size(found, resolution, ratio)
    assert tokens.billed(width, height, seconds, video) == bill
    ordered = order(
        model=model,
        resolution=resolution,
        ratio=ratio,
        width=width,
        height=height,
        duration=seconds,
        seconds=float(seconds),
        input_video_seconds=float(video),
    )
    assert tokens.estimate(ordered) == tokens.Tokens(expected=bill, most=bill)


@pytest.mark.parametrize(("width", "height", "seconds", "bill"), [(528, 798, 4, 39_912), (786, 1180, 5, 109_594)])
def test_measured_bills_off_the_table(width: int, height: int, seconds: int, bill: int) -> None:
    assert tokens.billed(width, height, seconds) == bill


def test_the_measured_floor_of_a_video_to_video() -> None:
    assert tokens.minimum(726, 580, 8) == 138_166
    assert tokens.billed(726, 580, 8, 2) == 138_166


def test_the_measured_extend_has_no_extra_frame() -> None:
    extend = order(
        model="seedance-2.5",
        mode=Mode.REFERENCE,
        task_type=TaskType.EXTEND,
        resolution="480p",
        ratio="adaptive",
        width=530,
        height=794,
        input_video_seconds=5.0,
    )
    assert tokens.estimate(extend).expected == 98_629
    assert tokens.estimate(extend).most > 98_629


@pytest.mark.parametrize(
    ("model", "resolution", "bill", "floor"),
    [
        ("seedance-2.5", "480p", 48_437, 86_467),
        ("seedance-2.5", "720p", 108_900, 194_400),
        ("seedance-2.5", "1080p", 245_025, 437_400),
        ("seedance-2.0", "480p", 50_638, 90_396),
        ("seedance-2.0", "720p", 108_900, 194_400),
        ("seedance-2.0", "1080p", 245_025, 437_400),
        ("seedance-2.0", "4k", 980_100, 1_749_600),
        ("seedance-2.0-fast", "720p", 108_900, 194_400),
        ("seedance-2.0-mini", "720p", 108_900, 194_400),
        ("seedance-1.5-pro", "720p", 108_900, None),
        ("seedance-1.0-pro", "720p", 103_818, None),
        ("seedance-1.0-pro", "1080p", 246_840, None),
        ("seedance-1.0-pro-fast", "1080p", 246_840, None),
    ],
)
def test_worked_examples(model: str, resolution: str, bill: int, floor: int | None) -> None:
    found = models.find(model)
    assert found
    width, height = pixels.size(found, resolution, "16:9")
    assert tokens.billed(width, height, 5) == bill
    if floor is not None:
        assert tokens.minimum(width, height, 5) == floor


def test_frames_are_counted_as_they_are() -> None:
    ordered = order(model="seedance-1.0-pro", width=1248, height=704, duration=5, frames=121, seconds=121 / 24)
    assert tokens.estimate(ordered) == tokens.Tokens(expected=103_818, most=103_818)
    assert tokens.estimate(msgspec.structs.replace(ordered, frames=29)).expected == 24_882


def test_a_draft_of_1_5_is_cheaper_and_rounds_the_most_up() -> None:
    draft = order(model="seedance-1.5-pro", resolution="480p", width=864, height=496, draft=True)  # 50 638 in full
    assert tokens.estimate(draft) == tokens.Tokens(expected=30_382, most=30_383)
    silent = msgspec.structs.replace(draft, generate_audio=False)
    assert tokens.estimate(silent) == tokens.Tokens(expected=35_446, most=35_447)
    final = msgspec.structs.replace(draft, mode=Mode.FINAL, draft=False)
    assert tokens.estimate(final).expected == 50_638


def test_a_draft_of_2_5_costs_the_same() -> None:
    draft = order(model="seedance-2.5", resolution="480p", width=854, height=480, draft=True)
    assert tokens.estimate(draft).expected == 48_437


def test_a_duration_left_to_the_model_may_be_the_longest() -> None:
    assert tokens.estimate(order(duration=-1)) == tokens.Tokens(expected=108_900, most=tokens.billed(1280, 720, 15))
    longest = tokens.estimate(order(model="seedance-2.5", duration=-1))
    assert longest.most == tokens.billed(1280, 720, 30)


def test_an_edit_is_at_most_as_long_as_its_input() -> None:
    edit = order(
        model="seedance-2.5",
        mode=Mode.REFERENCE,
        task_type=TaskType.EDIT,
        duration=-1,
        seconds=4.5,
        input_video_seconds=4.5,
    )
    assert tokens.estimate(edit).most == tokens.billed(1280, 720, 5, 5)


def test_adaptive_allows_for_any_shape_and_one_per_cent() -> None:
    estimate = tokens.estimate(order(model="seedance-2.5", ratio="adaptive"))
    assert estimate.expected == 108_900
    assert estimate.most == tokens.billed(936_683, 1, 5)  # 1112 × 834 and 1 %, rounded up
    assert estimate.most >= tokens.billed(786, 1180, 5)


def test_a_tenth_of_a_second_is_a_tenth() -> None:
    assert tokens.billed(1024, 1, 5, 0.1) == 24 * 9  # the floor; no float creeps in above it
    assert tokens.billed(1024, 10, 0.1 + 0.2) == 82
    assert tokens.billed(1024, 10, 0.3) == 82
    assert tokens.exact(0.1) * 10 == 1


def test_part_seconds_of_input_count_whole_in_the_most() -> None:
    estimate = tokens.estimate(order(mode=Mode.REFERENCE, input_video_seconds=5.04))
    assert estimate.expected == tokens.billed(1280, 720, 5, 5.04) < estimate.most
    assert estimate.most == tokens.billed(1280, 720, 5, 6)


@given(
    seconds=st.integers(4, 30),
    video=st.floats(0, 30).map(lambda s: round(s, 3)),
    duration=st.sampled_from([None, -1]),
    ratio=st.sampled_from(["16:9", "adaptive"]),
    task_type=st.sampled_from(TaskType),
)
def test_the_expected_never_exceeds_the_most(
    seconds: int, video: float, duration: int | None, ratio: str, task_type: TaskType
) -> None:
    estimate = tokens.estimate(
        order(
            model="seedance-2.5",
            seconds=float(seconds),
            duration=duration or seconds,
            input_video_seconds=video,
            ratio=ratio,
            task_type=task_type,
        )
    )
    assert 0 < estimate.expected <= estimate.most


def test_an_order_of_no_model_is_a_bug() -> None:
    with pytest.raises(ValueError, match="catalogue"):
        tokens.estimate(order(model="sora-2"))
