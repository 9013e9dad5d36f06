"""Pixel sizes: what a resolution and a ratio come to, and which of them an image or a size stands for.

Source: ModelArk 1520757 (create a video generation task), `ratio` and `resolution`; several were confirmed on
the live service.
"""

import re
from fractions import Fraction

from seedance_api.catalog.capabilities import Model, Pixels

RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
ADAPTIVE = "adaptive"
NEUTRAL = "16:9"
"""What `adaptive` comes to when nothing hints at a shape; seen on 2.0 with a neutral prompt."""

OPENAI_SIZES = ("1280x720", "720x1280", "1792x1024", "1024x1792")
"""The sizes OpenAI's SDKs name; each maps to the nearest entry of the model's table."""


def _row(*sizes: tuple[int, int], ratios: tuple[str, ...] = RATIOS) -> dict[str, tuple[int, int]]:
    return dict(zip(ratios, sizes, strict=True))


# Columns:          16:9          4:3           1:1           3:4           9:16          21:9
_480P_OLD = _row((864, 480), (736, 544), (640, 640), (544, 736), (480, 864), (960, 416))
_720P_OLD = _row((1248, 704), (1120, 832), (960, 960), (832, 1120), (704, 1248), (1504, 640))
_1080P_OLD = _row((1920, 1088), (1664, 1248), (1440, 1440), (1248, 1664), (1088, 1920), (2176, 928))
_480P = _row((864, 496), (752, 560), (640, 640), (560, 752), (496, 864), (992, 432))
_480P_25 = _row((854, 480), (752, 560), (640, 640), (560, 752), (480, 854), (992, 432))
_720P = _row((1280, 720), (1112, 834), (960, 960), (834, 1112), (720, 1280), (1470, 630))
_1080P = _row((1920, 1080), (1664, 1248), (1440, 1440), (1248, 1664), (1080, 1920), (2206, 946))
_4K = _row((3840, 2160), (3326, 2494), (2880, 2880), (2494, 3326), (2160, 3840), (4398, 1886))

PIXELS_1_0: Pixels = {"480p": _480P_OLD, "720p": _720P_OLD, "1080p": _1080P_OLD}
PIXELS_LITE: Pixels = {
    "480p": _480P_OLD | {"9:21": (416, 960)},
    "720p": _720P_OLD | {"9:21": (640, 1504)},
    "1080p": _1080P_OLD | {"9:21": (928, 2176)},
}
PIXELS_1_5: Pixels = {"480p": _480P, "720p": _720P, "1080p": _1080P}
PIXELS_2_0: Pixels = {"480p": _480P, "720p": _720P, "1080p": _1080P, "4k": _4K}
PIXELS_2_0_SMALL: Pixels = {"480p": _480P, "720p": _720P}
PIXELS_2_5: Pixels = {"480p": _480P_25, "720p": _720P, "1080p": _1080P}


def size(model: Model, resolution: str, ratio: str) -> tuple[int, int]:
    """Width and height of the output. `adaptive` has none of its own: settle it by `nearest_ratio` first."""
    return model.pixels[resolution][ratio]


def nearest_ratio(model: Model, resolution: str, width: int, height: int) -> str:
    """The ratio of the table whose shape is closest to the given one, measured by their quotient."""
    shape = Fraction(width, height)
    table = model.pixels[resolution]
    return min(table, key=lambda ratio: _distance(shape, Fraction(*table[ratio])))


def largest_area(model: Model, resolution: str) -> int:
    """The most pixels that any ratio of this resolution has."""
    return max(width * height for width, height in model.pixels[resolution].values())


def from_size(model: Model, text: str, resolutions: tuple[str, ...]) -> tuple[str, str] | None:
    """The resolution and ratio that a size such as `1280x720` stands for; None if it is not one we take."""
    match = re.fullmatch(r"([0-9]{2,5})[xX×]([0-9]{2,5})", text.strip())
    if match is None:
        return None
    asked = (int(match[1]), int(match[2]))
    for resolution, table in model.pixels.items():
        for ratio, entry in table.items():
            if entry == asked:
                return resolution, ratio
    if "{}x{}".format(*asked) not in OPENAI_SIZES:
        return None
    width, height = asked
    resolution = min(resolutions, key=lambda name: _distance(_area(asked), _area(model.pixels[name][NEUTRAL])))
    return resolution, nearest_ratio(model, resolution, width, height)


def sizes(model: Model, resolutions: tuple[str, ...]) -> tuple[str, ...]:
    """Every size that may be asked for, as text."""
    table = [f"{w}x{h}" for name in resolutions for w, h in model.pixels[name].values()]
    return (*table, *(openai for openai in OPENAI_SIZES if openai not in table))


def _area(entry: tuple[int, int]) -> Fraction:
    return Fraction(entry[0] * entry[1])


def _distance(one: Fraction, other: Fraction) -> Fraction:
    return max(one / other, other / one)
