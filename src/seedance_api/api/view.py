"""What customers see of a generation: the video object, OpenAI's fields and more."""

from datetime import UTC, datetime
from typing import Literal

import msgspec

from seedance_api.billing.rows import HoldState
from seedance_api.catalog.models import today_utc
from seedance_api.catalog.retirement import Notice, retirement
from seedance_api.catalog.tokens import nominal_seconds
from seedance_api.foundation.money import format_amount
from seedance_api.generations.rows import Seen
from seedance_api.generations.states import FAILURES, PUBLIC, State
from seedance_api.providers.provider import is_sandbox
from seedance_api.routing.progress import eta, progress

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Usage(msgspec.Struct, frozen=True):
    """Video tokens of the finished video, by the vendor's formula."""

    total_tokens: int
    """Video tokens of the finished video."""


class Urls(msgspec.Struct, frozen=True):
    """Where the parts are; null until they exist and after they are deleted."""

    content: str | None
    """The video file."""
    last_frame: str | None
    """The last frame, if it was asked for."""
    thumbnail: str | None
    """A small WebP picture of the first frame."""
    events: str
    """The stream of events."""


class VideoError(msgspec.Struct, frozen=True):
    """Why there is no video, and what that means: the customer pays nothing. `payer` bears what the upstream bills."""

    code: str
    """One of the failure codes."""
    message: str
    """The same in a sentence."""
    payer: Literal["nobody", "operator"]
    """Who bears what the upstream bills for it: `nobody` or the `operator`, never you."""
    retry: bool
    """Whether making it again is safe and may help."""
    advice: str
    """What to do."""


class CostUsage(msgspec.Struct, frozen=True):
    """What was really rendered, as it is charged."""

    tokens: int
    """Video tokens that the upstream counted."""
    resolution: str
    """The resolution that was rendered."""
    seconds: str
    """The length that was rendered."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a video costs: decimal strings. `charged` and `released` are null until it is finished.

    `charged` is `usage.tokens` times the price, at most `hold`; what is above it is `waived`, and the operator's.
    """

    currency: str
    price_version: int | None
    """The price book that it is charged by; null where nothing is."""
    price_per_million_tokens: str | None
    """The price in it, of what was ordered and then of what was rendered."""
    quoted: str
    """What was expected when it was accepted."""
    hold: str
    """What was set aside: the most that can be charged."""
    charged: str | None
    """What it cost; null until it is finished, and zero if it failed or was canceled."""
    released: str | None
    """What of the hold was given back; null until it is finished."""
    refunded: str
    """What was given back afterwards."""
    waived: str
    """What was above the hold: the operator pays it."""
    reason: str | None
    """Why the charge is not the price of what the upstream counted; null otherwise."""
    usage: CostUsage | None
    """What was really rendered, as it is charged; null until it is completed."""


class Video(msgspec.Struct, frozen=True, kw_only=True):
    """A video, from its order to its end. Times are Unix seconds."""

    id: str
    """Names the video in every address: `vid_…`."""
    object: Literal["video"] = "video"
    model: str
    """The model's name, also when an alias was sent."""
    status: Literal["queued", "in_progress", "completed", "failed", "canceled"]
    """`queued`, `in_progress`, then one of the three ends."""
    progress: int
    """0 to 100. Where the provider tells none it is estimated, up to 95, from how long such orders took."""
    queue_position: int | None
    """Its place among all that wait, while it is `queued`; 1 is next. An estimate: what comes in, goes out and is fair
    among accounts moves it. 1000 is 1000 or more; null when it is not known yet."""
    eta: int | None
    """When it should be finished, in Unix seconds, from how long such orders took. An estimate; null while it is
    queued, when it is late, and when no such order was made before."""
    created_at: int
    """When it was accepted."""
    started_at: int | None
    """When the provider took the work."""
    completed_at: int | None
    """When it was stored and ready; null for a video that failed or was canceled."""
    expires_at: int | None
    """When the content is deleted; null until it is completed. Delivery brings it nearer."""
    delivered_at: int | None
    """When all of it had been served, or you said that you have it; null until then."""
    prompt: str | None
    """The prompt without flags; null a day after the end, when it is deleted."""
    size: str
    """Width and height in pixels: expected at first, measured on the file once it is completed."""
    seconds: str
    """Length as text, as OpenAI has it."""
    resolution: str
    """`480p`, `720p`, `1080p` or `4k`."""
    ratio: str
    """The ratio's name; `adaptive` until it is known."""
    duration: float
    """Length in seconds; -1 in the request is replaced by what is expected, then by what was made."""
    frames: int | None
    """Frames of the finished file: 24 a second and one more."""
    seed: int | None
    """The seed that was used; null until one is known."""
    generate_audio: bool
    """Whether it has sound."""
    camera_fixed: bool
    """Whether the camera was to keep still."""
    watermark: bool
    """Whether a visible mark was asked for."""
    draft: bool
    """Whether it is a draft."""
    draft_expires_at: int | None
    """Until when a full take can be made of this draft, in Unix seconds; null when none can."""
    service_tier: str
    """`default` or `flex`."""
    usage: Usage | None
    """Null until it is completed."""
    cost: Cost
    """What it costs: decimal texts. All zero for a test key's videos."""
    urls: Urls
    """Where the parts are."""
    error: VideoError | None
    """Why there is no video; null otherwise."""
    warnings: list[Notice]
    """What will not stay as it is, each with `code` and `message`: a model that the vendor is retiring. Mostly
    empty."""
    metadata: dict[str, str]
    """Your own texts."""
    remixed_from_video_id: None = None
    """Always null; OpenAI's clients expect the field."""
    livemode: bool
    """Whether a live key made it."""
    sandbox: bool
    """Whether the sandbox made it: a preview, no model's work."""
    ai_generated: Literal[True] = True
    """Always true."""


class VideoList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of videos. `last_id` is the `after` of the next one."""

    object: Literal["list"] = "list"
    data: list[Video]
    """The videos of this page."""
    first_id: str | None
    last_id: str | None
    has_more: bool


class VideoDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a delete."""

    id: str
    """The video that was deleted."""
    object: Literal["video.deleted"] = "video.deleted"
    deleted: Literal[True] = True


def video(seen: Seen, base: str, currency: str) -> Video:
    """The video object of a generation; `base` is the address in front of `/v1`, `currency` its account's."""
    order, made = seen.params, seen.output
    done = seen.state is State.COMPLETED and made is not None
    width = (made.width if done and made else None) or order.width
    height = (made.height if done and made else None) or order.height
    seconds = made.seconds if done and made and made.seconds else None
    frames = made.frames if done and made else order.frames
    length: float = order.seconds if seconds is None or frames is None else nominal_seconds(frames)
    return Video(
        id=seen.id,
        model=seen.model,
        status=PUBLIC[seen.state],
        progress=_progress(seen),
        queue_position=seen.queue_position,
        eta=eta(seen.timing),
        created_at=unix(seen.created_at),
        started_at=unix(seen.started_at) if seen.started_at else None,
        completed_at=unix(seen.finished_at) if seen.finished_at and done else None,
        expires_at=unix(seen.purge_at) if seen.purge_at else None,
        delivered_at=unix(seen.delivered_at) if seen.delivered_at else None,
        prompt=seen.prompt,
        size=f"{width}x{height}",
        seconds=f"{length:g}",
        resolution=(made.resolution if done and made else None) or order.resolution,
        ratio=(made.ratio if done and made else None) or order.ratio,
        duration=length,
        frames=frames,
        seed=made.seed if made and made.seed is not None else (order.seed if order.seed >= 0 else None),
        generate_audio=order.generate_audio,
        camera_fixed=order.camera_fixed,
        watermark=order.watermark,
        draft=order.draft,
        draft_expires_at=unix(seen.draft_until) if seen.draft_until and not seen.draft_ended_at else None,
        service_tier=order.service_tier,
        usage=Usage(made.tokens) if done and made and made.tokens is not None else None,
        cost=_cost(seen, f"{length:g}", currency),
        urls=_urls(seen, base),
        error=_error(seen),
        warnings=warnings(seen.model),
        metadata=seen.metadata,
        livemode=seen.livemode,
        sandbox=is_sandbox(seen.provider),
    )


def _progress(seen: Seen) -> int:
    """The sandbox tells its own progress; what upstreams do not tell is estimated."""
    estimated = seen.state is State.RUNNING and not is_sandbox(seen.provider)
    return progress(seen.timing, seen.progress) if estimated else seen.progress


def warnings(model: str) -> list[Notice]:
    """What the customer should know of a model before it happens."""
    ending = retirement(model, today_utc())
    return [ending.notice] if ending else []


def unix(moment: datetime) -> int:
    """Whole seconds since 1970."""
    since = moment - _EPOCH  # a third of the time of `timestamp()`
    return since.days * 86_400 + since.seconds


def _urls(seen: Seen, base: str) -> Urls:
    place = f"{base}/v1/videos/{seen.id}"
    there = seen.variants if seen.content_state in ("stored", "delivered") else []

    def link(variant: str, query: str) -> str | None:
        return f"{place}/content{query}" if variant in there else None

    return Urls(
        content=link("video", ""),
        last_frame=link("last_frame", "?variant=last_frame"),
        thumbnail=link("thumbnail", "?variant=thumbnail"),
        events=f"{place}/events",
    )


def _error(seen: Seen) -> VideoError | None:
    code = "canceled" if seen.state is State.CANCELED else seen.error_code
    if code is None:
        return None
    policy = FAILURES[code]
    return VideoError(code, seen.error_message or policy.meaning, policy.payer, policy.retry, policy.advice)


def _cost(seen: Seen, seconds: str, currency: str) -> Cost:
    hold = seen.hold
    if hold is None:
        free = _FREE_DONE if seen.finished_at else _FREE
        return free if free.currency == currency else msgspec.structs.replace(free, currency=currency)
    charged = 0 if hold.state is HoldState.RELEASED else hold.charged
    return Cost(
        currency=hold.currency,
        price_version=hold.price_version,
        price_per_million_tokens=format_amount(hold.rate),
        quoted=format_amount(hold.quoted),
        hold=format_amount(hold.amount),
        charged=None if charged is None else format_amount(charged),
        released=None if charged is None else format_amount(hold.amount - charged),
        refunded=format_amount(hold.refunded),
        waived=format_amount(hold.waived),
        reason=hold.reason,
        usage=None if hold.tokens is None else CostUsage(hold.tokens, hold.resolution or "", seconds),
    )


NOTHING = format_amount(0)
_FREE = Cost(
    currency="USD", price_version=None, price_per_million_tokens=None, quoted=NOTHING, hold=NOTHING, charged=None,
    released=None, refunded=NOTHING, waived=NOTHING, reason=None, usage=None,
)  # fmt: skip
_FREE_DONE = msgspec.structs.replace(_FREE, charged=NOTHING, released=NOTHING)
