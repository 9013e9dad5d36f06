"""What a model can do and what it takes in: data that the checks, `GET /v1/models` and the docs read."""

from datetime import date, datetime
from enum import StrEnum
from typing import Literal

import msgspec

from seedance_api.catalog.limits import InputLimits
from seedance_api.catalog.order import Mode, TaskType

Pixels = dict[str, dict[str, tuple[int, int]]]
"""Resolution → ratio → (width, height)."""


class State(StrEnum):
    """Where a model is in its life: offered, leaving at least one cloud, or gone from both."""

    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"


class Seed(StrEnum):
    """How far `seed` can be relied on: documented, seen to be accepted, or neither shown nor denied."""

    DOCUMENTED = "documented"
    ACCEPTED = "accepted"
    UNPROVEN = "unproven"


class Cloud(msgspec.Struct, frozen=True, kw_only=True):
    """One of the vendor's two clouds: the ids it sells the model under and when that ends."""

    cloud: Literal["volcengine", "byteplus"]
    ids: tuple[str, ...]
    ends_at: datetime | None = None


class ModeRules(msgspec.Struct, frozen=True, kw_only=True):
    """What changes with the way the inputs are used."""

    mode: Mode
    resolutions: tuple[str, ...]
    ratios: tuple[str, ...]
    default_ratio: str
    camera_fixed: bool


class References(msgspec.Struct, frozen=True, kw_only=True):
    """How many references of each kind; `audio_alone` says whether sound may come without a picture."""

    images: int
    """Most images with the role `reference`."""
    videos: int = 0
    """Most videos."""
    audios: int = 0
    """Most sounds."""
    total: int
    """Most of all together."""
    audio_alone: bool = False
    """Whether sounds may come without an image or a video."""


class Durations(msgspec.Struct, frozen=True, kw_only=True):
    """Whole seconds. `auto` says whether -1 (the model decides) is taken, `typical` what to expect of it."""

    least: int
    """The shortest, in seconds."""
    most: int
    """The longest."""
    default: int
    """What it is when left out."""
    auto: bool
    """Whether -1 is taken: the model decides."""
    typical: int = 5
    """What a quote expects of -1."""

    def take(self, seconds: int) -> bool:
        """Whether this duration may be asked for."""
        return (self.auto and seconds == -1) or self.least <= seconds <= self.most


class Frames(msgspec.Struct, frozen=True, kw_only=True):
    """An exact number of frames, counted from `least` in steps."""

    least: int = 29
    """The fewest."""
    most: int = 289
    """The most."""
    step: int = 4
    """The step between them."""

    def take(self, frames: int) -> bool:
        """Whether this number of frames may be asked for."""
        return self.least <= frames <= self.most and (frames - self.least) % self.step == 0


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A cheap first look and the full-quality take that follows it.

    `final_repeats` says whether the final may repeat the draft's own parameters, if equal.
    """

    resolution: str = "480p"
    """What a draft is made in."""
    last_frame: bool
    """Whether a draft has a last frame."""
    service_tiers: tuple[str, ...] = ("default",)
    """The tiers of a draft."""
    audio_percent: int
    """Tokens of a draft with sound, in per cent of the usual."""
    silent_percent: int
    """The same without sound."""
    final_resolutions: tuple[str, ...]
    """What the final take can be made in."""
    final_default_resolution: str
    """What it is made in when left out."""
    final_repeats: bool
    """Whether the final take may repeat the draft's parameters, if they are equal."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """The vendor's capability matrix, one model's column."""

    modes: tuple[ModeRules, ...]
    """The ways to use inputs: `mode`, its `resolutions`, `ratios`, `default_ratio`, and whether it takes
    `camera_fixed`."""
    references: References | None
    resolutions: tuple[str, ...]
    """What `resolution` takes."""
    default_resolution: str
    """What it is when left out."""
    ratios: tuple[str, ...]
    """What `ratio` takes in one mode or another."""
    duration: Durations
    frames: Frames | None
    audio: bool
    """Whether it can make sound."""
    seed: Seed
    """How far `seed` can be relied on: `documented`, `accepted` or `unproven`."""
    camera_fixed: bool
    """Whether the camera can be kept still."""
    draft: Draft | None
    service_tiers: tuple[str, ...]
    """What `service_tier` takes."""
    task_types: tuple[TaskType, ...]
    """What `task_type` takes."""
    ten_bit_hevc: tuple[str, ...]
    """The resolutions that come as 10-bit HEVC from the vendor."""


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the catalogue."""

    name: str
    dated: date
    clouds: tuple[Cloud, ...]
    replacement: str | None = None
    capabilities: Capabilities
    limits: InputLimits
    pixels: Pixels

    @property
    def aliases(self) -> tuple[str, ...]:
        """Every id the vendor gives it."""
        return tuple(alias for cloud in self.clouds for alias in cloud.ids)

    def state(self, today: date) -> State:
        """Where it is in its life on this day. The day on which a cloud stops already counts as stopped."""
        if all(cloud.ends_at is not None and cloud.ends_at.date() <= today for cloud in self.clouds):
            return State.RETIRED
        if any(cloud.ends_at is not None for cloud in self.clouds):
            return State.RETIRING
        return State.ACTIVE

    def takes(self, mode: Mode) -> bool:
        """Whether the inputs may be used in this way."""
        return any(rules.mode is mode for rules in self.capabilities.modes)

    def rules(self, mode: Mode | None) -> ModeRules | None:
        """The rules of a mode; None where there is none to speak of."""
        return next((rules for rules in self.capabilities.modes if rules.mode is mode), None)
