from hypothesis import given
from hypothesis import strategies as st

from seedance_api.routing.progress import Timing, eta, progress

SECONDS = st.floats(0, 1e6)


def timing(elapsed: float, p50: float = 60, p90: float = 100) -> Timing:
    return Timing(1000.0, elapsed, p50, p90)


def test_half_of_such_orders_then_nine_of_ten_then_nothing() -> None:
    assert eta(timing(0)) == 1060
    assert eta(timing(59.9)) == 1060
    assert eta(timing(60)) == 1100
    assert eta(timing(99.9)) == 1100
    assert eta(timing(100)) is None
    assert eta(None) is None


def test_progress_is_the_share_of_what_nine_of_ten_take() -> None:
    assert [progress(timing(seconds), 0) for seconds in (0, 1, 50, 94.9, 95, 99, 1e9)] == [0, 1, 50, 94, 95, 95, 95]
    assert progress(timing(10), 40) == 40
    assert progress(timing(10), 99) == 99
    assert progress(None, 7) == 7
    assert progress(timing(10, 0, 0), 3) == 3
    assert progress(timing(-5), 0) == 0  # the row was read in a transaction that began before it


@given(SECONDS, SECONDS, SECONDS)
def test_the_end_is_never_in_the_past(elapsed: float, p50: float, more: float) -> None:
    end = eta(timing(elapsed, p50, p50 + more))
    assert end is None or end >= 1000 + elapsed


@given(SECONDS, SECONDS, SECONDS, st.integers(0, 99))
def test_progress_never_goes_back_while_time_passes(elapsed: float, more: float, p90: float, told: int) -> None:
    first, second = (progress(timing(at, p90, p90), told) for at in (elapsed, elapsed + more))
    assert told <= first <= second <= max(95, told)
