"""Range behind range in the haze, under a low sun."""

import numpy as np

from seedance_preview.canvas import Canvas, Float, Swell, View, smooth
from seedance_preview.palette import WHITE, Palette, mix

_F32 = np.float32
_RANGES = 6


class Hills:
    """A warm sky, a sun, six ranges with mist between them, and dust in the light."""

    def __init__(self, palette: Palette, draw: np.random.Generator, size: tuple[int, int]) -> None:
        del size
        self.palette = palette
        self.sun = (float(draw.uniform(-0.75, 0.75)), float(draw.uniform(-0.32, -0.02)))
        self.size = float(draw.uniform(0.16, 0.24))
        roughness = float(draw.uniform(0.6, 1.5))
        self.ranges = [
            Swell(draw, waves=8, lowest=0.8 + 0.12 * i, highest=(9 + 3 * i) * roughness, speed=0)
            for i in range(_RANGES)
        ]
        self.wisp = Swell(draw, waves=5, lowest=0.8, highest=5, speed=0.25)
        self.drift = float(draw.choice([-1, 1]) * draw.uniform(0.03, 0.05))
        self.dust = draw.uniform(0, 1, (26, 4))

    def paint(self, canvas: Canvas, view: View) -> None:
        """Cover the whole canvas."""
        bend = _F32(0.05) * self.wisp(view.x, view.t)
        canvas.fill((view.y + 1) / _F32(1.35) + bend, self.palette.sky)
        self._paint_sun(canvas, view)
        for i, line in enumerate(self.ranges):
            self._paint_range(canvas, view, i, line)
        self._paint_dust(canvas, view)

    def _paint_sun(self, canvas: Canvas, view: View) -> None:
        x, y = self.sun[0], self.sun[1] - 0.012 * view.t
        breath = 1 + 0.05 * float(np.sin(view.t * 0.9))
        across, along = (view.x - _F32(x)) ** 2, (view.y - _F32(y)) ** 2
        for tint, strength, width in ((1, 0.5, 0.95), (1, 0.35, 0.5), (0, 0.7, 0.3)):
            light = self.palette.lights[tint]
            narrow = _F32(1 / (width * width * breath))
            canvas.glaze(light, np.exp(-across * narrow) * np.exp(-along * narrow) * _F32(strength))
        scale = canvas.width / float(view.x[0, -1] - view.x[0, 0])
        at = ((x - float(view.x[0, 0])) * scale, (y - float(view.y[0, 0])) * scale)
        radius = self.size * scale
        canvas.spot(mix(self.palette.lights[0], WHITE, 0.45), at=at, radius=radius, edge=3 / radius, alpha=0.94)

    def _paint_range(self, canvas: Canvas, view: View, i: int, line: Swell) -> None:
        near = i / (_RANGES - 1)
        shift = self.drift * view.t * (0.25 + 2.2 * near * near)
        crest = _F32(0.02 + 0.82 * near**1.15) - _F32(0.30 - 0.1 * near) * line(view.x + _F32(3 * i + shift), 0)
        first = int(np.searchsorted(view.y[:, 0], float(crest.min()))) & ~1
        depth = view.y[first:] - crest
        alpha = np.clip(depth * _F32(canvas.height / 2), 0, 1)
        self._paint_slope(canvas.rows(first, canvas.height), view, near, depth, alpha)

    def _paint_slope(self, canvas: Canvas, view: View, near: float, depth: Float, alpha: Float) -> None:
        haze = mix(self.palette.sky[-2], self.palette.ground[0], min(1, 0.25 + near))
        body = mix(haze, self.palette.ground[1], near**1.4)
        foot = mix(body, self.palette.sky[-1], 0.42 * (1 - near))
        canvas.glaze_between(body, foot, np.clip(depth * _F32(2.4), 0, 1), alpha)
        sunlit = np.exp(-((view.x - _F32(self.sun[0])) ** 2) * _F32(1.3))
        rim = np.maximum(1 - depth * _F32(7), 0)
        rim *= rim
        rim *= alpha
        canvas.glaze(self.palette.lights[0], rim * (sunlit * _F32(0.34 * (1 - near * 0.55))))
        if near > 0.7:
            return
        band = np.maximum(1 - (depth - _F32(0.36)) ** 2 * _F32(9), 0) * alpha
        drift = smooth(self.wisp(view.x * _F32(1.3) + _F32(5 * near), view.t) + _F32(0.4))
        canvas.glaze(self.palette.sky[-1], band * (drift * _F32(0.34 * (1 - near))))

    def _paint_dust(self, canvas: Canvas, view: View) -> None:
        for x, y, big, phase in self.dust:
            rise = (y - view.t * (0.012 + 0.03 * big)) % 1.0
            sway = x + 0.02 * np.sin(view.t * (0.5 + phase) + 6 * phase)
            shine = np.sin(np.pi * rise) * (0.5 + 0.5 * np.sin(view.t * (0.7 + big) + 12 * phase))
            canvas.spot(
                self.palette.lights[0],
                at=(float(sway % 1.0) * canvas.width, (0.25 + 0.75 * rise) * canvas.height),
                radius=canvas.height * (0.004 + 0.016 * big * big * big),
                edge=0.8,
                alpha=float(0.5 * shine * (1 - 0.6 * big)),
            )
