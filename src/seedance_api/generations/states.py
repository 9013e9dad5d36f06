"""The life of a generation and of an attempt: the states and the only moves between them.

The same fact stands in four places: here as enums and tables, in `queries/` as guarded updates, in the schema as
CHECKs. One test compares them.
"""

from enum import StrEnum
from typing import Literal

import msgspec


class State(StrEnum):
    """Where a generation is."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    RUNNING = "running"
    STORING = "storing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.SUBMITTING, State.FAILED, State.CANCELED}),
    # back to queued when another provider is to make it: that one's queue has an order and bounds of its own
    State.SUBMITTING: frozenset({State.QUEUED, State.RUNNING, State.FAILED, State.CANCELED}),
    State.RUNNING: frozenset({State.STORING, State.FAILED, State.CANCELED}),
    State.STORING: frozenset({State.COMPLETED, State.FAILED}),
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELED: frozenset(),
}

Public = Literal["queued", "in_progress", "completed", "failed", "canceled"]
"""What customers see of a state."""

PUBLIC: dict[State, Public] = {
    State.QUEUED: "queued",
    State.SUBMITTING: "in_progress",
    State.RUNNING: "in_progress",
    State.STORING: "in_progress",
    State.COMPLETED: "completed",
    State.FAILED: "failed",
    State.CANCELED: "canceled",
}


class AttemptState(StrEnum):
    """Where one hand-over to a provider is."""

    PLANNED = "planned"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"


ATTEMPT_MOVES: dict[AttemptState, frozenset[AttemptState]] = {
    AttemptState.PLANNED: frozenset({AttemptState.SENT, AttemptState.REJECTED}),
    AttemptState.SENT: frozenset(
        {AttemptState.ACKNOWLEDGED, AttemptState.REJECTED, AttemptState.UNKNOWN, AttemptState.LOST}
    ),
    AttemptState.UNKNOWN: frozenset({AttemptState.ACKNOWLEDGED, AttemptState.LOST}),
    AttemptState.ACKNOWLEDGED: frozenset({AttemptState.SUCCEEDED, AttemptState.FAILED, AttemptState.LOST}),
    AttemptState.REJECTED: frozenset(),
    AttemptState.SUCCEEDED: frozenset(),
    AttemptState.FAILED: frozenset(),
    AttemptState.LOST: frozenset(),
}


class Failure(msgspec.Struct, frozen=True):
    """The policy for a failure. The customer never pays for one.

    `retry` says that making it again is safe and may help, `payer` who bears what the upstream bills: only a video that
    it has finished is billed (ModelArk 1544106), so where we lost one, or cannot know, that is the operator.
    """

    retry: bool
    payer: Literal["nobody", "operator"]
    meaning: str
    advice: str


_AGAIN = "Create it again."
FAILURES: dict[str, Failure] = {
    "input_moderated": Failure(
        False,
        "nobody",
        "The provider's safety rules refuse the prompt or an input.",
        "Change the prompt or the input; the same request is refused again.",
    ),
    "output_moderated": Failure(
        False,
        "nobody",
        "The video was made and then withheld by the provider's safety rules.",
        "Change the prompt; another seed may pass, the same request seldom does.",
    ),
    "input_unreadable": Failure(
        False,
        "nobody",
        "An input file is gone, or the provider cannot read it.",
        "Send the file again, in a common format.",
    ),
    "invalid_for_provider": Failure(
        False,
        "nobody",
        "The provider refused the request as invalid.",
        "Change the request; the support address can say what the provider found.",
    ),
    "invalid_sandbox_value": Failure(
        False,
        "nobody",
        "The prompt names a sandbox test value that does not exist.",
        "Correct the `[sandbox:…]` value in the prompt.",
    ),
    "provider_failed": Failure(True, "nobody", "The provider could not make the video.", _AGAIN),
    "provider_overloaded": Failure(
        True,
        "nobody",
        "The provider stayed overloaded until the deadline.",
        "Create it again later.",
    ),
    "provider_lost": Failure(True, "operator", "The provider no longer knows the work it had accepted.", _AGAIN),
    "provider_unclear": Failure(
        True,
        "operator",
        "The provider never said whether it took the work, and the deadline passed.",
        _AGAIN,
    ),
    "output_invalid": Failure(
        True, "operator", "The file that the provider delivered is damaged or not what was ordered.", _AGAIN
    ),
    "output_unavailable": Failure(
        True, "operator", "The finished file could not be fetched from the provider, or not stored.", _AGAIN
    ),
    "marking_failed": Failure(
        True,
        "operator",
        "The finished video could not be marked as AI-generated, and nothing unmarked is delivered.",
        "Create it again later.",
    ),
    "region_unavailable": Failure(
        False,
        "nobody",
        "No upstream serves the model in the regions where the account's data may go.",
        "Allow another region, or use a model that is served in one that is allowed.",
    ),
    "deadline_exceeded": Failure(True, "operator", "The video was not finished before its deadline.", _AGAIN),
    "service_restored": Failure(
        True,
        "operator",
        "The service was restored from a backup, and it is not known whether the video was ordered since.",
        _AGAIN,
    ),
    "canceled": Failure(True, "nobody", "The video was canceled.", "Nothing to do."),
}
"""Every reason for which there is no video, with who pays, whether to try again, and what to do."""
