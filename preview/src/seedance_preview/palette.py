"""Palettes: which colours a prompt and a seed are painted in."""

import re
from dataclasses import dataclass

import numpy as np

Color = tuple[float, float, float]
"""Y, U, V of BT.709 in limited range, on the 8-bit scale."""


@dataclass(frozen=True)
class Palette:
    """Colours of one mood: the sky from the zenith down, lights, and the ground from far to near."""

    name: str
    sky: tuple[Color, ...]
    lights: tuple[Color, ...]
    ground: tuple[Color, Color]


def choose_palette(prompt: str, draw: np.random.Generator) -> Palette:
    """Pick the palette whose words the prompt mentions first, else any."""
    any_name = _NAMES[int(draw.integers(len(_NAMES)))]
    words = re.findall(r"[a-z]+", prompt.lower())
    named = (_BY_WORD.get(word) or _BY_WORD.get(word.removesuffix("s")) for word in words)
    return _PALETTES[next((name for name in named if name), any_name)]


def color(rgb: str) -> Color:
    """Turn `rrggbb` into limited-range BT.709."""
    r, g, b = (int(rgb[i : i + 2], 16) / 255 for i in (0, 2, 4))
    luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return (16 + 219 * luma, 128 + 224 * (b - luma) / 1.8556, 128 + 224 * (r - luma) / 1.5748)


def dim(c: Color, amount: float) -> Color:
    """Darken by `amount` (0 keeps, 1 is black)."""
    keep = 1 - amount
    return (16 + (c[0] - 16) * keep, 128 + (c[1] - 128) * keep, 128 + (c[2] - 128) * keep)


def mix(a: Color, b: Color, share: float) -> Color:
    """Go from `a` to `b` by `share`."""
    return (
        a[0] + (b[0] - a[0]) * share,
        a[1] + (b[1] - a[1]) * share,
        a[2] + (b[2] - a[2]) * share,
    )


WHITE = color("ffffff")

# name: (sky, lights, ground, words that call for it)
_MOODS: dict[str, tuple[str, str, str, str]] = {
    "dusk": (
        "1c1b42 4f2c63 b7566f f4ad86 ffd9a8",
        "ffdca6 ff9e7a ffc9d6",
        "96506f 1c1230",
        "sunset dusk desert evening warm autumn savanna canyon sunlight gold golden",
    ),
    "night": (
        "040714 081a33 0f3a52 1b6670 3b9c92",
        "7dffcf 6fd3ff b58cff",
        "103748 030810",
        "night aurora star space moon galaxy cosmos dark winter arctic midnight",
    ),
    "dawn": (
        "47689c 8aa5c8 d9c0c4 f6d6bd fff0d6",
        "fff3d2 ffcaa8 ffe6f0",
        "a3afcb 35466a",
        "morning dawn snow mist fog cloud sky mountain calm light baby bird",
    ),
    "ocean": (
        "042441 085a80 1f93ab 79cfcf d8f3e4",
        "f0fff2 7fe9ec ffedc2",
        "1f7f9c 042338",
        "ocean sea water river rain wave lake boat fish beach whale ship coral underwater",
    ),
    "forest": (
        "0d2a26 1c5347 4f8c6a a9c98c f1eec4",
        "fff6bd c2f2a4 ffe0a0",
        "56947a 0a1f1b",
        "forest tree garden green grass leaf jungle meadow field spring nature fox deer",
    ),
    "rose": (
        "3b143d 77295f c95a8a f09fb2 ffdcd8",
        "ffe6ee ffb3c9 d3b0ff",
        "a34a7c 2a0f30",
        "flower love pink rose cat petal cherry blossom wedding girl woman dress ballet",
    ),
    "ember": (
        "13080d 43121f 9c2a2a e0632f ffbd66",
        "ffe3a6 ff8a45 ff5c63",
        "7e2422 120609",
        "fire lava dragon flame volcano battle war red ember candle forge dance",
    ),
    "slate": (
        "12161c 2b3540 5d6d7c a3b0b9 e4e4df",
        "fff7ea ffdcb0 b9d8ec",
        "566673 0e1217",
        "city street metal car building architecture road train robot black white portrait",
    ),
    "violet": (
        "0b0a28 2a1c68 6a45c4 b67ae8 f6c6ff",
        "b6f0ff ff9fe4 fff2c4",
        "5a3aa6 0c0826",
        "neon dream future magic cyberpunk crystal purple violet music festival synth wizard",
    ),
}


def _palette(name: str) -> Palette:
    sky, lights, ground, _ = _MOODS[name]
    far, near = ground.split()
    return Palette(
        name=name,
        sky=tuple(color(c) for c in sky.split()),
        lights=tuple(color(c) for c in lights.split()),
        ground=(color(far), color(near)),
    )


_NAMES = tuple(_MOODS)
_PALETTES = {name: _palette(name) for name in _NAMES}
_BY_WORD = {word: name for name, mood in _MOODS.items() for word in mood[3].split()}
