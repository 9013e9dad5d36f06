"""When to ask a provider again, and what is told meanwhile: pure."""

from generations.test_decide import generation
from seedance_api.generations.rows import Running
from seedance_api.generations.watch import _progress, next_check
from seedance_api.providers.provider import Pending, Unseen
from seedance_api.routing.durations import Pace

PACE = Pace(p10=60, p50=100, p90=160)


def running(seconds: float, progress: int = 0) -> Running:
    return Running(
        id="vid_1", version=1, progress=progress, model="m", params=generation().params, attempt_id="att_1",
        operation={"id": "1"}, begun=True, seconds=seconds,
    )  # fmt: skip


def test_a_provider_that_tells_progress_is_asked_as_often_as_it_likes() -> None:
    assert next_check(running(1), Pending(3), PACE, 0.5) == 0.5


def test_what_cannot_be_done_yet_is_left_alone_and_what_may_be_is_asked_about() -> None:
    assert next_check(running(10), Pending(), PACE, 1) == 30
    assert next_check(running(55), Pending(), PACE, 1) == 5
    assert next_check(running(90), Pending(), PACE, 1) == 5
    assert next_check(running(900), Pending(), PACE, 1) == 5
    assert next_check(running(10), Pending(begun=False), PACE, 1) == 5
    assert next_check(running(10), Unseen("x"), PACE, 1) == 5


def test_without_experience_the_pause_grows_with_the_wait() -> None:
    assert [next_check(running(seconds), Pending(), None, 1) for seconds in (0, 8, 60)] == [1, 2, 5]


def test_progress_is_what_is_told_or_what_the_time_says_and_never_less_than_before() -> None:
    assert _progress(running(80), Pending(33), PACE) == 33
    assert _progress(running(80), Pending(), PACE) == 50
    assert _progress(running(80, progress=70), Pending(), PACE) == 70
    assert _progress(running(9000), Pending(), PACE) == 95
    assert _progress(running(80), Pending(), None) == 0
    assert _progress(running(80, progress=9), Pending(begun=False), PACE) == 9
