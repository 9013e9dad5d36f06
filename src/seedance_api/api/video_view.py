"""What customers see of a generation: the video object, OpenAI's fields and more."""

from typing import Literal

import msgspec

from seedance_api.catalog.retirement import Notice


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
