"""What each model can do, as data.

Sources, as read in October and November 2026: Volcengine 82379 and ModelArk 1520757 (create: parameters), 2291680
(Seedance 2.0), 2607688 (Seedance 2.5).
"""

import msgspec

from seedance_api.catalog.capabilities import Capabilities, Draft, Durations, Frames, ModeRules, References, Seed
from seedance_api.catalog.order import Mode, TaskType
from seedance_api.catalog.pixels import ADAPTIVE, NEUTRAL, RATIOS

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

CAPABILITIES_2_5 = Capabilities(
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
CAPABILITIES_2_0 = Capabilities(
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
CAPABILITIES_2_0_SMALL = msgspec.structs.replace(
    CAPABILITIES_2_0, modes=_modes_2_0(_TO_720P), resolutions=_TO_720P, ten_bit_hevc=()
)
CAPABILITIES_1_5 = Capabilities(
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
CAPABILITIES_1_0_PRO = Capabilities(
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
CAPABILITIES_1_0_PRO_FAST = msgspec.structs.replace(CAPABILITIES_1_0_PRO, modes=(_TEXT_1_0, _FIRST_FRAME_1_0))
CAPABILITIES_LITE = msgspec.structs.replace(
    CAPABILITIES_1_0_PRO,
    modes=_MODES_LITE,
    references=References(images=4, total=4),
    default_resolution="720p",
    ratios=(*_LITE_RATIOS, ADAPTIVE),
)
