"""Scenes: what is painted from nothing but a prompt and a seed. Each is a pure function of the time."""

from typing import Protocol

import numpy as np

from seedance_preview.canvas import Canvas, View
from seedance_preview.palette import Palette
from seedance_preview.scenes.aurora import Aurora
from seedance_preview.scenes.bloom import Bloom
from seedance_preview.scenes.hills import Hills
from seedance_preview.scenes.silk import Silk


class Scene(Protocol):
    """Something that can be painted at any moment, by any thread."""

    def paint(self, canvas: Canvas, view: View) -> None:
        """Cover the whole canvas."""
        ...


def choose_scene(palette: Palette, draw: np.random.Generator, size: tuple[int, int]) -> Scene:
    """Pick a scene and its details, for canvases of one size."""
    kinds = (Aurora, Hills, Silk, Bloom)
    return kinds[int(draw.integers(len(kinds)))](palette, draw, size)
