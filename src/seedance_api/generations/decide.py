"""Decisions: pure functions from what was seen to what is to be written. No clock, no network, no database."""

from typing import assert_never

from seedance_api.delivery.store import Stored, StoreOutcome, Unstored
from seedance_api.generations.attempt_rows import Attempt, Opened
from seedance_api.generations.rows import Claimed
from seedance_api.generations.states import FAILURES, AttemptState
from seedance_api.generations.steps import (
    Acknowledge,
    Cancel,
    Complete,
    Fail,
    LeaveRunning,
    PutOff,
    Requeue,
    StayUnknown,
    Step,
    Store,
    TryAgain,
)
from seedance_api.providers.provider import (
    Busy,
    Done,
    Failed,
    FindOutcome,
    Lost,
    NotMade,
    NotSent,
    Original,
    Pending,
    Refused,
    Started,
    StartOutcome,
    Unclear,
)

_STORE_TRIES = 6
_PAUSE, _FETCHED_PAUSE = 60.0, 900.0
"""The longest waits. One file is not fetched more than some hundred times a day: a provider allows no more."""


def before_sending(generation: Claimed, attempt: Attempt) -> Step | None:
    """A reason not to send a planned attempt, or None."""
    if generation.cancel_requested_at is not None:
        return Cancel(attempt.id, AttemptState.REJECTED)
    if generation.past_deadline:
        code = "provider_overloaded" if generation.tries else "deadline_exceeded"
        return _fail(code, attempt.id, AttemptState.REJECTED)
    return None


def without_provider(generation: Claimed, attempt: Attempt | None, elsewhere: str | None) -> Step:
    """The operator took the provider out of the configuration: it may come back. What was not sent may go elsewhere."""
    planned = attempt is not None and attempt.state is AttemptState.PLANNED
    state = AttemptState.REJECTED if planned else AttemptState.LOST
    if planned and attempt is not None and elsewhere is not None:
        return Requeue(attempt.id, state, "the provider was taken away", elsewhere)
    if generation.past_deadline:
        return _fail("provider_lost", attempt.id if attempt else None, state)
    return PutOff(60.0)


def out_of_region(attempt: Attempt, elsewhere: str | None) -> Step:
    """The account's data may not go to this provider any more."""
    if elsewhere is not None:
        return Requeue(attempt.id, AttemptState.REJECTED, "out of the account's regions", elsewhere)
    return _fail("region_unavailable", attempt.id, AttemptState.REJECTED)


def without_asset(attempt: Attempt) -> Step:
    """The operator took an asset away from the account before it was sent."""
    message = "The request names an asset that this account may not use any more."
    return Fail("input_unreadable", message, attempt.id, AttemptState.REJECTED)


def after_sending(generation: Claimed, attempt: Attempt, outcome: StartOutcome, elsewhere: str | None = None) -> Step:
    """What the answer to a start means. `elsewhere` is another provider that could make it now."""
    match outcome:
        case Started(operation):
            return Acknowledge(attempt.id, operation)
        case Refused(code, message, original):
            known = code if code in FAILURES else "invalid_for_provider"
            return Fail(known, message, attempt.id, AttemptState.REJECTED, original)
        case Busy(reason, original=original):
            return _another(generation, attempt.id, AttemptState.REJECTED, reason, elsewhere, original)
        case NotSent(reason):
            return _another(generation, attempt.id, AttemptState.REJECTED, reason, elsewhere)
        case Unclear(reason):
            return StayUnknown(attempt.id, reason, backoff(generation.tries))
        case _:
            assert_never(outcome)


def after_looking(generation: Claimed, attempt: Opened, outcome: FindOutcome, elsewhere: str | None = None) -> Step:
    """What a search for an attempt without an answer means.

    Where the provider's list is all there is to go by, the work may still turn up: one more attempt is the most then.
    """
    match outcome:
        case Started(operation):
            return Acknowledge(attempt.id, operation)
        case NotMade(certain):
            if not certain and attempt.number > 1:
                return _fail("provider_unclear", attempt.id, AttemptState.LOST)
            return _another(generation, attempt.id, AttemptState.LOST, "not made", elsewhere)
        case Unclear(reason):
            if generation.past_deadline:
                return _fail("provider_unclear", attempt.id, AttemptState.LOST)
            return StayUnknown(attempt.id, reason, backoff(generation.tries))
        case _:
            assert_never(outcome)


def _another(
    generation: Claimed,
    attempt_id: str,
    state: AttemptState,
    reason: str,
    elsewhere: str | None,
    original: Original | None = None,
) -> TryAgain | Requeue | Cancel:
    if generation.cancel_requested_at is not None:
        return Cancel(attempt_id, state)
    if elsewhere is not None:
        return Requeue(attempt_id, state, reason, elsewhere, original)
    return TryAgain(attempt_id, state, reason, backoff(generation.tries), original)


def after_check(attempt_id: str, check: Done | Failed | Lost) -> Step:
    """What a finished check of a running operation means."""
    match check:
        case Done(output):
            return Store(attempt_id, output)
        case Failed("canceled"):  # a worker died between the cancel and its record
            return Cancel(attempt_id, AttemptState.FAILED)
        case Failed(code, message, original):
            known = code if code in FAILURES else "provider_failed"
            return Fail(known, message, attempt_id, AttemptState.FAILED, original)
        case Lost():
            return _fail("provider_lost", attempt_id, AttemptState.LOST)
        case _:
            assert_never(check)


def after_stopping(generation: Claimed, attempt: Attempt, stopped: bool) -> Step:
    """What the provider's answer to a cancel means. A deadline ends the generation either way."""
    if generation.past_deadline:
        return _fail("deadline_exceeded", attempt.id, AttemptState.FAILED if stopped else AttemptState.LOST)
    return Cancel(attempt.id, AttemptState.FAILED) if stopped else LeaveRunning()


def after_storing(generation: Claimed, outcome: StoreOutcome) -> Step:
    """What an effort to fetch, check and store the file means.

    A damaged file may be a damaged transfer: it has a few tries. What cannot be fetched now, or for a reason of ours
    not marked or stored, is there for later: it is paid for, and only its provider or the deadline can say that
    it is lost.
    """
    match outcome:
        case Stored():
            return Complete(outcome, generation.keep_seconds)
        case Unstored(code, gone, wrong, ours, fetched):
            wrong = wrong and ours is None
            hopeless = wrong and generation.wrong_tries + 1 >= _STORE_TRIES
            if gone or generation.past_deadline or hopeless:
                return _fail(code)
            if wrong:
                return PutOff(backoff(generation.wrong_tries), storing=True, wrong=True)
            max_seconds = _FETCHED_PAUSE if ours is not None and fetched else _PAUSE
            return PutOff(backoff(generation.tries, max_seconds), storing=True, waits_for=ours)
        case _:
            assert_never(outcome)


def backoff(tries: int, max_seconds: float = _PAUSE) -> float:
    """Seconds before the next try: 0.5, 1, 2 … `max_seconds`."""
    return min(max_seconds, 0.5 * 2 ** min(tries, 12))


def pending_progress(check: Pending) -> int | None:
    """The customer's progress while the provider works: 99 and 100 are for storing and completed."""
    return None if check.progress is None else max(0, min(98, check.progress))


def _fail(code: str, attempt_id: str | None = None, attempt_state: AttemptState = AttemptState.FAILED) -> Fail:
    return Fail(code, FAILURES[code].meaning, attempt_id, attempt_state)
