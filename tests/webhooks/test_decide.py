"""What follows from each answer, for any standing of an endpoint."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance_api.foundation.address import Blocked
from seedance_api.foundation.outcome import Post, Posted, TooSlow, Unreachable
from seedance_api.settings import TABLE
from seedance_api.webhooks.decide import (
    DAY,
    DISABLE_SECONDS,
    HOUR,
    JITTER,
    MAX_RETRY_AFTER,
    MINUTE,
    OPENS_AT,
    SCHEDULE,
    How,
    Result,
    Standing,
    decide,
    read,
)

HOWS: list[How] = ["delivered", "status", "redirect", "gone", "throttled", "timeout", "unreachable"]
RESULTS = st.builds(
    Result,
    how=st.sampled_from(HOWS),
    seconds=st.floats(0, 15),
    status=st.none() | st.integers(200, 599),
    retry_after=st.none() | st.floats(0, 1e9),
)
STANDINGS = st.builds(
    Standing, failures=st.integers(0, 10_000), failing_seconds=st.floats(0, 1e7), warned=st.booleans(),
    slow=st.booleans(),
)  # fmt: skip


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    assert SCHEDULE == (0, 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
    assert sum(SCHEDULE) == 75 * HOUR + 35 * MINUTE + 5


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        (Posted(200), "delivered"), (Posted(299), "delivered"), (Posted(302), "redirect"), (Posted(410), "gone"),
        (Posted(429), "throttled"), (Posted(502), "throttled"), (Posted(503), "throttled"), (Posted(504), "throttled"),
        (Posted(404), "status"), (Posted(500), "status"), (Posted(100), "status"), (TooSlow(15, ""), "timeout"),
        (Unreachable("timeout", ""), "timeout"), (Unreachable("connect", ""), "unreachable"),
        (Unreachable("broken", ""), "unreachable"), (Blocked("address", "", "inner"), "unreachable"),
    ],
)  # fmt: skip
def test_what_an_answer_means(answer: Post, how: How) -> None:
    assert read(answer, 1.0).how == how


def test_what_is_blocked_looks_like_what_is_closed() -> None:
    blocked = read(Blocked("address", "x", "inner"), 0.001).attempt(1)
    closed = read(Unreachable("connect", "y"), 0.4).attempt(1)
    assert blocked == closed


@given(result=RESULTS, tries=st.integers(1, 12), standing=STANDINGS, luck=st.floats(0, 1))
def test_for_any_answer(result: Result, tries: int, standing: Standing, luck: float) -> None:
    verdict = decide(result, tries, standing, luck)
    assert verdict.delivered == (result.how == "delivered")
    assert 0 <= verdict.closed_seconds <= MAX_RETRY_AFTER
    if verdict.delivered:
        assert (verdict.failures, verdict.again_seconds, verdict.disabled) == (0, None, None)
        assert verdict.reopened == (standing.failures >= OPENS_AT)
        return
    assert verdict.failures == standing.failures + 1
    assert not verdict.reopened
    assert (verdict.again_seconds is None) == (tries >= len(SCHEDULE))
    if verdict.again_seconds is not None:
        assert SCHEDULE[tries] <= verdict.again_seconds <= max(1.2 * SCHEDULE[tries], MAX_RETRY_AFTER)
    assert (verdict.disabled == "gone") == (result.how == "gone")
    assert (verdict.disabled == "failing") == (result.how != "gone" and standing.failing_seconds >= DISABLE_SECONDS)
    assert verdict.warned == (standing.warned or standing.failing_seconds >= DAY)
    assert verdict.failures < OPENS_AT or verdict.closed_seconds >= 5


def test_no_event_is_dropped_before_its_last_try() -> None:
    (setting,) = [one for one in TABLE if one.name == "EVENT_RETENTION_DAYS"]
    assert setting.minimum is not None
    assert setting.minimum * DAY > sum(SCHEDULE) * (1 + JITTER) + len(SCHEDULE) * MAX_RETRY_AFTER
