"""Decisions are pure, so every answer a provider can give is tried against every situation."""

import itertools
from datetime import UTC, datetime

import pytest

from seedance_api.catalog.check import Accepted, check
from seedance_api.catalog.request import Request
from seedance_api.delivery.store import Stored, Unstored
from seedance_api.generations import decide
from seedance_api.generations.rows import Claimed, Opened
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
            assert isinstance(step, decide.StayUnknown)
        case Started():
            assert isinstance(step, decide.Acknowledge)
        case NotSent() | Busy():
            assert isinstance(step, decide.TryAgain)
            assert step.attempt_state is AttemptState.REJECTED
        case _:
            assert isinstance(step, decide.Fail)


@pytest.mark.parametrize("answer", STARTS)
def test_only_what_was_surely_not_taken_goes_to_another_provider(answer: StartOutcome) -> None:
    step = decide.after_sending(generation(), attempt(), answer, "other")
    assert isinstance(step, decide.Requeue) == isinstance(answer, NotSent | Busy)


def test_what_a_list_did_not_show_is_tried_once_more_and_no_oftener() -> None:
    unsure = NotMade(certain=False)
    assert isinstance(decide.after_looking(generation(), attempt(), unsure), decide.TryAgain)
    assert isinstance(decide.after_looking(generation(), attempt(), unsure, "other"), decide.Requeue)
    again = decide.after_looking(generation(), attempt(number=2), unsure, "other")
    assert isinstance(again, decide.Fail)
    assert (again.code, again.attempt_state) == ("provider_unclear", AttemptState.LOST)
    assert isinstance(decide.after_looking(generation(), attempt(number=9), NotMade()), decide.TryAgain)


def test_an_unknown_attempt_is_planned_anew_only_when_it_is_certainly_not_there() -> None:
    assert isinstance(decide.after_looking(generation(), attempt(), NotMade()), decide.TryAgain)
    assert isinstance(decide.after_looking(generation(), attempt(), Unclear("x")), decide.StayUnknown)
    assert isinstance(decide.after_looking(generation(), attempt(), Started({})), decide.Acknowledge)
    late = decide.after_looking(generation(past=True), attempt(), Unclear("x"))
    assert isinstance(late, decide.Fail)
    assert (late.code, late.attempt_state) == ("provider_unclear", AttemptState.LOST)


def test_nothing_is_sent_for_a_canceled_or_overdue_generation() -> None:
    assert decide.before_sending(generation(), attempt()) is None
    assert isinstance(decide.before_sending(generation(canceled=True), attempt()), decide.Cancel)
    assert isinstance(decide.before_sending(generation(past=True), attempt()), decide.Fail)


def test_a_deadline_ends_a_running_generation_whatever_the_provider_says() -> None:
    for stopped in (True, False):
        assert isinstance(decide.after_stopping(generation(past=True), attempt(), stopped), decide.Fail)
    assert isinstance(decide.after_stopping(generation(canceled=True), attempt(), True), decide.Cancel)
    assert isinstance(decide.after_stopping(generation(canceled=True), attempt(), False), decide.LeaveRunning)


def test_checks() -> None:
    assert isinstance(decide.after_check("att_1", Done(Output())), decide.Store)
    known = decide.after_check("att_1", Failed("output_moderated", "m"))
    strange = decide.after_check("att_1", Failed("who knows", "m"))
    lost = decide.after_check("att_1", Lost())
    assert [step.code for step in (known, strange, lost) if isinstance(step, decide.Fail)] == [
        "output_moderated", "provider_failed", "provider_lost"]  # fmt: skip


def test_storing_is_tried_again_but_not_for_ever() -> None:
    assert isinstance(decide.after_storing(generation(), Stored([], Output())), decide.Complete)
    assert isinstance(decide.after_storing(generation(), Unstored("output_invalid", wrong=True)), decide.PutOff)
    assert isinstance(decide.after_storing(generation(), Unstored("output_unavailable", gone=True)), decide.Fail)
    assert isinstance(decide.after_storing(generation(wrong=10), Unstored("output_invalid", wrong=True)), decide.Fail)


def test_every_failure_has_a_code_that_is_explained() -> None:
    steps = [decide.after_sending(generation(), attempt(), Refused("odd", "m")), decide.after_check("a", Lost())]
    assert all(step.code in FAILURES for step in steps if isinstance(step, decide.Fail))


def test_waits_grow_and_stay_bounded() -> None:
    waits = [decide.backoff(tries) for tries in range(30)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (0.5, 60.0)


def test_progress_leaves_room_for_storing() -> None:
    shown = [decide.pending_progress(Pending(n)) for n in (None, -5, 0, 50, 99, 100)]
    assert shown == [None, 0, 0, 50, 98, 98]


def test_an_operation_found_canceled_is_a_canceled_generation() -> None:
    step = decide.after_check("att_1", Failed("canceled", "m"))
    assert step == decide.Cancel("att_1", AttemptState.FAILED)


def test_a_finished_video_that_cannot_be_fetched_now_is_waited_for() -> None:
    for tries in (0, 50, 900):
        step = decide.after_storing(generation(tries=tries), Unstored("output_unavailable"))
        assert isinstance(step, decide.PutOff)
    first_bad = decide.after_storing(generation(tries=900), Unstored("output_invalid", wrong=True))
    assert isinstance(first_bad, decide.PutOff)  # outages before it do not count
    late = decide.after_storing(generation(past=True, tries=900), Unstored("output_unavailable"))
    assert isinstance(late, decide.Fail)


def test_a_cancel_is_kept_when_another_provider_could_make_it() -> None:
    step = decide.after_sending(generation(canceled=True), attempt(), Busy("full"), "other")
    assert step == decide.Cancel("att_1", AttemptState.REJECTED)


def test_what_was_not_sent_leaves_a_provider_that_was_taken_away() -> None:
    planned, sent = attempt(AttemptState.PLANNED), attempt(AttemptState.SENT)
    assert isinstance(decide.without_provider(generation(), planned, "other"), decide.Requeue)
    assert isinstance(decide.without_provider(generation(), sent, "other"), decide.PutOff)
    assert isinstance(decide.without_provider(generation(), planned, None), decide.PutOff)
    late = decide.without_provider(generation(past=True), sent, None)
    assert isinstance(late, decide.Fail)
    assert (late.attempt_id, late.attempt_state) == ("att_1", AttemptState.LOST)
    assert isinstance(decide.without_provider(generation(past=True), None, None), decide.Fail)


def test_data_that_may_not_go_there_any_more_goes_elsewhere_or_nowhere() -> None:
    assert isinstance(decide.out_of_region(attempt(AttemptState.PLANNED), "other"), decide.Requeue)
    step = decide.out_of_region(attempt(AttemptState.PLANNED), None)
    assert isinstance(step, decide.Fail)
    assert (step.code, step.attempt_state) == ("region_unavailable", AttemptState.REJECTED)
