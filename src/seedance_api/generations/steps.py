"""Steps: what a generation does next, as it is decided and then recorded."""

import msgspec

from seedance_api.delivery.store import Stored
from seedance_api.generations.states import AttemptState
from seedance_api.providers.provider import (
    Operation,
    Original,
    Output,
)


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
    """This attempt made nothing; plan another, at the same provider."""

    attempt_id: str | None
    attempt_state: AttemptState
    reason: str
    seconds: float
    original: Original | None = None


class Requeue(msgspec.Struct, frozen=True):
    """This attempt made nothing, and another provider can make it: submitting → queued, there."""

    attempt_id: str
    attempt_state: AttemptState
    reason: str
    provider: str
    original: Original | None = None


class PutOff(msgspec.Struct, frozen=True):
    """Do the same step later."""

    seconds: float
    storing: bool = False
    wrong: bool = False
    """A wrong file was brought: that is tried a few times only."""
    waits_for: str | None = None
    """What of ours is in the way of a finished file, for the operator."""


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
    original: Original | None = None


class Cancel(msgspec.Struct, frozen=True):
    """→ canceled."""

    attempt_id: str | None = None
    attempt_state: AttemptState = AttemptState.REJECTED


Step = Acknowledge | StayUnknown | TryAgain | Requeue | PutOff | LeaveRunning | Store | Complete | Fail | Cancel
