"""What each model takes: the capability matrix, the ids on both clouds, the limits of concurrency."""

from dataclasses import dataclass

_ALWAYS = frozenset(
    {
        "model", "content", "callback_url", "return_last_frame", "service_tier", "execution_expires_after",
        "generate_audio", "draft", "watermark", "seed", "resolution", "ratio", "duration", "safety_identifier",
    }
)  # fmt: skip
KNOWN = _ALWAYS | {"priority", "camera_fixed", "frames", "tools", "output_format", "omni_reference_task_type"}
"""The fields that the API knows. Any other is ignored."""

RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive", "5:4")


@dataclass(frozen=True, slots=True)
class Model:
    """One model."""

    family: str
    ids: tuple[str, str]
    """On Volcengine, on BytePlus."""
    modes: frozenset[str]
    resolutions: tuple[str, ...]
    default_resolution: str
    shortest: int
    longest: int
    default_seconds: int
    fields: frozenset[str]
    seconds_per_second: float
    """How long one second of video takes to make, about."""
    decides: bool = True
    """Takes a duration of −1."""
    audio: bool = True
    images: int = 0
    videos: int = 0
    audios: int = 0
    audio_alone: bool = False
    flex: bool = False
    draft: bool = False
    ratios: tuple[str, ...] = RATIOS
    rpm: int = 600
    concurrency: int = 10

    @property
    def is_second(self) -> bool:
        """Of the second generation, which is the only one that takes references of all kinds."""
        return self.family.startswith("2")

    @property
    def is_first(self) -> bool:
        """Of the first generation proper, without audio."""
        return self.family.startswith("1.0")


_FRAMES = frozenset({"t2v", "i2v", "flf2v"})
_SECOND = _ALWAYS | {"priority", "tools"}
_FIRST = _ALWAYS | {"priority", "camera_fixed", "frames"}
_THREE = ("480p", "720p", "1080p")


def _both(name: str, beginning: str) -> tuple[str, str]:
    return f"doubao-seedance-{name}", f"{beginning}seedance-{name}"


def _second(family: str, name: str, resolutions: tuple[str, ...], pace: float) -> Model:
    return Model(
        family=family, ids=_both(name, "dreamina-"), modes=_FRAMES | {"r2v"}, resolutions=resolutions,
        default_resolution="720p", shortest=4, longest=15, default_seconds=5, fields=_SECOND,
        seconds_per_second=pace, images=9, videos=3, audios=3, ratios=(*RATIOS, "1.91:1"),
    )  # fmt: skip


def _first(family: str, name: str, modes: frozenset[str], default_resolution: str, rpm: int, concurrency: int) -> Model:
    is_lite = family.startswith("1.0 lite")
    return Model(
        family=family, ids=_both(name, ""), modes=modes, resolutions=_THREE, default_resolution=default_resolution,
        shortest=2, longest=12, default_seconds=5, fields=_FIRST, seconds_per_second=8, decides=False, audio=False,
        images=4 if "r2v" in modes else 0, flex=True, rpm=rpm, concurrency=concurrency,
        ratios=(*RATIOS, "9:21") if is_lite else (*RATIOS, "3:2") if family == "1.0 pro" else RATIOS,
    )  # fmt: skip


MODELS = (
    Model(
        family="2.5", ids=_both("2-5-260628", "dreamina-"), modes=_FRAMES | {"r2v"}, resolutions=_THREE,
        default_resolution="720p", shortest=4, longest=30, default_seconds=-1,
        fields=_SECOND | {"output_format", "omni_reference_task_type"}, seconds_per_second=28,
        images=30, videos=10, audios=10, audio_alone=True, draft=True,
    ),
    _second("2.0", "2-0-260128", ("480p", "720p", "1080p", "4k"), 24),
    _second("2.0 fast", "2-0-fast-260128", ("480p", "720p"), 22),
    _second("2.0 mini", "2-0-mini-260615", ("480p", "720p"), 26),
    Model(
        family="1.5", ids=_both("1-5-pro-251215", ""), modes=_FRAMES, resolutions=_THREE, default_resolution="720p",
        shortest=4, longest=12, default_seconds=5, fields=_ALWAYS | {"camera_fixed"}, seconds_per_second=15,
        flex=True, draft=True,
    ),
    _first("1.0 pro", "1-0-pro-250528", _FRAMES, "1080p", 600, 10),
    _first("1.0 pro fast", "1-0-pro-fast-251015", frozenset({"t2v", "i2v"}), "1080p", 600, 10),
    _first("1.0 lite t2v", "1-0-lite-t2v-250428", frozenset({"t2v"}), "720p", 300, 5),
    _first("1.0 lite i2v", "1-0-lite-i2v-250428", frozenset({"i2v", "flf2v", "r2v"}), "720p", 300, 5),
)  # fmt: skip

BY_ID = {model_id: model for model in MODELS for model_id in model.ids}


def limits(model: Model, resolution: str, *, individual: bool) -> tuple[int, int]:
    """Requests a minute, and generations at a time."""
    if resolution == "4k":
        return 15, 1
    if individual and model.is_second:
        return 180, 3
    return model.rpm, model.concurrency
