"""What customers see of a generation: the video object, OpenAI's fields and more."""

from datetime import UTC, datetime

import msgspec

from seedance_api.api.video_view import Cost, CostUsage, Urls, Usage, Video, VideoError
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
