"""What customers see of webhook endpoints."""

from typing import Literal

import msgspec

from seedance_api.webhooks.kinds import Kind
from seedance_api.webhooks.rows import DisabledBy
from seedance_api.webhooks.sign import Scheme


class WebhookEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where events go. `public_key` is there when it is signed with `v1a`."""

    id: str
    """Names the endpoint: `whe_…`."""
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    name: str
    """Your name for it."""
    description: str
    """Your description."""
    url: str
    """Where events go."""
    event_types: tuple[Kind, ...]
    """The types that it listens to."""
    signatures: tuple[Scheme, ...]
    """How deliveries are signed."""
    signing_secret_hint: str
    """The end of the secret, to tell two apart."""
    public_key: str | None
    """What checks a `v1a` signature: `whpk_…`; null without one."""
    previous_secret_until: int | None
    """Until when the secret before this one signs as well; null when it does not."""
    enabled: bool
    """Whether anything is sent."""
    disabled_reason: DisabledBy | None
    """`gone` (it answered 410), `failing` (five days of nothing but failures) or `owner`; null while it is enabled."""
    failing_since: int | None
    """Since when nothing has arrived; null when the last delivery did."""
    livemode: bool
    """Whether it is told of live videos and money, or of test videos."""
    created_at: int
    """When it was made."""
    updated_at: int
    """When it, or its secret, was last changed."""


class WebhookEndpointWithSecret(WebhookEndpoint, frozen=True, kw_only=True):
    """The same, with its signing secret: when it is created or rotated, and never else."""

    signing_secret: str
    """What signs, `whsec_…`. Keep it: it is shown here and after a rotation only."""


class WebhookEndpointList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of endpoints, newest first."""

    object: Literal["list"] = "list"
    data: list[WebhookEndpoint]
    """The endpoints of this page."""
    first_id: str | None
    last_id: str | None
    has_more: bool


class WebhookEndpointDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a delete."""

    id: str
    """The endpoint's id."""
    object: Literal["webhook_endpoint.deleted"] = "webhook_endpoint.deleted"
    deleted: Literal[True] = True


class WebhookEndpointTest(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a test. `success` says that an answer came, `status_code` which."""

    object: Literal["webhook_endpoint.test"] = "webhook_endpoint.test"
    webhook_endpoint_id: str
    """The endpoint."""
    event_type: Kind
    """The type of the sample."""
    success: bool
    """Whether an answer came."""
    status_code: int | None
    """The answer's status; null when none came."""
    outcome: str
    """As in a delivery's attempts."""


class WebhookEventTypes(msgspec.Struct, frozen=True, kw_only=True):
    """Every type of event that there is."""

    object: Literal["list"] = "list"
    data: tuple[Kind, ...]
    """The types."""
