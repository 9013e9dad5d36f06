"""Given pictures in motion: a slow camera, light that drifts across, one picture dissolving into another."""

from dataclasses import dataclass

import numpy as np
from av import VideoFrame
from PIL import Image

from seedance_preview.canvas import Float, Swell, look, smooth
from seedance_preview.palette import Color, Palette, mix
from seedance_preview.pixels import Bytes, Planes, enlarge_map, planes_of

_F32, _I16 = np.float32, np.int16


def ease(share: float) -> float:
    """The S-curve from 0 to 1, for movements."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


class Still:
    """A picture under a camera that pushes in towards one side. Untouched where `push` is 0."""

    def __init__(self, planes: Planes, draw: np.random.Generator) -> None:
        self._planes = tuple(Image.fromarray(np.ascontiguousarray(plane)) for plane in planes)
        self.reach = float(draw.uniform(0.10, 0.16))
        self.toward = (float(draw.uniform(0.2, 0.8)), float(draw.uniform(0.25, 0.75)))

    def seen(self, push: float) -> Planes:
        """The picture as seen `push` (0…1) of the way in."""
        if push <= 0:
            return Planes(*(np.array(plane) for plane in self._planes))
        return Planes(*(self._crop(plane, push * self.reach) for plane in self._planes))

    def _crop(self, plane: Image.Image, share: float) -> Bytes:
        cut_x, cut_y = plane.width * share, plane.height * share
        left, top = cut_x * self.toward[0], cut_y * self.toward[1]
        box = (left, top, left + plane.width - cut_x, top + plane.height - cut_y)
        return np.array(plane.resize(plane.size, Image.Resampling.BICUBIC, box))


@dataclass(frozen=True)
class _Beam:
    x: float
    y: float
    wide: float
    pace: float
    phase: float


class Light:
    """Soft light that drifts over a picture, and specks of dust in it."""

    def __init__(self, palette: Palette, draw: np.random.Generator) -> None:
        self.color: Color = mix(palette.lights[0], palette.lights[1], 0.35)
        self.beams = [
            _Beam(*draw.uniform((-1.4, -1.0, 0.5, 0.35, 0), (1.4, 0.6, 0.9, 0.6, 6.28)).tolist()) for _ in range(3)
        ]
        self.slant = float(draw.uniform(-0.8, 0.8))
        self.wave = Swell(draw, waves=3, lowest=0.9, highest=3, speed=0.55)
        self.dust = draw.uniform(0, 1, (22, 4))

    def fall(self, planes: Planes, t: float, strength: float) -> None:
        """Light the picture at `t` seconds; `strength` 0 leaves it as it is."""
        if strength <= 0:
            return
        height, width = planes.y.shape
        small = self._map(width // 4, height // 4, t) * _F32(strength)
        lit = enlarge_map(np.clip(small * 255, 0, 255), width, height)
        half = lit[::2, ::2]
        for plane, value, amount in zip(planes, self.color, (lit, half, half), strict=True):
            plane[:] = plane + (((_I16(value) - plane) * amount.astype(_I16)) >> 8)

    def _map(self, width: int, height: int, t: float) -> Float:
        view = look(width, height, t=t)
        total = np.zeros((height, width), _F32)
        for beam in self.beams:
            x = beam.x + 0.5 * float(np.sin(beam.pace * t + beam.phase))
            y = beam.y + 0.3 * float(np.cos(beam.pace * 0.8 * t + beam.phase))
            across = np.exp(-(((view.x - _F32(x)) / _F32(beam.wide)) ** 2))
            total += across * np.exp(-(((view.y - _F32(y)) / _F32(beam.wide)) ** 2)) * _F32(0.16)
        shaft = self.wave(view.x + _F32(self.slant) * view.y, t)
        total += smooth(shaft * _F32(1.1)) * (_F32(0.11) - _F32(0.05) * view.y)
        self._add_dust(total, t)
        return np.minimum(total, _F32(0.5))

    def _add_dust(self, total: Float, t: float) -> None:
        height, width = total.shape
        for x, y, big, phase in self.dust:
            rise = (y - t * (0.015 + 0.035 * big)) % 1.0
            cx = ((x + 0.03 * np.sin(t * (0.4 + phase) + 6 * phase)) % 1.0) * width
            radius = height * (0.008 + 0.022 * big * big)
            top, left = int(rise * height - radius), int(cx - radius)
            rows = np.arange(max(top, 0), min(height, top + int(2 * radius) + 2), dtype=_F32)[:, None]
            columns = np.arange(max(left, 0), min(width, left + int(2 * radius) + 2), dtype=_F32)[None, :]
            if rows.size == 0 or columns.size == 0:
                continue
            away = np.sqrt((rows - _F32(rise * height)) ** 2 + (columns - _F32(cx)) ** 2) / _F32(radius)
            shine = 0.3 * np.sin(np.pi * rise) * (0.6 + 0.4 * np.sin(t * 1.3 + 12 * phase))
            box = np.s_[int(rows[0, 0]) : int(rows[-1, 0]) + 1, int(columns[0, 0]) : int(columns[0, -1]) + 1]
            total[box] += smooth((1 - away) * _F32(1.6)) * _F32(shine)


class Dissolve:
    """One picture giving way to another along a soft, wandering front."""

    def __init__(self, draw: np.random.Generator) -> None:
        angle = float(draw.uniform(0, 6.28))
        self.direction = (float(np.cos(angle)), float(np.sin(angle)))
        self.wander = Swell(draw, waves=4, lowest=1.5, highest=7, speed=0.5)

    def between(self, first: Planes, second: Planes, share: float, t: float) -> Planes:
        """`share` 0 is the first picture and 1 the second, both untouched."""
        if share <= 0:
            return first
        if share >= 1:
            return second
        height, width = first.y.shape
        view = look(width // 4, height // 4, t=t)
        reach = (width / height) * abs(self.direction[0]) + abs(self.direction[1]) + 0.25
        along = _F32(self.direction[0]) * view.x + _F32(self.direction[1]) * view.y
        along = along + _F32(0.2) * self.wander(view.x - view.y, t)
        front = _F32(share * 2 * (reach + 0.7) - reach - 0.7)
        mask = enlarge_map(smooth((front - along) / _F32(1.4) + _F32(0.5)) * 128, width, height)
        half = mask[::2, ::2]
        pairs = zip(first, second, (mask, half, half), strict=True)
        return Planes(*(_mix(a, b, amount) for a, b, amount in pairs))


class Grade:
    """A colour grade: the tones of a clip pulled towards the palette."""

    def __init__(self, palette: Palette, strength: float) -> None:
        tones = np.array([palette.sky[0], palette.sky[2], palette.sky[3], palette.lights[0]])
        levels = np.linspace(16, 235, 256)
        stops = np.linspace(16, 235, len(tones))
        bend = np.linspace(0, 1, 220)
        curve = 16 + 219 * (bend + 0.10 * np.sin(2 * np.pi * (bend - 0.5)) / 2)
        self.luma = np.concatenate([np.full(16, 16), curve, np.full(20, 235)]).round().astype(np.uint8)
        self.tints = [np.interp(levels, stops, tones[:, i]).astype(_F32) * _F32(strength) for i in (1, 2)]
        self.rest = _F32(1 - strength)

    def develop(self, planes: Planes) -> Planes:
        """Grade a picture."""
        small = planes.y[::2, ::2]
        u, v = (
            (plane * self.rest + tint[small] + _F32(0.5)).astype(np.uint8)
            for plane, tint in zip(planes[1:], self.tints, strict=True)
        )
        return Planes(self.luma[planes.y], u, v)


def to_frame(planes: Planes) -> VideoFrame:
    """Copy planes into a new frame."""
    height, width = planes.y.shape
    frame = VideoFrame(width, height, "yuv420p")
    for to, plane in zip(planes_of(frame), planes, strict=True):
        to[:] = plane
    return frame


def _mix(a: Bytes, b: Bytes, amount: Bytes) -> Bytes:
    """Mix by 0…128; sixteen bits are just enough for it."""
    low = a.astype(_I16)
    return (low + (((b - low) * amount) >> 7)).astype(np.uint8)
