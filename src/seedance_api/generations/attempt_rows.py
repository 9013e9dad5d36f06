"""Rows of attempts."""

from datetime import datetime

import msgspec

from seedance_api.generations.states import AttemptState
from seedance_api.providers.provider import Operation


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `attempt`."""

    id: str
    generation_id: str
    provider: str
    state: AttemptState
    operation: Operation | None
    told: str | None
    reason: str | None
    seconds_left: float | None
    nonce: int | None = None
    created_at: datetime
    sent_at: datetime | None
    resolved_at: datetime | None


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt as the operator sees it. `original` is what the provider said, until the prompt is deleted."""

    id: str
    provider: str
    state: AttemptState
    operation: Operation | None
    reason: str | None
    original: dict[str, str | int | None] | None
    created_at: datetime
    sent_at: datetime | None
    resolved_at: datetime | None


class Opened(Attempt, frozen=True, kw_only=True):
    """An attempt that is under way. `seconds_since` it was sent, by the database's clock; `number` counts from 1."""

    seconds_since: float | None
    number: int


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that its provider called back about."""

    generation_id: str
    provider: str
    acknowledged: bool
