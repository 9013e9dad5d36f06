"""Rows of generations, attempts and their inputs."""

from datetime import datetime

import msgspec

from seedance_api.billing.rows import Hold
from seedance_api.catalog.order import Kind, Order, Role
from seedance_api.generations.states import AttemptState, State
from seedance_api.providers.provider import Operation, Output


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `generation`."""

    id: str
    account_id: str
    key_id: str
    livemode: bool
    provider: str
    model: str
    params: Order
    metadata: dict[str, str]
    keep_seconds: int
    quoted_tokens: int
    state: State
    version: int
    tries: int
    progress: int
    output: Output | None
    error_code: str | None
    error_message: str | None
    cancel_requested_at: datetime | None
    due_at: datetime
    claimed_until: datetime | None
    deadline_at: datetime
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deleted_at: datetime | None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A generation as its owner sees it. The hottest read: no column more than is shown."""

    id: str
    account_id: str
    livemode: bool
    provider: str
    model: str
    params: Order
    metadata: dict[str, str]
    state: State
    progress: int
    output: Output | None
    error_code: str | None
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    prompt: str | None
    purge_at: datetime | None
    content_state: str | None
    variants: list[str]
    hold: Hold | None
    """None for a generation that costs nothing."""


class Claimed(Generation, frozen=True, kw_only=True):
    """A generation whose next step is ours."""

    past_deadline: bool


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `attempt`."""

    id: str
    generation_id: str
    state: AttemptState
    operation: Operation | None
    reason: str | None
    created_at: datetime
    sent_at: datetime | None
    resolved_at: datetime | None


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A running generation, as `watch` sees it."""

    id: str
    version: int
    progress: int
    attempt_id: str
    operation: Operation


class Medium(msgspec.Struct, frozen=True, kw_only=True):
    """One input of a generation, with the facts of its file."""

    role: Role
    kind: Kind
    object_key: str
    media_type: str
    width: int | None
    height: int | None
    seconds: float | None


class Leftovers(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished generation may have left behind."""

    provider: str
    deleted: bool
    operations: list[Operation]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A generation that something is to be done with."""

    id: str
    version: int
    provider: str
