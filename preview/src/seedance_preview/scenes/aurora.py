"""Curtains of light over still water and a dark shore."""

import numpy as np

from seedance_preview.canvas import Canvas, Float, Swell, View, smooth
from seedance_preview.palette import WHITE, Palette, dim, mix

_F32 = np.float32


class Aurora:
    """Sky, stars, three curtains, two ranges of hills, and all of it again in the water."""

    def __init__(self, palette: Palette, draw: np.random.Generator, size: tuple[int, int]) -> None:
        self.palette = palette
        self.horizon = float(draw.uniform(0.36, 0.5))
        self.curtains = [_Curtain(draw, base=b) for b in draw.permutation(np.array([-0.28, 0.0, 0.2]))]
        self.ranges = [Swell(draw, waves=9, lowest=1.1 + 0.6 * i, highest=26 + 14 * i, speed=0) for i in range(2)]
        self.stars = [_stars(draw, size) for _ in range(3)]
        self.ripple = Swell(draw, waves=5, lowest=9, highest=70, speed=1.6)

    def paint(self, canvas: Canvas, view: View) -> None:
        """Cover the whole canvas."""
        shore = int(np.searchsorted(view.y[:, 0], self.horizon)) & ~1
        shore = min(max(shore, canvas.height // 2 & ~1), canvas.height)
        air = canvas.rows(0, shore)
        above = View(x=view.x, y=view.y[:shore], t=view.t)
        self._paint_sky(air, above)
        self._paint_ranges(air, above)
        self._mirror(canvas, shore, view.t)

    def _paint_sky(self, air: Canvas, view: View) -> None:
        deep = [dim(c, 0.45) for c in self.palette.sky[:4]]
        air.fill((view.y + 1) / _F32(1.08 + self.horizon), deep)
        twinkles = [0.6 + 0.4 * np.sin(view.t * (0.9 + 0.5 * i) + 2 * i) for i in range(3)]
        shine = sum(layer * _F32(w) for layer, w in zip(self.stars, twinkles, strict=True))
        air.glaze(WHITE, np.asarray(shine)[: air.height])
        for i, curtain in enumerate(self.curtains):
            light = self.palette.lights[i % len(self.palette.lights)]
            air.glaze(light, curtain.glow(view))

    def _paint_ranges(self, canvas: Canvas, view: View) -> None:
        far, near = self.palette.ground
        sharp = _F32(canvas.height / (1 + self.horizon))
        for i, line in enumerate(self.ranges):
            nearness = 0.5 + 0.5 * i
            top = _F32(self.horizon - 0.17 + 0.11 * i) - _F32(0.19 - 0.06 * i) * line(
                view.x * _F32(1 + 0.2 * i) + _F32(i), 0
            )
            depth = view.y - top
            tint = dim(mix(far, near, nearness), 0.35 + 0.25 * i)
            first = int((depth < 0).all(axis=1).argmin()) & ~1
            part = canvas.rows(first, canvas.height)
            depth = depth[first:]
            place = np.clip(depth * _F32(2.6), 0, 1)
            part.glaze_between(tint, dim(tint, 0.55), place, np.clip(depth * sharp, 0, 1))

    def _mirror(self, canvas: Canvas, shore: int, t: float) -> None:
        count = canvas.height - shore
        if count == 0:
            return
        below = np.arange(count, dtype=_F32) / _F32(canvas.height)
        closeness = _F32(1) / (below * 6 + _F32(0.12))
        wave = self.ripple(closeness * _F32(0.55), t) * (below * _F32(0.16) + _F32(0.004))
        source = shore - 1 - (below * _F32(1.6) + wave) * _F32(canvas.height)
        index = np.clip(source, 0, shore - 1).astype(np.intp)
        canvas.y[shore:] = canvas.y[index]
        for plane in (canvas.u, canvas.v):
            plane[shore // 2 :] = plane[index[::2] // 2]
        cover = _F32(0.22) + _F32(0.42) * smooth(below * _F32(2.0))
        canvas.rows(shore, canvas.height).glaze(dim(self.palette.sky[1], 0.6), cover[:, None])


def _stars(draw: np.random.Generator, size: tuple[int, int]) -> Float:
    """How much starlight covers each point, for thirty stars."""
    sky = Canvas(*size)
    for plane in (sky.y, sky.u, sky.v):
        plane[:] = 0
    for x, y, big in draw.uniform(0, 1, (30, 3)):
        at = (x * size[0], y * y * size[1] * 0.62)
        radius = (1.0 + 1.2 * big * big) * size[1] / 360
        sky.spot((1, 0, 0), at=at, radius=max(radius, 1), edge=1.0, alpha=0.35 + 0.6 * big)
    return sky.y


class _Curtain:
    """One curtain: a wandering lower edge, rays above it, fading upwards."""

    def __init__(self, draw: np.random.Generator, *, base: float) -> None:
        self.base = base - 0.06
        self.edge = Swell(draw, waves=4, lowest=0.9, highest=4.2, speed=0.34)
        self.rays = Swell(draw, waves=5, lowest=5, highest=38, speed=0.9)
        self.veil = Swell(draw, waves=3, lowest=0.7, highest=2.2, speed=0.3)
        self.lean = float(draw.uniform(-0.35, 0.35))
        self.height = float(draw.uniform(0.34, 0.5))
        self.strength = float(draw.uniform(0.5, 0.72))

    def glow(self, view: View) -> Float:
        """How much of the curtain's light covers each point."""
        edge = _F32(self.base) + _F32(0.42) * self.edge(view.x, view.t)
        above = edge - view.y
        fade = np.exp(np.minimum(above * _F32(-1 / self.height), above * _F32(8)))
        lean = _F32(self.lean)
        rays = _F32(0.66) + _F32(0.42) * self.rays.spread(view.x + lean * edge, -lean * view.y, view.t)
        veil = smooth(self.veil(view.x, view.t) * _F32(0.9) + _F32(0.55))
        return np.clip(fade * rays * veil * _F32(self.strength), 0, 1)
