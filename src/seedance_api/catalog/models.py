"""The Seedance models: names, ids, lifecycle, capabilities and input limits, as data.

Sources, as read in October and November 2026: Volcengine 82379 and ModelArk 1520757 (create: parameters,
input limits), 1330310 (model list), 1350667 (retirement), 2291680 (Seedance 2.0), 2607688 (Seedance 2.5).
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone

import msgspec

from seedance_api.catalog import pixels
from seedance_api.catalog.capabilities import (
    Capabilities,
    Cloud,
    Draft,
    Durations,
    Frames,
    Model,
    ModeRules,
    References,
    Seed,
    State,
)
from seedance_api.catalog.limits import INPUT_1_0, INPUT_1_5, INPUT_2_0, INPUT_2_5, InputLimits
from seedance_api.catalog.order import Mode, TaskType
from seedance_api.catalog.pixels import ADAPTIVE, NEUTRAL, RATIOS

DEFAULT = "seedance-2.0-mini"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True):
    """A model's state today and the dates behind it."""

    state: State
    """`active`, `retiring` (it ends on at least one cloud) or `retired` (refused)."""
    clouds: tuple[Cloud, ...]
    """The vendor's two clouds, each with its `ids` and `ends_at`."""
    replacement: str | None
    """The model to move to, if the vendor named one."""


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """A model as the public sees it: OpenAI's model object and everything else we know."""

    id: str
    """The model's name."""
    object: str = "model"
    created: int
    """The date in the vendor's ids, in Unix seconds."""
    owned_by: str = "bytedance"
    """Always `bytedance`."""
    default: bool
    """Whether it is used when a request names no model."""
    aliases: tuple[str, ...]
    """The vendor's ids, accepted in `model`."""
    lifecycle: Lifecycle
    capabilities: Capabilities
    limits: InputLimits
    sizes: dict[str, dict[str, str]]
    """Width and height in pixels, by resolution and ratio."""


def quoted(name: str) -> str:
    """A name that somebody gave for a model, to be told back where it looks like one; else nothing."""
    return f" `{name}`" if _NAME.fullmatch(name) else ""


def find(name: str) -> Model | None:
    """The model of this name, ours or the vendor's."""
    return _BY_NAME.get(name)


def today_utc() -> date:
    """The day it is now."""
    return datetime.now(UTC).date()


def view(model: Model, *, today: date | None = None) -> ModelView:
    """Everything `GET /v1/models` tells of a model."""
    created = datetime(model.dated.year, model.dated.month, model.dated.day, tzinfo=UTC)
    return ModelView(
        id=model.name,
        created=int(created.timestamp()),
        default=model.name == DEFAULT,
        aliases=model.aliases,
        lifecycle=Lifecycle(
            state=model.state(today or today_utc()), clouds=model.clouds, replacement=model.replacement
        ),
        capabilities=model.capabilities,
        limits=model.limits,
        sizes={
            resolution: {ratio: f"{width}x{height}" for ratio, (width, height) in table.items()}
            for resolution, table in model.pixels.items()
        },
    )


# Resolutions and ratios

_TO_720P = ("480p", "720p")
_TO_1080P = ("480p", "720p", "1080p")
_TO_4K = ("480p", "720p", "1080p", "4k")
_WITH_ADAPTIVE = (*RATIOS, ADAPTIVE)
_LITE_RATIOS = (*RATIOS, "9:21")

# Modes. 2.0 and 1.5 take every ratio everywhere; 1.0 has no `adaptive` without image; 2.5 follows it.


def _mode(
    mode: Mode,
    resolutions: tuple[str, ...],
    ratios: tuple[str, ...] = _WITH_ADAPTIVE,
    default_ratio: str = ADAPTIVE,
    *,
    camera_fixed: bool = False,
) -> ModeRules:
    return ModeRules(
        mode=mode,
        resolutions=resolutions,
        ratios=ratios,
        default_ratio=default_ratio,
        camera_fixed=camera_fixed,
    )


_MODES_2_5 = (
    _mode(Mode.TEXT, _TO_1080P),
    # An explicit ratio with a frame is a 400 TaskTypeConstraint on the live service.
    _mode(Mode.FIRST_FRAME, _TO_1080P, (ADAPTIVE,)),
    _mode(Mode.FIRST_LAST, _TO_1080P, (ADAPTIVE,)),
    _mode(Mode.REFERENCE, _TO_1080P),
)


def _modes_2_0(resolutions: tuple[str, ...]) -> tuple[ModeRules, ...]:
    modes = (Mode.TEXT, Mode.FIRST_FRAME, Mode.FIRST_LAST, Mode.REFERENCE)
    return tuple(_mode(mode, resolutions) for mode in modes)


_MODES_1_5 = tuple(_mode(mode, _TO_1080P, camera_fixed=True) for mode in (Mode.TEXT, Mode.FIRST_FRAME, Mode.FIRST_LAST))
_TEXT_1_0 = _mode(Mode.TEXT, _TO_1080P, RATIOS, NEUTRAL, camera_fixed=True)
_FIRST_FRAME_1_0 = _mode(Mode.FIRST_FRAME, _TO_1080P, camera_fixed=True)
_FIRST_LAST_1_0 = _mode(Mode.FIRST_LAST, _TO_1080P, camera_fixed=True)
_MODES_LITE = (
    _mode(Mode.TEXT, _TO_1080P, _LITE_RATIOS, NEUTRAL, camera_fixed=True),
    _mode(Mode.FIRST_FRAME, _TO_1080P, (*_LITE_RATIOS, ADAPTIVE), camera_fixed=True),
    _mode(Mode.FIRST_LAST, _TO_1080P, (*_LITE_RATIOS, ADAPTIVE), camera_fixed=True),
    _mode(Mode.REFERENCE, _TO_720P, _LITE_RATIOS, NEUTRAL),
)

# Capabilities

_AUTO_ONLY = (TaskType.AUTO,)

_CAPABILITIES_2_5 = Capabilities(
    modes=_MODES_2_5,
    references=References(images=30, videos=10, audios=10, total=50, audio_alone=True),
    resolutions=_TO_1080P,
    default_resolution="720p",
    ratios=_WITH_ADAPTIVE,
    duration=Durations(least=4, most=30, default=-1, auto=True),
    frames=None,
    audio=True,
    seed=Seed.UNPROVEN,
    camera_fixed=False,
    draft=Draft(
        last_frame=True,
        audio_percent=100,
        silent_percent=100,
        final_resolutions=("1080p",),
        final_default_resolution="1080p",
        final_repeats=False,
    ),
    service_tiers=("default",),
    task_types=tuple(TaskType),
    ten_bit_hevc=("1080p",),
)
_CAPABILITIES_2_0 = Capabilities(
    modes=_modes_2_0(_TO_4K),
    references=References(images=9, videos=3, audios=3, total=15),
    resolutions=_TO_4K,
    default_resolution="720p",
    ratios=_WITH_ADAPTIVE,
    duration=Durations(least=4, most=15, default=5, auto=True),
    frames=None,
    audio=True,
    seed=Seed.ACCEPTED,
    camera_fixed=False,
    draft=None,
    service_tiers=("default",),
    task_types=_AUTO_ONLY,
    ten_bit_hevc=("4k",),
)
_CAPABILITIES_2_0_SMALL = msgspec.structs.replace(
    _CAPABILITIES_2_0, modes=_modes_2_0(_TO_720P), resolutions=_TO_720P, ten_bit_hevc=()
)
_CAPABILITIES_1_5 = Capabilities(
    modes=_MODES_1_5,
    references=None,
    resolutions=_TO_1080P,
    default_resolution="720p",
    ratios=_WITH_ADAPTIVE,
    duration=Durations(least=4, most=12, default=5, auto=True),
    frames=None,
    audio=True,
    seed=Seed.DOCUMENTED,
    camera_fixed=True,
    draft=Draft(
        last_frame=False,
        audio_percent=60,
        silent_percent=70,
        final_resolutions=_TO_1080P,
        final_default_resolution="720p",
        final_repeats=True,
    ),
    service_tiers=("default", "flex"),
    task_types=_AUTO_ONLY,
    ten_bit_hevc=(),
)
_CAPABILITIES_1_0_PRO = Capabilities(
    modes=(_TEXT_1_0, _FIRST_FRAME_1_0, _FIRST_LAST_1_0),
    references=None,
    resolutions=_TO_1080P,
    default_resolution="1080p",
    ratios=_WITH_ADAPTIVE,
    duration=Durations(least=2, most=12, default=5, auto=False),
    frames=Frames(),
    audio=False,
    seed=Seed.DOCUMENTED,
    camera_fixed=True,
    draft=None,
    service_tiers=("default", "flex"),
    task_types=_AUTO_ONLY,
    ten_bit_hevc=(),
)
_CAPABILITIES_1_0_PRO_FAST = msgspec.structs.replace(_CAPABILITIES_1_0_PRO, modes=(_TEXT_1_0, _FIRST_FRAME_1_0))
_CAPABILITIES_LITE = msgspec.structs.replace(
    _CAPABILITIES_1_0_PRO,
    modes=_MODES_LITE,
    references=References(images=4, total=4),
    default_resolution="720p",
    ratios=(*_LITE_RATIOS, ADAPTIVE),
)

# Models, newest first. The vendor announces ends in Beijing time.

_BEIJING = timezone(timedelta(hours=8))


def _clouds(
    volcengine: tuple[str, ...],
    byteplus: tuple[str, ...],
    volcengine_ends_at: datetime | None = None,
    byteplus_ends_at: datetime | None = None,
) -> tuple[Cloud, ...]:
    return (
        Cloud(cloud="volcengine", ids=volcengine, ends_at=_utc(volcengine_ends_at)),
        Cloud(cloud="byteplus", ids=byteplus, ends_at=_utc(byteplus_ends_at)),
    )


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment else None


MODELS: tuple[Model, ...] = (
    Model(
        name="seedance-2.5",
        dated=date(2026, 6, 28),
        clouds=_clouds(("doubao-seedance-2-5-260628",), ("dreamina-seedance-2-5-260628",)),
        capabilities=_CAPABILITIES_2_5,
        limits=INPUT_2_5,
        pixels=pixels.PIXELS_2_5,
    ),
    Model(
        name="seedance-2.0",
        dated=date(2026, 1, 28),
        clouds=_clouds(("doubao-seedance-2-0-260128",), ("dreamina-seedance-2-0-260128",)),
        capabilities=_CAPABILITIES_2_0,
        limits=INPUT_2_0,
        pixels=pixels.PIXELS_2_0,
    ),
    Model(
        name="seedance-2.0-fast",
        dated=date(2026, 1, 28),
        clouds=_clouds(("doubao-seedance-2-0-fast-260128",), ("dreamina-seedance-2-0-fast-260128",)),
        capabilities=_CAPABILITIES_2_0_SMALL,
        limits=INPUT_2_0,
        pixels=pixels.PIXELS_2_0_SMALL,
    ),
    Model(
        name="seedance-2.0-mini",
        dated=date(2026, 6, 15),
        clouds=_clouds(("doubao-seedance-2-0-mini-260615",), ("dreamina-seedance-2-0-mini-260615",)),
        capabilities=_CAPABILITIES_2_0_SMALL,
        limits=INPUT_2_0,
        pixels=pixels.PIXELS_2_0_SMALL,
    ),
    Model(
        name="seedance-1.5-pro",
        dated=date(2025, 12, 15),
        clouds=_clouds(
            ("doubao-seedance-1-5-pro-251215",),
            ("seedance-1-5-pro-251215",),
            datetime(2026, 9, 21, 14, tzinfo=_BEIJING),
            datetime(2026, 11, 11, 17, tzinfo=_BEIJING),
        ),
        replacement=DEFAULT,
        capabilities=_CAPABILITIES_1_5,
        limits=INPUT_1_5,
        pixels=pixels.PIXELS_1_5,
    ),
    Model(
        name="seedance-1.0-pro",
        dated=date(2025, 5, 28),
        clouds=_clouds(
            ("doubao-seedance-1-0-pro-250528",),
            ("seedance-1-0-pro-250528",),
            datetime(2026, 11, 24, 14, tzinfo=_BEIJING),
        ),
        replacement=DEFAULT,
        capabilities=_CAPABILITIES_1_0_PRO,
        limits=INPUT_1_0,
        pixels=pixels.PIXELS_1_0,
    ),
    Model(
        name="seedance-1.0-pro-fast",
        dated=date(2025, 10, 15),
        clouds=_clouds(
            ("doubao-seedance-1-0-pro-fast-251015",),
            ("seedance-1-0-pro-fast-251015",),
            datetime(2026, 11, 24, 14, tzinfo=_BEIJING),
        ),
        replacement=DEFAULT,
        capabilities=_CAPABILITIES_1_0_PRO_FAST,
        limits=INPUT_1_0,
        pixels=pixels.PIXELS_1_0,
    ),
    Model(
        name="seedance-1.0-lite",
        dated=date(2025, 4, 28),
        clouds=_clouds(
            ("doubao-seedance-1-0-lite-t2v-250428", "doubao-seedance-1-0-lite-i2v-250428"),
            ("seedance-1-0-lite-t2v-250428", "seedance-1-0-lite-i2v-250428"),
            datetime(2026, 5, 11, 14, tzinfo=_BEIJING),
            # No date was announced; the id answered 404 on this day.
            datetime(2026, 9, 2, 14, tzinfo=_BEIJING),
        ),
        replacement=DEFAULT,
        capabilities=_CAPABILITIES_LITE,
        limits=INPUT_1_0,
        pixels=pixels.PIXELS_LITE,
    ),
)

_BY_NAME = {name: model for model in MODELS for name in (model.name, *model.aliases)}
