"""Great soft lights that drift through each other, with small ones before them."""

import numpy as np

from seedance_preview.canvas import Canvas, View, smooth
from seedance_preview.palette import Color, Palette, dim, mix

_F32 = np.float32
_CLOUDS = 7
_SPECKS = 24


class Bloom:
    """Clouds of colour on slow orbits, out-of-focus discs in front."""

    def __init__(self, palette: Palette, draw: np.random.Generator, size: tuple[int, int]) -> None:
        del size
        self.palette = palette
        self.orbits = draw.uniform(0, 1, (_CLOUDS, 6))
        self.specks = draw.uniform(0, 1, (_SPECKS, 5))
        self.turn = float(draw.choice([-1, 1]))
        sky, lights = palette.sky, palette.lights
        self.colors: list[Color] = [
            sky[3],
            lights[1],
            sky[2],
            lights[2],
            sky[4],
            mix(sky[2], lights[0], 0.4),
            sky[1],
        ]

    def paint(self, canvas: Canvas, view: View) -> None:
        """Cover the whole canvas."""
        place = _F32(0.5) + _F32(0.28) * view.y + _F32(0.16) * np.sin(view.x * _F32(0.9) + _F32(0.2 * view.t))
        canvas.fill(place, [dim(c, 0.25) for c in self.palette.sky[:3]])
        for orbit, tint in zip(self.orbits, self.colors, strict=True):
            self._paint_cloud(canvas, view, orbit, tint)
        for speck in self.specks:
            self._paint_speck(canvas, view, speck)

    def _paint_cloud(self, canvas: Canvas, view: View, orbit: np.ndarray, tint: Color) -> None:
        aspect = canvas.width / canvas.height
        angle = self.turn * view.t * (0.16 + 0.16 * orbit[4]) + orbit[2] * 6.28
        cx = (2 * orbit[0] - 1) * aspect * 0.95 + 0.38 * np.cos(angle)
        cy = (2 * orbit[1] - 1) * 0.95 + 0.30 * np.sin(angle * 1.2)
        reach = 0.42 + 0.5 * orbit[3]
        across = np.exp(-(((view.x - _F32(cx)) / _F32(reach * 1.25)) ** 2))
        along = np.exp(-(((view.y - _F32(cy)) / _F32(reach)) ** 2))
        canvas.glaze(tint, across * along * _F32(0.55 + 0.35 * orbit[5]))

    def _paint_speck(self, canvas: Canvas, view: View, speck: np.ndarray) -> None:
        x, y, big, phase, tint = (float(s) for s in speck)
        rise = (y - view.t * (0.010 + 0.022 * big)) % 1.0
        sway = x + 0.025 * float(np.sin(view.t * (0.3 + 0.4 * phase) + 6 * phase))
        breath = 0.55 + 0.45 * float(np.sin(view.t * (0.5 + 0.6 * phase) + 9 * tint))
        fade = float(smooth(np.array([min(rise, 1 - rise) * 6], _F32))[0])
        at = (sway * canvas.width, (1.16 * rise - 0.08) * canvas.height)
        radius = canvas.height * (0.012 + 0.075 * big * big)
        alpha = fade * breath * (0.34 - 0.2 * big)
        light = self.palette.lights[int(tint * 2.99)]
        canvas.spot(light, at=at, radius=radius, edge=0.16 + 0.5 * phase * phase, alpha=alpha)
        canvas.spot(light, at=at, radius=radius * 1.7, edge=1.0, alpha=alpha * 0.35)
