"""A canvas: one picture being painted, as float luma and half-size chroma planes.

Everything is mixed in YUV directly: laying one colour over another is the same sum there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from seedance_preview.palette import Color

Float = npt.NDArray[np.float32 | np.float64]
"""Single precision in practice; what NumPy says of some sums of it is wider."""

_F32 = np.float32
_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True)
class View:
    """Where the painter stands: `x` (1, w) and `y` (h, 1), −1…1 over the height, growing right and down."""

    x: Float
    y: Float
    t: float


def look(width: int, height: int, *, t: float, pan: tuple[float, float] = (0, 0), zoom: float = 1.0) -> View:
    """Coordinates of a work canvas at `t` seconds under a camera."""
    aspect = width / height
    x = np.linspace(-aspect, aspect, width, dtype=_F32)[None, :] / _F32(zoom) + _F32(pan[0])
    y = np.linspace(-1, 1, height, dtype=_F32)[:, None] / _F32(zoom) + _F32(pan[1])
    return View(x=x, y=y, t=t)


class Canvas:
    """Planes on the 8-bit limited-range scale; width and height are even."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.y: Float = np.empty((height, width), _F32)
        self.u: Float = np.empty((height // 2, width // 2), _F32)
        self.v: Float = np.empty((height // 2, width // 2), _F32)

    def rows(self, top: int, bottom: int) -> "Canvas":
        """The same canvas between two even rows: painting on it paints here."""
        part = Canvas.__new__(Canvas)
        part.width, part.height = self.width, bottom - top
        part.y = self.y[top:bottom]
        part.u, part.v = self.u[top // 2 : bottom // 2], self.v[top // 2 : bottom // 2]
        return part

    def fill(self, place: Float, colors: Sequence[Color]) -> None:
        """Paint the gradient of `colors` by `place` (0…1, broadcast to the canvas)."""
        stops = np.linspace(0, 1, len(colors))
        tables = [np.interp(_TABLE, stops, [c[i] for c in colors]).astype(_F32) for i in range(3)]
        index = (np.clip(place, 0, 1) * _F32(len(_TABLE) - 1)).astype(np.intp)
        self.y[:] = tables[0][index]
        small = _half(index)
        self.u[:] = tables[1][small]
        self.v[:] = tables[2][small]

    def glaze(self, color: Color, alpha: Float) -> None:
        """Lay a colour over the picture; `alpha` (0…1) broadcasts to the canvas."""
        self.y += (_F32(color[0]) - self.y) * alpha
        small = _half(alpha)
        self.u += (_F32(color[1]) - self.u) * small
        self.v += (_F32(color[2]) - self.v) * small

    def glaze_between(self, far: Color, near: Color, place: Float, alpha: Float) -> None:
        """Lay a gradient over the picture; `place` (0…1) goes from `far` to `near`."""
        self.y += (_F32(far[0]) + _F32(near[0] - far[0]) * place - self.y) * alpha
        small, where = _half(alpha), _half(place)
        self.u += (_F32(far[1]) + _F32(near[1] - far[1]) * where - self.u) * small
        self.v += (_F32(far[2]) + _F32(near[2] - far[2]) * where - self.v) * small

    def shade(self, factor: Float) -> None:
        """Multiply the light by `factor` (1 keeps, 0 is black)."""
        self.y -= 16
        self.y *= factor
        self.y += 16
        small = _half(factor)
        self.u[:] = (self.u - 128) * small + 128
        self.v[:] = (self.v - 128) * small + 128

    def spot(self, color: Color, *, at: tuple[float, float], radius: float, edge: float, alpha: float) -> None:
        """Lay one soft disc, in canvas pixels; `edge` is the share of the radius that fades."""
        top, bottom = max(0, int(at[1] - radius) & ~1), min(self.height, int(at[1] + radius) + 2 & ~1)
        left, right = max(0, int(at[0] - radius) & ~1), min(self.width, int(at[0] + radius) + 2 & ~1)
        if top >= bottom or left >= right:
            return
        dy = np.arange(top, bottom, dtype=_F32)[:, None] - _F32(at[1])
        dx = np.arange(left, right, dtype=_F32)[None, :] - _F32(at[0])
        away = np.sqrt(dx * dx + dy * dy) / _F32(radius)
        disc = smooth((_F32(1) - away) / _F32(max(edge, 1e-3))) * _F32(alpha)
        box = np.s_[top:bottom, left:right]
        half = np.s_[top // 2 : bottom // 2, left // 2 : right // 2]
        self.y[box] += (_F32(color[0]) - self.y[box]) * disc
        small = _half(disc)
        self.u[half] += (_F32(color[1]) - self.u[half]) * small
        self.v[half] += (_F32(color[2]) - self.v[half]) * small


class Swell:
    """A smooth endless line: a sum of sines that drifts with time, about −1…1."""

    def __init__(self, draw: np.random.Generator, *, waves: int, lowest: float, highest: float, speed: float) -> None:
        self.frequency: Float = np.geomspace(lowest, highest, waves).astype(_F32)
        self.frequency *= draw.uniform(0.85, 1.15, waves).astype(_F32)
        self.amplitude: Float = (lowest / self.frequency).astype(_F32) ** _F32(0.8)
        self.amplitude /= self.amplitude.sum()
        self.phase: Float = draw.uniform(0, 2 * np.pi, waves).astype(_F32)
        self.speed: Float = (draw.uniform(0.5, 1.0, waves) * draw.choice([-1, 1], waves) * speed).astype(_F32)

    def __call__(self, x: Float, t: float) -> Float:
        """Values along `x` (any shape) at `t` seconds."""
        total = np.zeros_like(x)
        for f, a, p, s in zip(self.frequency, self.amplitude, self.phase, self.speed, strict=True):
            total += a * np.sin(f * x + (p + s * _F32(t)))
        return total

    def spread(self, across: Float, along: Float, t: float) -> Float:
        """Values at `across` (1, w) + `along` (h, 1): sin(a + b) taken apart, a tenth of the sines."""
        f = self.frequency[:, None]
        a = f * across + (self.phase + self.speed * _F32(t))[:, None]
        b = f.T * along
        left = np.concatenate([np.cos(b), np.sin(b)], axis=1) * np.tile(self.amplitude, 2)
        return left @ np.concatenate([np.sin(a), np.cos(a)])


def smooth(value: Float) -> Float:
    """The S-curve from 0 to 1."""
    v = np.clip(value, 0, 1)
    return v * v * (3 - 2 * v)


def vignette(width: int, height: int, strength: float) -> Float:
    """A factor that darkens the corners."""
    x = np.linspace(-1, 1, width, dtype=_F32)[None, :]
    y = np.linspace(-1, 1, height, dtype=_F32)[:, None]
    return 1 - _F32(strength) * smooth((x * x + y * y - _F32(0.45)) / _F32(1.55))


def _half(plane: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    rows = np.s_[::2] if plane.shape[0] > 1 else np.s_[:]
    columns = np.s_[::2] if plane.shape[1] > 1 else np.s_[:]
    return plane[rows, columns]


_TABLE = np.linspace(0, 1, 1024)
