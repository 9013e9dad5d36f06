"""What the service answers with."""

from __future__ import annotations

import msgspec

from seedance.answer import Answer
from seedance.money import Cost, QuoteCost


class VideoError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a video failed. `payer` is nobody or operator; `retry` is whether it is safe and useful to make it again."""

    code: str = "unknown"
    message: str = ""
    payer: str | None = None
    retry: bool | None = None
    advice: str | None = None


class VideoUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a completed video consumed."""

    total_tokens: int | None = None


class VideoURLs(msgspec.Struct, frozen=True, kw_only=True):
    """Where a video's files and events are; a key is needed to read them."""

    content: str | None = None
    last_frame: str | None = None
    thumbnail: str | None = None
    events: str | None = None


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something that will not stay as it is: the code `model_retiring` tells of a model that the vendor ends."""

    code: str = "unknown"
    message: str = ""


class Video(Answer, frozen=True, kw_only=True):
    """A video, asked for or made. `status` is queued, in_progress, completed, failed or canceled.

    `queue_position`, `eta` (Unix seconds) and mostly `progress` are estimates, None where there is none to give.
    """

    id: str
    status: str
    object: str = "video"
    model: str = ""
    progress: int | float = 0
    queue_position: int | None = None
    eta: int | None = None
    created_at: int | None = None
    started_at: int | None = None
    completed_at: int | None = None
    expires_at: int | None = None
    delivered_at: int | None = None
    prompt: str | None = None
    size: str | None = None
    seconds: str | None = None
    resolution: str | None = None
    ratio: str | None = None
    duration: int | float | None = None
    seed: int | None = None
    generate_audio: bool | None = None
    draft: bool | None = None
    draft_expires_at: int | None = None
    usage: VideoUsage | None = None
    cost: Cost | None = None
    urls: VideoURLs = VideoURLs()
    error: VideoError | None = None
    warnings: tuple[Notice, ...] = ()
    metadata: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    livemode: bool | None = None
    sandbox: bool | None = None
    ai_generated: bool | None = None

    @property
    def standing(self) -> tuple[str, float, int | None]:
        """What a waiting person wants to hear of: status, progress, place in the queue."""
        return self.status, self.progress, self.queue_position

    @property
    def final(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in {"completed", "failed", "canceled"}


class ContentLink(Answer, frozen=True, kw_only=True):
    """An address of one file of a video, good until `expires_at`. Whoever has it can read the file without a key."""

    url: str
    object: str = "content_link"
    variant: str = "video"
    expires_at: int | None = None


class VideoEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a video's state, progress or place in the queue: `type` is video.queued, video.in_progress, …"""

    type: str
    video: Video
    id: str | None = None


class QuoteTokens(msgspec.Struct, frozen=True, kw_only=True):
    """How many tokens a video would take."""

    expected: int | None = None
    most: int | None = None


class Quote(Answer, frozen=True, kw_only=True):
    """What a video would take; nothing was created."""

    object: str = "quote"
    model: str = ""
    mode: str | None = None
    size: str | None = None
    seconds: str | None = None
    resolution: str | None = None
    ratio: str | None = None
    tokens: QuoteTokens | None = None
    cost: QuoteCost | None = None
    warnings: tuple[Notice, ...] = ()
    livemode: bool | None = None
    sandbox: bool | None = None


class Verification(Answer, frozen=True, kw_only=True):
    """What the service knows of a file. `ai_generated` is True or None: a missing mark proves nothing.

    `basis` names signature, fingerprint or both where the file is `ours`; `integrity` is untouched, changed or unknown.
    """

    ours: bool
    object: str = "verification"
    basis: tuple[str, ...] = ()
    ai_generated: bool | None = None
    mark: str = "none_found"
    integrity: str = "unknown"
    model: str | None = None
    sandbox: bool | None = None
    source_type: str | None = None
    content_id: str | None = None
    signed_by: str | None = None
    marked_at: int | None = None
    time_stamped: bool = False
    sha256: str | None = None
    bytes: int | None = None
    codes: tuple[str, ...] = ()
    message: str = ""


class File(Answer, frozen=True, kw_only=True):
    """Reference media kept by the service."""

    id: str
    object: str = "file"
    kind: str | None = None
    media_type: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    sha256: str | None = None
    created_at: int | None = None
    expires_at: int | None = None


class Model(Answer, frozen=True, kw_only=True):
    """A model and, in `extra`, what it takes."""

    id: str
    object: str = "model"


class Deleted(Answer, frozen=True, kw_only=True):
    """The answer to a deletion."""

    id: str
    object: str = ""
    deleted: bool = True


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """A finished download; `path` is None when it went into a file object.

    `verified` is whether the service told its digest; a file that has another is no finished download. `video` is the
    video as it is since the service was told that it is here; None if it was not told.
    """

    path: str | None
    bytes: int
    sha256: str | None = None
    verified: bool = False
    video: Video | None = None
