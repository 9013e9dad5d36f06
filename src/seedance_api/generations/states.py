"""The life of a generation and of an attempt: the states and the only moves between them.

The same fact stands in four places: here as enums and tables, in `queries.py` as guarded updates, in the schema as
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
    State.SUBMITTING: frozenset({State.RUNNING, State.FAILED, State.CANCELED}),
    State.RUNNING: frozenset({State.STORING, State.FAILED, State.CANCELED}),
    State.STORING: frozenset({State.COMPLETED, State.FAILED}),
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELED: frozenset(),
}
FINAL = frozenset(state for state, moves in MOVES.items() if not moves)

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
ATTEMPT_FINAL = frozenset(state for state, moves in ATTEMPT_MOVES.items() if not moves)


class Failure(msgspec.Struct, frozen=True):
    """What a failure code means to the customer: whose fault, and whether making it again may help."""

    retry: bool
    meaning: str


FAILURES: dict[str, Failure] = {
    "input_moderated": Failure(False, "The provider's safety rules refuse the prompt or an input."),
    "output_moderated": Failure(False, "The video was made and then withheld by the provider's safety rules."),
    "input_unreadable": Failure(False, "An input file is gone, or the provider cannot read it."),
    "invalid_for_provider": Failure(False, "The provider refused the request as invalid."),
    "invalid_sandbox_value": Failure(False, "The prompt names a sandbox test value that does not exist."),
    "provider_failed": Failure(True, "The provider could not make the video."),
    "provider_overloaded": Failure(True, "The provider stayed overloaded until the deadline."),
    "provider_lost": Failure(True, "The provider no longer knows the work it had accepted."),
    "provider_unclear": Failure(True, "The provider never said whether it took the work, and the deadline passed."),
    "output_invalid": Failure(True, "The file that the provider delivered is damaged or not what was ordered."),
    "output_unavailable": Failure(True, "The finished file could not be fetched from the provider."),
    "deadline_exceeded": Failure(True, "The video was not finished before its deadline."),
}
"""Every reason a generation can fail for. Nothing is charged for a failure."""
