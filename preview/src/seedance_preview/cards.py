"""Cards: reference pictures and clips, framed, floating before the scene."""

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from seedance_preview.canvas import Float
from seedance_preview.pixels import Planes, to_planes

_F32 = np.float32
_BORDER = (247, 245, 240)


@dataclass(frozen=True)
class Card:
    """A framed picture on its shadow: planes to lay over the frame, with how much each point covers.

    `inset` is where the picture itself is (left, top, width, height), for clips whose frames change.
    """

    planes: Planes
    alpha: Image.Image
    inset: tuple[int, int, int, int]

    def with_frame(self, picture: Planes) -> "Card":
        """The same card, showing another picture of the size of the inset."""
        left, top, width, height = self.inset
        planes = Planes(*(plane.copy() for plane in self.planes))
        planes.y[top : top + height, left : left + width] = picture.y
        half = np.s_[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2]
        planes.u[half], planes.v[half] = picture.u, picture.v
        return Card(planes, self.alpha, self.inset)

    def lay(self, frame: Planes, *, center: tuple[float, float], opacity: float) -> None:
        """Put the card on the frame, its centre at any fraction of a pixel."""
        height, width = self.planes.y.shape
        left, top = center[0] - width / 2, center[1] - height / 2
        alpha = np.asarray(_shift(self.alpha, left, top, 1), _F32) * _F32(opacity / 255)
        _blend(frame.y, _shift(Image.fromarray(self.planes.y), left, top, 1), alpha, _whole(left), _whole(top))
        small = alpha[::2, ::2]
        for plane, mine in ((frame.u, self.planes.u), (frame.v, self.planes.v)):
            chroma = _shift(Image.fromarray(mine), left, top, 2)
            _blend(plane, chroma, small, _whole(left) // 2, _whole(top) // 2)


@dataclass(frozen=True)
class Seat:
    """Where a card floats: centre and room in pixels, tilt in degrees."""

    x: float
    y: float
    width: float
    height: float
    tilt: float


def seat_cards(count: int, width: int, height: int, draw: np.random.Generator) -> list[Seat]:
    """Share the frame out among cards, in rows."""
    rows = min(count, max(1, round(sqrt(count * height / width))))
    columns = ceil(count / rows)
    room_x, room_y = width * 0.94 / columns, height * 0.86 / rows
    seats: list[Seat] = []
    for i in range(count):
        row, column = divmod(i, columns)
        in_row = min(columns, count - row * columns)
        offset = 0.05 * room_y * (1 if column % 2 else -1) * (in_row > 1)
        seats.append(
            Seat(
                x=width / 2 + (column - (in_row - 1) / 2) * room_x,
                y=height * 0.47 + (row - (rows - 1) / 2) * room_y + offset,
                width=room_x * 0.84,
                height=min(room_y * 0.8, height * 0.62),
                tilt=float(draw.uniform(1.0, 2.6)) * (1 if (column + row) % 2 else -1),
            )
        )
    return seats


def fit_inside(seat: Seat, ratio: float) -> tuple[int, int]:
    """The size of a picture of this ratio on a card in this seat, even."""
    height = min(seat.height, seat.width / ratio)
    return max(16, round(height * ratio / 2) * 2), max(16, round(height / 2) * 2)


def make_card(picture: Image.Image, tilt: float) -> Card:
    """Frame a picture of even size and give it a shadow."""
    unit = min(picture.size)
    border, room = max(2, round(unit * 0.014) * 2), max(8, round(unit * 0.09) * 2)
    inset = (room + border, room + border, picture.width, picture.height)
    outer = (room, room, room + 2 * border + picture.width - 1, room + 2 * border + picture.height - 1)
    size = (picture.width + 2 * (room + border), picture.height + 2 * (room + border))
    face = Image.new("RGB", size, _BORDER)
    face.paste(picture, inset[:2])
    shape, shadow = Image.new("L", size), Image.new("L", size)
    ImageDraw.Draw(shape).rounded_rectangle(outer, border * 1.2, fill=255)
    drop = room * 0.22
    low = (outer[0], outer[1] + drop, outer[2], outer[3] + drop)
    ImageDraw.Draw(shadow).rounded_rectangle(low, border * 1.2, fill=150)
    if tilt:
        face = face.rotate(tilt, Image.Resampling.BICUBIC, fillcolor=_BORDER)
        shape, shadow = (mask.rotate(tilt, Image.Resampling.BICUBIC) for mask in (shape, shadow))
    shadow = shadow.filter(ImageFilter.GaussianBlur(room * 0.26))
    dark = Image.composite(face, Image.new("RGB", size), shape)
    return Card(to_planes(dark), ImageChops.lighter(shape, shadow), inset)


def _whole(position: float) -> int:
    """The even pixel to the left of a position."""
    return int(np.floor(position / 2)) * 2


def _shift(plane: Image.Image, left: float, top: float, step: int) -> Image.Image:
    """Move a plane by what its place is off the even grid; the empty rim of a card leaves room for it."""
    dx, dy = (left - _whole(left)) / step, (top - _whole(top)) / step
    box = (max(0.0, 2 / step - dx), max(0.0, 2 / step - dy))
    pad = 2 // step
    width, height = plane.width - 2 * pad, plane.height - 2 * pad
    return plane.resize((width, height), Image.Resampling.BICUBIC, (*box, box[0] + width, box[1] + height))


def _blend(plane: np.ndarray, card: Image.Image, alpha: Float, left: int, top: int) -> None:
    """Lay a card on a plane, cut where it stands over the edge."""
    height, width = min(card.height, alpha.shape[0]), min(card.width, alpha.shape[1])
    x0, y0 = max(0, -left), max(0, -top)
    x1, y1 = min(width, plane.shape[1] - left), min(height, plane.shape[0] - top)
    if x0 >= x1 or y0 >= y1:
        return
    part = plane[top + y0 : top + y1, left + x0 : left + x1]
    above = np.asarray(card)[y0:y1, x0:x1]
    part[:] = part + (above - part.astype(_F32)) * alpha[y0:y1, x0:x1] + _F32(0.5)
