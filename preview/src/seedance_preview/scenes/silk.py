"""Folds of silk that turn slowly in the light."""

import numpy as np

from seedance_preview.canvas import Canvas, Float, View
from seedance_preview.palette import Palette, dim

_F32 = np.float32


class Silk:
    """A field of waves bent by waves; its slope is the light and its height the colour."""

    def __init__(self, palette: Palette, draw: np.random.Generator, size: tuple[int, int]) -> None:
        del size
        self.palette = palette
        self.phase = draw.uniform(0, 6.28, 8)
        self.angle = float(draw.uniform(-0.7, 0.7))
        self.scale = float(draw.uniform(1.15, 1.6))
        self.speed = float(draw.choice([-1, 1]) * draw.uniform(0.85, 1.2))

    def paint(self, canvas: Canvas, view: View) -> None:
        """Cover the whole canvas."""
        t, p = view.t * self.speed, self.phase
        cos, sin = _F32(np.cos(self.angle) * self.scale), _F32(np.sin(self.angle) * self.scale)
        a = cos * view.x - sin * view.y
        b = sin * view.x + cos * view.y
        w = _F32(0.8) * a + _F32(0.55) * np.sin(_F32(1.7) * b + _F32(0.30 * t + p[0]))
        w += _F32(0.3) * np.sin(_F32(1.3) * (a + b) + _F32(p[1] - 0.22 * t))
        v = _F32(1.15) * b + _F32(0.5) * np.sin(_F32(1.5) * a + _F32(p[2] - 0.26 * t))
        inner = np.sin(_F32(2.1) * v - _F32(1.1) * w + _F32(0.34 * t + p[3]))
        angle = _F32(2.5) * w + _F32(1.7) * v + _F32(1.25) * inner + _F32(0.12 * t + p[4])
        fold = np.sin(angle)
        slope = np.cos(angle)
        fine = np.sin(_F32(3) * angle + _F32(1.4) * w + _F32(p[5]))
        hue = _F32(0.46) + _F32(0.36) * np.sin(_F32(1.0) * w - _F32(0.55) * v + _F32(p[6] + 0.08 * t))
        canvas.fill(hue + _F32(0.1) * fold, self.palette.sky)
        canvas.shade(_F32(0.82) + _F32(0.18) * slope + _F32(0.05) * fine)
        self._gleam(canvas, fold, slope)

    def _gleam(self, canvas: Canvas, fold: Float, slope: Float) -> None:
        lights = self.palette.lights
        deep = np.maximum(-slope, 0)
        canvas.glaze(dim(self.palette.sky[1], 0.3), deep * deep * _F32(0.5))
        first = np.maximum(_F32(0.8) * slope + _F32(0.6) * fold, 0)
        first *= first
        canvas.glaze(lights[1], first * _F32(0.28))
        first *= first
        first *= first
        canvas.glaze(lights[0], first * _F32(0.5))
        edge = np.maximum(_F32(0.6) * slope - _F32(0.8) * fold, 0)
        edge *= edge
        edge *= edge
        canvas.glaze(lights[2], edge * edge * _F32(0.35))
