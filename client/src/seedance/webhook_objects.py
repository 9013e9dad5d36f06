"""What the service answers with about webhooks and events."""

from __future__ import annotations

from typing import Any

import msgspec

from seedance.answer import Answer


class Event(Answer, frozen=True, kw_only=True):
    """Something that happened: video.completed, balance.low, … `data` says to what; ask for the rest."""

    id: str
    type: str
    object: str = "event"
    timestamp: str = ""
    created_at: int | None = None
    livemode: bool | None = None
    data: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])


class WebhookEndpoint(Answer, frozen=True, kw_only=True):
    """An address that is told of events. `signing_secret` is there when it is created or rotated, and never else.

    `disabled_reason` is gone, failing or owner. While `previous_secret_until` the secret before signs as well.
    """

    id: str
    url: str
    object: str = "webhook_endpoint"
    name: str = ""
    description: str = ""
    event_types: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    signing_secret: str | None = None
    signing_secret_hint: str = ""
    public_key: str | None = None
    previous_secret_until: int | None = None
    enabled: bool = True
    disabled_reason: str | None = None
    failing_since: int | None = None
    livemode: bool | None = None
    created_at: int | None = None
    updated_at: int | None = None


class WebhookSecret(Answer, frozen=True, kw_only=True):
    """The account's own secret: what signs for the `webhook_url` of its videos.

    `signing_secret` is there when it is rotated, and never else; it was never seen while `rotated_at` is None.
    """

    object: str = "webhook_secret"
    signing_secret: str | None = None
    signing_secret_hint: str = ""
    rotated_at: int | None = None
    previous_secret_until: int | None = None
    livemode: bool | None = None


class WebhookTest(Answer, frozen=True, kw_only=True):
    """What came of a test. `success` says that an answer came, `status_code` which, `outcome` what it counts as."""

    success: bool
    object: str = "webhook_endpoint.test"
    webhook_endpoint_id: str = ""
    event_type: str = ""
    status_code: int | None = None
    outcome: str = ""


class WebhookAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try of a delivery, at Unix seconds."""

    at: int
    outcome: str
    status: int | None = None
    milliseconds: int | None = None


class WebhookDelivery(Answer, frozen=True, kw_only=True):
    """What became of one event at one endpoint: pending, delivered, failed or dropped. `attempts` are the last ones."""

    event_id: str
    state: str
    object: str = "webhook_delivery"
    type: str = ""
    tries: int = 0
    next_attempt_at: int | None = None
    attempts: tuple[WebhookAttempt, ...] = ()
    created_at: int | None = None
    ended_at: int | None = None


class WebhookReplay(Answer, frozen=True, kw_only=True):
    """How many deliveries were put in line; `last_id` is the last one's event."""

    count: int
    object: str = "webhook_endpoint.replay"
    webhook_endpoint_id: str = ""
    last_id: str | None = None
    has_more: bool = False
