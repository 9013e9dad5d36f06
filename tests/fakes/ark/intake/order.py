"""What a create has asked for, read and checked."""

from dataclasses import dataclass, field

from fakes.ark.models import Model
from fakes.ark.moderation import Spell


@dataclass(slots=True)
class Medium:
    """One reference."""

    path: str
    """Where it stands in the body: `content[1].image_url`."""
    kind: str
    """image, video or audio."""
    role: str
    url: str


@dataclass(slots=True)
class Content:
    """The content's parts."""

    prompt: str = ""
    flags: dict[str, str] = field(default_factory=dict[str, str])
    flags_at: int = 0
    media: list[Medium] = field(default_factory=list[Medium])
    draft_id: str | None = None
    spell: Spell = field(default_factory=Spell)

    def count(self, kind: str) -> int:
        """How many references of a kind there are."""
        return sum(1 for medium in self.media if medium.kind == kind)


@dataclass(slots=True)
class Order:
    """A create that is accepted. `ratio` may be adaptive, `seconds` −1: what becomes of them is the plan's matter."""

    model: Model
    model_id: str
    asked_model: str
    content: Content
    mode: str
    resolution: str
    ratio: str
    seconds: int
    frames: int | None
    seed: int
    generate_audio: bool
    watermark: bool
    return_last_frame: bool
    draft: bool
    service_tier: str
    expires_after: int
    priority: int
    web_search: bool
    output_format: str
    task_type: str
    fixes_ratio: bool
    """The caller named a ratio other than adaptive."""
    fixes_seconds: bool
    """The caller named a number of seconds."""
    callback_url: str | None = None
    safety_identifier: str | None = None
    draft_task_id: str | None = None
