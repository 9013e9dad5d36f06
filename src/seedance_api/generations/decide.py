"""Decisions: pure functions from what was seen to what is to be written. No clock, no network, no database."""

from typing import assert_never

import msgspec

from seedance_api.delivery.store import Stored, StoreOutcome, Unstored
from seedance_api.generations.rows import Attempt, Claimed
from seedance_api.generations.states import FAILURES, AttemptState
from seedance_api.providers.provider import (
    Done,
    Failed,
    FindOutcome,
    Lost,
    NotMade,
    NotSent,
    Operation,
    Output,
    Pending,
    Refused,
    Started,
    StartOutcome,
    Unclear,
)

_STORE_TRIES = 6


class Acknowledge(msgspec.Struct, frozen=True):
    """The provider has it: submitting → running."""

    attempt_id: str
    operation: Operation


class StayUnknown(msgspec.Struct, frozen=True):
    """Whether the provider has it is not known; look again later, send nothing."""

    attempt_id: str
    reason: str
    seconds: float


class TryAgain(msgspec.Struct, frozen=True):
    """This attempt certainly made nothing; plan another."""

    attempt_id: str | None
    attempt_state: AttemptState
    reason: str
    seconds: float


class PutOff(msgspec.Struct, frozen=True):
    """Do the same step later."""

    seconds: float


class LeaveRunning(msgspec.Struct, frozen=True):
    """The provider would not stop; `watch` brings its answer."""


class Store(msgspec.Struct, frozen=True):
    """The provider has finished: running → storing."""

    attempt_id: str
    output: Output


class Complete(msgspec.Struct, frozen=True):
    """Everything is stored: storing → completed."""

    stored: Stored
    keep_seconds: int


class Fail(msgspec.Struct, frozen=True):
    """→ failed. `attempt_state` is what became of the open attempt, if there is one."""

    code: str
    message: str
    attempt_id: str | None = None
    attempt_state: AttemptState = AttemptState.FAILED


class Cancel(msgspec.Struct, frozen=True):
    """→ canceled."""

    attempt_id: str | None = None
    attempt_state: AttemptState = AttemptState.REJECTED


Step = Acknowledge | StayUnknown | TryAgain | PutOff | LeaveRunning | Store | Complete | Fail | Cancel


def before_sending(generation: Claimed, attempt: Attempt) -> Step | None:
    """A reason not to send a planned attempt, or None."""
    if generation.cancel_requested_at is not None:
        return Cancel(attempt.id, AttemptState.REJECTED)
    if generation.past_deadline:
        code = "provider_overloaded" if generation.tries else "deadline_exceeded"
        return _fail(code, attempt.id, AttemptState.REJECTED)
    return None


def after_sending(generation: Claimed, attempt: Attempt, outcome: StartOutcome) -> Step:
    """What the answer to a start means."""
    match outcome:
        case Started(operation):
            return Acknowledge(attempt.id, operation)
        case Refused(code, message, retryable):
            if retryable:
                return TryAgain(attempt.id, AttemptState.REJECTED, code, backoff(generation.tries))
            known = code if code in FAILURES else "invalid_for_provider"
            return Fail(known, message, attempt.id, AttemptState.REJECTED)
        case NotSent(reason):
            return TryAgain(attempt.id, AttemptState.REJECTED, reason, backoff(generation.tries))
        case Unclear(reason):
            return StayUnknown(attempt.id, reason, backoff(generation.tries))
        case _:
            assert_never(outcome)


def after_looking(generation: Claimed, attempt: Attempt, outcome: FindOutcome) -> Step:
    """What a search for an attempt without an answer means."""
    match outcome:
        case Started(operation):
            return Acknowledge(attempt.id, operation)
        case NotMade():
            return TryAgain(attempt.id, AttemptState.LOST, "not made", backoff(generation.tries))
        case Unclear(reason):
            if generation.past_deadline:
                return _fail("provider_unclear", attempt.id, AttemptState.LOST)
            return StayUnknown(attempt.id, reason, backoff(generation.tries))
        case _:
            assert_never(outcome)


def after_check(attempt_id: str, check: Done | Failed | Lost) -> Step:
    """What a finished check of a running operation means."""
    match check:
        case Done(output):
            return Store(attempt_id, output)
        case Failed("canceled"):  # a worker died between the cancel and its record
            return Cancel(attempt_id, AttemptState.FAILED)
        case Failed(code, message):
            return Fail(code if code in FAILURES else "provider_failed", message, attempt_id, AttemptState.FAILED)
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
    """What an effort to fetch, check and store the file means. A damaged file may be a damaged transfer: try again."""
    match outcome:
        case Stored():
            return Complete(outcome, generation.keep_seconds)
        case Unstored(code, gone):
            if gone or generation.past_deadline or generation.tries + 1 >= _STORE_TRIES:
                return _fail(code)
            return PutOff(backoff(generation.tries))
        case _:
            assert_never(outcome)


def backoff(tries: int) -> float:
    """Seconds before the next try: 0.5, 1, 2 … 60."""
    return min(60.0, 0.5 * 2 ** min(tries, 10))


def pending_progress(check: Pending) -> int | None:
    """The customer's progress while the provider works: 99 and 100 are for storing and completed."""
    return None if check.progress is None else max(0, min(98, check.progress))


def _fail(code: str, attempt_id: str | None = None, attempt_state: AttemptState = AttemptState.FAILED) -> Fail:
    return Fail(code, FAILURES[code].meaning, attempt_id, attempt_state)
