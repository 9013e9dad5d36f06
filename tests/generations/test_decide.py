"""Decisions are pure, so every answer a provider can give is tried against every situation."""

import itertools
from datetime import UTC, datetime

import pytest

from seedance_api.catalog.check import Accepted, check
from seedance_api.catalog.request import Request
from seedance_api.delivery.store import Stored, Unstored
from seedance_api.generations import decide, steps
from seedance_api.generations.attempt_rows import Opened
from seedance_api.generations.rows import Claimed
from seedance_api.generations.states import FAILURES, AttemptState, State
from seedance_api.providers.provider import (
    Busy,
    Done,
    Failed,
    Lost,
    NotMade,
    NotSent,
    Output,
    Pending,
    Refused,
    Started,
    StartOutcome,
    Unclear,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def generation(*, past: bool = False, canceled: bool = False, tries: int = 0, wrong: int = 0) -> Claimed:
    accepted = check(Request(prompt="x"))
    assert isinstance(accepted, Accepted)
    return Claimed(
        id="vid_1", account_id="acc_1", key_id="key_1", livemode=False, provider="sandbox", model="seedance-2.0-mini",
        params=accepted.order, metadata={}, keep_seconds=3600, quoted_tokens=1, draft_id=None, state=State.SUBMITTING,
        version=3, tries=tries, wrong_tries=wrong, progress=0, output=None, error_code=None, error_message=None,
        cancel_requested_at=NOW if canceled else None, due_at=NOW, claimed_until=None, deadline_at=NOW, created_at=NOW,
        started_at=None, finished_at=None, deleted_at=None, past_deadline=past,
        seconds_left=60, regions=None, pinned=False,
    )  # fmt: skip


def attempt(state: AttemptState = AttemptState.SENT, number: int = 1) -> Opened:
    return Opened(
        id="att_1", generation_id="vid_1", provider="sandbox", state=state, operation=None, told=None, reason=None,
        seconds_left=None, created_at=NOW, sent_at=None, resolved_at=None, seconds_since=None, number=number,
    )  # fmt: skip


STARTS = [Started({}), Refused("x", "m"), Busy("full", wait_seconds=3), NotSent("dns"), Unclear("timeout")]


@pytest.mark.parametrize(("answer", "past"), list(itertools.product(STARTS, [False, True])))
def test_no_clear_answer_is_never_sent_again_nor_failed_before_the_deadline(answer: object, past: bool) -> None:
    step = decide.after_sending(generation(past=past), attempt(), answer)  # pyright: ignore[reportArgumentType]
    match answer:
        case Unclear():
            assert isinstance(step, steps.StayUnknown)
        case Started():
            assert isinstance(step, steps.Acknowledge)
        case NotSent() | Busy():
            assert isinstance(step, steps.TryAgain)
            assert step.attempt_state is AttemptState.REJECTED
        case _:
            assert isinstance(step, steps.Fail)


@pytest.mark.parametrize("answer", STARTS)
def test_only_what_was_surely_not_taken_goes_to_another_provider(answer: StartOutcome) -> None:
    step = decide.after_sending(generation(), attempt(), answer, "other")
    assert isinstance(step, steps.Requeue) == isinstance(answer, NotSent | Busy)


def test_what_a_list_did_not_show_is_tried_once_more_and_no_oftener() -> None:
    unsure = NotMade(certain=False)
    assert isinstance(decide.after_looking(generation(), attempt(), unsure), steps.TryAgain)
    assert isinstance(decide.after_looking(generation(), attempt(), unsure, "other"), steps.Requeue)
    again = decide.after_looking(generation(), attempt(number=2), unsure, "other")
    assert isinstance(again, steps.Fail)
    assert (again.code, again.attempt_state) == ("provider_unclear", AttemptState.LOST)
    assert isinstance(decide.after_looking(generation(), attempt(number=9), NotMade()), steps.TryAgain)


def test_an_unknown_attempt_is_planned_anew_only_when_it_is_certainly_not_there() -> None:
    assert isinstance(decide.after_looking(generation(), attempt(), NotMade()), steps.TryAgain)
    assert isinstance(decide.after_looking(generation(), attempt(), Unclear("x")), steps.StayUnknown)
    assert isinstance(decide.after_looking(generation(), attempt(), Started({})), steps.Acknowledge)
    late = decide.after_looking(generation(past=True), attempt(), Unclear("x"))
    assert isinstance(late, steps.Fail)
    assert (late.code, late.attempt_state) == ("provider_unclear", AttemptState.LOST)


def test_nothing_is_sent_for_a_canceled_or_overdue_generation() -> None:
    assert decide.before_sending(generation(), attempt()) is None
    assert isinstance(decide.before_sending(generation(canceled=True), attempt()), steps.Cancel)
    assert isinstance(decide.before_sending(generation(past=True), attempt()), steps.Fail)


def test_a_deadline_ends_a_running_generation_whatever_the_provider_says() -> None:
    for stopped in (True, False):
        assert isinstance(decide.after_stopping(generation(past=True), attempt(), stopped), steps.Fail)
    assert isinstance(decide.after_stopping(generation(canceled=True), attempt(), True), steps.Cancel)
    assert isinstance(decide.after_stopping(generation(canceled=True), attempt(), False), steps.LeaveRunning)


def test_checks() -> None:
    assert isinstance(decide.after_check("att_1", Done(Output())), steps.Store)
    known = decide.after_check("att_1", Failed("output_moderated", "m"))
    strange = decide.after_check("att_1", Failed("who knows", "m"))
    lost = decide.after_check("att_1", Lost())
    assert [step.code for step in (known, strange, lost) if isinstance(step, steps.Fail)] == [
        "output_moderated", "provider_failed", "provider_lost"]  # fmt: skip


def test_storing_is_tried_again_but_not_for_ever() -> None:
    assert isinstance(decide.after_storing(generation(), Stored([], Output())), steps.Complete)
    assert isinstance(decide.after_storing(generation(), Unstored("output_invalid", wrong=True)), steps.PutOff)
    assert isinstance(decide.after_storing(generation(), Unstored("output_unavailable", gone=True)), steps.Fail)
    assert isinstance(decide.after_storing(generation(wrong=10), Unstored("output_invalid", wrong=True)), steps.Fail)


def test_every_failure_has_a_code_that_is_explained() -> None:
    taken = [decide.after_sending(generation(), attempt(), Refused("odd", "m")), decide.after_check("a", Lost())]
    assert all(step.code in FAILURES for step in taken if isinstance(step, steps.Fail))


def test_waits_grow_and_stay_bounded() -> None:
    waits = [decide.backoff(tries) for tries in range(30)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (0.5, 60.0)


def test_progress_leaves_room_for_storing() -> None:
    shown = [decide.pending_progress(Pending(n)) for n in (None, -5, 0, 50, 99, 100)]
    assert shown == [None, 0, 0, 50, 98, 98]


def test_an_operation_found_canceled_is_a_canceled_generation() -> None:
    step = decide.after_check("att_1", Failed("canceled", "m"))
    assert step == steps.Cancel("att_1", AttemptState.FAILED)


def test_a_finished_video_that_cannot_be_fetched_now_is_waited_for() -> None:
    for tries in (0, 50, 900):
        step = decide.after_storing(generation(tries=tries), Unstored("output_unavailable"))
        assert isinstance(step, steps.PutOff)
    first_bad = decide.after_storing(generation(tries=900), Unstored("output_invalid", wrong=True))
    assert isinstance(first_bad, steps.PutOff)  # outages before it do not count
    late = decide.after_storing(generation(past=True, tries=900), Unstored("output_unavailable"))
    assert isinstance(late, steps.Fail)


def test_a_cancel_is_kept_when_another_provider_could_make_it() -> None:
    step = decide.after_sending(generation(canceled=True), attempt(), Busy("full"), "other")
    assert step == steps.Cancel("att_1", AttemptState.REJECTED)


def test_what_was_not_sent_leaves_a_provider_that_was_taken_away() -> None:
    planned, sent = attempt(AttemptState.PLANNED), attempt(AttemptState.SENT)
    assert isinstance(decide.without_provider(generation(), planned, "other"), steps.Requeue)
    assert isinstance(decide.without_provider(generation(), sent, "other"), steps.PutOff)
    assert isinstance(decide.without_provider(generation(), planned, None), steps.PutOff)
    late = decide.without_provider(generation(past=True), sent, None)
    assert isinstance(late, steps.Fail)
    assert (late.attempt_id, late.attempt_state) == ("att_1", AttemptState.LOST)
    assert isinstance(decide.without_provider(generation(past=True), None, None), steps.Fail)


def test_data_that_may_not_go_there_any_more_goes_elsewhere_or_nowhere() -> None:
    assert isinstance(decide.out_of_region(attempt(AttemptState.PLANNED), "other"), steps.Requeue)
    step = decide.out_of_region(attempt(AttemptState.PLANNED), None)
    assert isinstance(step, steps.Fail)
    assert (step.code, step.attempt_state) == ("region_unavailable", AttemptState.REJECTED)
