"""The body of a webhook, and the event as the API shows it: the same bytes for the same event, at every try."""

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from seedance_api.webhooks.kinds import Kind
from seedance_api.webhooks.rows import Event


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """An event: that something happened, and to what. The rest is to be asked for."""

    id: str
    """Names the event: `evt_…`. The same at every delivery: keep it to tell repeats."""
    object: Literal["event"] = "event"
    type: Kind
    """What happened."""
    timestamp: str
    """When, in RFC 3339."""
    created_at: int
    """When, in Unix seconds."""
    livemode: bool
    """Whether it is of a live video or of money."""
    data: dict[str, Any]
    """What it happened to: the `id` and `status` of a video, `expires_at` where there is content, `error.code` of a
    failure; the numbers of a balance or limit."""


def event_view(event: Event) -> EventView:
    """An event as customers see it; `data` has its id in front, as OpenAI's have."""
    moment = event.created_at.astimezone(UTC)
    return EventView(
        id=event.id,
        type=event.type,
        timestamp=moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        created_at=int(moment.timestamp()),
        livemode=event.livemode,
        data=dict(sorted(event.data.items(), key=lambda item: (item[0] != "id", item[0]))),
    )


def payload(event: Event) -> bytes:
    """The bytes that are sent and signed."""
    return msgspec.json.encode(event_view(event))


def sample(kind: Kind, event_id: str, *, livemode: bool, now: float) -> Event:
    """An event of a kind that did not happen, for trying an endpoint."""
    return Event(
        id=event_id, livemode=livemode, type=kind, data=_SAMPLES[kind], created_at=datetime.fromtimestamp(now, UTC)
    )


_VIDEO = "vid_00000000000000000000000000"
_SAMPLES: dict[Kind, dict[str, Any]] = {
    "video.queued": {"id": _VIDEO, "status": "queued"},
    "video.in_progress": {"id": _VIDEO, "status": "in_progress"},
    "video.completed": {"id": _VIDEO, "status": "completed", "expires_at": 1_800_000_000},
    "video.failed": {"id": _VIDEO, "status": "failed", "error": {"code": "provider_failed"}},
    "video.canceled": {"id": _VIDEO, "status": "canceled"},
    "video.expiring": {"id": _VIDEO, "status": "completed", "expires_at": 1_800_000_000},
    "video.purged": {"id": _VIDEO, "status": "completed"},
    "balance.low": {"available": "4.200000", "currency": "USD", "threshold": "5.000000"},
    "key.limit_reached": {
        "scope": "key", "key_id": "key_00000000000000000000000000", "period": "day", "limit": "10.000000",
        "spent": "10.000000", "percent": 100,
    },
}  # fmt: skip
