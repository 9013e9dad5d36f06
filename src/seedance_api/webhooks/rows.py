"""Rows of webhooks."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from seedance_api.webhooks.decide import Attempt
from seedance_api.webhooks.kinds import Kind
from seedance_api.webhooks.sign import Scheme

DeliveryState = Literal["pending", "delivered", "failed", "dropped"]
"""`failed` is one whose tries are used up, `dropped` one whose endpoint was disabled before it arrived."""
DisabledBy = Literal["gone", "failing", "owner"]


class Lane(msgspec.Struct, frozen=True):
    """An endpoint that something is due at, and whether it waits among the slow ones."""

    endpoint_id: str
    slow: bool


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint for which something waits: whether it is no more, and whether anything is due that is free."""

    endpoint_id: str
    ended: bool
    slow: bool
    due: bool


class Free(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that is locked by us, and whether it has just reopened."""

    id: str
    account_id: str
    reopened: bool


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """Which version of a subject's secret signs since when, and until when the one before it does as well."""

    version: int
    rotated_at: datetime | None
    previous_until: datetime | None
    also_previous: bool


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `webhook_endpoint`, with its secret's version."""

    id: str
    account_id: str
    livemode: bool
    hidden: bool
    name: str
    description: str
    url: str
    event_types: tuple[Kind, ...]
    signs: tuple[Scheme, ...]
    failures: int
    failing_since: datetime | None
    failing_seconds: float
    warned: bool
    slow: bool
    disabled_at: datetime | None
    disabled_by: DisabledBy | None
    created_at: datetime
    updated_at: datetime
    version: int
    previous_until: datetime | None
    also_previous: bool
    earlier: int

    @property
    def subject(self) -> str:
        """What its secret belongs to."""
        return account_subject(self.account_id, livemode=self.livemode) if self.hidden else self.id


def account_subject(account_id: str, *, livemode: bool) -> str:
    """What the secret for the `webhook_url` of an account's requests belongs to."""
    return f"{account_id} {'live' if livemode else 'test'}"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `event`."""

    id: str
    livemode: bool
    type: Kind
    data: dict[str, Any]
    created_at: datetime


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is ours until `claimed_until`, with its event and how to reach and sign for its endpoint."""

    endpoint_id: str
    account_id: str
    livemode: bool
    tries: int
    claimed_until: datetime
    event_id: str
    type: Kind
    data: dict[str, Any]
    created_at: datetime
    url: str
    hidden: bool
    signs: tuple[Scheme, ...]
    failures: int
    slow: bool
    version: int
    earlier: int

    @property
    def subject(self) -> str:
        """What its endpoint's secret belongs to."""
        return account_subject(self.account_id, livemode=self.livemode) if self.hidden else self.endpoint_id

    @property
    def event(self) -> Event:
        """The event alone."""
        return Event(
            id=self.event_id, livemode=self.livemode, type=self.type, data=self.data, created_at=self.created_at
        )


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """Which events: one, or all of the endpoint's types from `since` until before `until`, behind `after`."""

    event_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: str | None = None
    only_failed: bool = False


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery as its owner sees it."""

    event_id: str
    type: Kind
    state: DeliveryState
    tries: int
    due_at: datetime
    attempts: list[Attempt]
    created_at: datetime
    ended_at: datetime | None
