"""The carousel: which cards are seen when, and how they move."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from av import VideoFrame
from PIL import Image

from seedance_preview.cards import Card, Seat, fit_inside, make_card, seat_cards
from seedance_preview.footage import cover_frame
from seedance_preview.pictures import ease
from seedance_preview.pixels import Planes, cover
from seedance_preview.plan import FPS, Plan

Feed = tuple[VideoFrame, ...]
"""The frames of the clips that one of our frames shows."""


@dataclass(frozen=True)
class ClipSlot:
    """A clip to show: its shape, and where its frames are in the feed."""

    ratio: float
    feed: int


Exhibit = Image.Image | ClipSlot


class Carousel:
    """The reference pictures and clips, a few at a time, each with a float of its own."""

    def __init__(self, plan: Plan, exhibits: Sequence[Exhibit]) -> None:
        self.plan = plan
        self.width, self.height = plan.job.width, plan.job.height
        self.groups = max(1, min(ceil(len(exhibits) / 3), int(plan.seconds / 1.6)))
        self.per_group = max(1, ceil(len(exhibits) / self.groups))
        draw = plan.draw("cards")
        self.floats = draw.uniform(0, 1, (max(len(exhibits), 1), 4))
        self.seats: list[Seat] = []
        for start in range(0, len(exhibits), self.per_group):
            count = min(self.per_group, len(exhibits) - start)
            self.seats += seat_cards(count, self.width, self.height, draw)
        self.cards = [_make(exhibit, seat) for exhibit, seat in zip(exhibits, self.seats, strict=True)]
        self.groups = max(1, ceil(len(exhibits) / self.per_group))

    def lay(self, planes: Planes, index: int, feed: Feed) -> None:
        """Put the cards of this moment on the frame."""
        turn = self.plan.seconds / self.groups
        group = min(int(index / FPS / turn), self.groups - 1)
        since, left = index / FPS - group * turn, (group + 1) * turn - index / FPS
        leaving = 1.0 if group == self.groups - 1 else ease(left / 0.4)
        start = group * self.per_group
        for i, (card, clip) in enumerate(self.cards[start : start + self.per_group]):
            shown = card if clip is None else card.with_frame(cover_frame(feed[clip], *card.inset[2:]))
            coming = ease((since + 0.25 - 0.14 * min(i, 3)) / 0.7)
            shown.lay(planes, center=self._place(start + i, index, coming), opacity=coming * leaving)

    def _place(self, i: int, index: int, coming: float) -> tuple[float, float]:
        seat, (a, b, c, d) = self.seats[i], self.floats[i]
        t, unit = index / FPS, min(self.width, self.height)
        bob = np.sin(t * (0.7 + 0.5 * a) + 6.28 * b)
        sway = np.sin(t * (0.5 + 0.4 * c) + 6.28 * d)
        fixed = self.plan.job.camera_fixed
        slide = 0.0 if fixed else (0.5 - index / self.plan.frames) * (0.5 + a) * 0.05
        return float(seat.x + unit * (0.008 * sway + slide)), float(seat.y + unit * (0.012 * bob + 0.05 * (1 - coming)))


def _make(exhibit: Exhibit, seat: Seat) -> tuple[Card, int | None]:
    if isinstance(exhibit, ClipSlot):
        return make_card(Image.new("RGB", fit_inside(seat, exhibit.ratio)), 0), exhibit.feed
    size = fit_inside(seat, exhibit.width / exhibit.height)
    return make_card(cover(exhibit, *size), seat.tilt), None
