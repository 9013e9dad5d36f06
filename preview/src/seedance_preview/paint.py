"""The painter: makes frame number so-and-so of a plan. Any thread may paint any frame."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from av import VideoFrame
from PIL import Image

from seedance_preview import label
from seedance_preview.canvas import Canvas, look, vignette
from seedance_preview.carousel import Carousel, ClipSlot, Exhibit, Feed
from seedance_preview.footage import Footage, cover_frame
from seedance_preview.job import Input
from seedance_preview.palette import choose_palette
from seedance_preview.pictures import Dissolve, Grade, Light, Still, ease, to_frame
from seedance_preview.pixels import (
    Planes,
    cover,
    enlarge,
    open_picture,
    planes_of,
    to_planes,
)
from seedance_preview.plan import FPS, Plan, Shot
from seedance_preview.scenes import choose_scene


@dataclass(frozen=True)
class Material:
    """One input and the file that holds it."""

    input: Input
    path: Path

    def open(self) -> Image.Image:
        """Read it as a picture."""
        return open_picture(self.path, self.input.media_type)


class Painter:
    """Paints the frames of one plan. Clips are read forwards: ask `feed` for each frame, in order."""

    def __init__(self, plan: Plan, materials: list[Material], stack: ExitStack) -> None:
        self.plan = plan
        self.size = (plan.job.width, plan.job.height)
        self.palette = choose_palette(plan.job.prompt, plan.draw("palette"))
        self._clips: list[Footage] = []
        self._base = self._choose_base(materials, stack)
        self._cards = self._seat_cards(materials, stack) if plan.shot is Shot.SCENE else None
        self._label = label.label_stamp(*self.size)
        self._caption = label.caption_stamp(plan.job.prompt, *self.size)
        self._draft = label.draft_stamp(*self.size) if plan.job.draft else None
        self._watermark = label.watermark_stamp(*self.size) if plan.job.watermark else None

    def feed(self, index: int) -> Feed:
        """Read the clips on to a frame."""
        return tuple(clip.frame_at(index) for clip in self._clips)

    def paint(self, index: int, feed: Feed, *, marked: bool = True) -> VideoFrame:
        """Paint one frame; `marked` says whether the watermark, if it is ordered, is on it."""
        frame = self._base(index, feed)
        planes = planes_of(frame)
        if self._cards:
            self._cards.lay(planes, index, feed)
        if self._caption:
            self._caption.press(planes, self._caption_opacity(index))
        for stamp in (self._label, self._draft, self._watermark if marked else None):
            if stamp:
                stamp.press(planes)
        frame.pts = index
        return frame

    def _choose_base(self, materials: list[Material], stack: ExitStack) -> Callable[[int, Feed], VideoFrame]:
        match self.plan.shot:
            case Shot.SCENE:
                return self._prepare_scene()
            case Shot.FROM_PICTURE:
                first = next(m for m in materials if m.input.role == "first_frame")
                return self._prepare_still(to_planes(cover(first.open(), *self.size)))
            case Shot.BETWEEN_PICTURES:
                return self._prepare_pair(materials)
            case Shot.EDIT:
                return self._prepare_edit(_first_clip(materials), stack)
            case Shot.EXTEND:
                with Footage(_first_clip(materials)) as clip:
                    return self._prepare_still(_own(cover_frame(clip.last_frame(), *self.size)))

    def _prepare_scene(self) -> Callable[[int, Feed], VideoFrame]:
        width, height = self.size
        factor = min(0.5, 540 / min(width, height))
        small = (round(width * factor / 2) * 2, round(height * factor / 2) * 2)
        draw = self.plan.draw("scene")
        scene = choose_scene(self.palette, draw, small)
        corners = vignette(*small, 0.34)
        pan = draw.uniform(-0.16, 0.16, 2) * (0 if self.plan.job.camera_fixed else 1)
        push = 0.0 if self.plan.job.camera_fixed else float(draw.uniform(0.05, 0.13))
        start = float(draw.uniform(0, 40))

        def base(index: int, _: Feed) -> VideoFrame:
            share = ease(index / self.plan.frames)
            canvas = Canvas(*small)
            where = (float(pan[0]) * share, float(pan[1]) * share * 0.4)
            scene.paint(canvas, look(*small, t=start + index / FPS, pan=where, zoom=1 + push * share))
            canvas.shade(corners)
            return enlarge(canvas, width, height)

        return base

    def _prepare_still(self, planes: Planes) -> Callable[[int, Feed], VideoFrame]:
        still = Still(planes, self.plan.draw("camera"))
        light = Light(self.palette, self.plan.draw("light"))

        def base(index: int, _: Feed) -> VideoFrame:
            seen = still.seen(self._push(index / max(self.plan.frames - 1, 1)))
            light.fall(seen, index / FPS, ease(index / FPS / 1.2))
            return to_frame(seen)

        return base

    def _prepare_pair(self, materials: list[Material]) -> Callable[[int, Feed], VideoFrame]:
        pictures = {m.input.role: to_planes(cover(m.open(), *self.size)) for m in materials}
        first = Still(pictures["first_frame"], self.plan.draw("camera"))
        last = Still(pictures["last_frame"], self.plan.draw("camera back"))
        light = Light(self.palette, self.plan.draw("light"))
        dissolve = Dissolve(self.plan.draw("dissolve"))

        def base(index: int, _: Feed) -> VideoFrame:
            share = index / max(self.plan.frames - 1, 1)
            turn = ease((share - 0.2) / 0.6)
            if turn <= 0:
                seen = first.seen(self._push(share))
            elif turn >= 1:
                seen = last.seen(self._push(1 - share))
            else:
                pair = first.seen(self._push(share)), last.seen(self._push(1 - share))
                seen = dissolve.between(*pair, turn, index / FPS)
            light.fall(seen, index / FPS, ease(min(share, 1 - share) * 4))
            return to_frame(seen)

        return base

    def _prepare_edit(self, path: Path, stack: ExitStack) -> Callable[[int, Feed], VideoFrame]:
        self._clips.append(stack.enter_context(Footage(path)))
        grade = Grade(self.palette, 0.6)
        light = Light(self.palette, self.plan.draw("light"))

        def base(index: int, feed: Feed) -> VideoFrame:
            seen = grade.develop(cover_frame(feed[0], *self.size))
            light.fall(seen, index / FPS, 0.9)
            return to_frame(seen)

        return base

    def _seat_cards(self, materials: list[Material], stack: ExitStack) -> Carousel:
        """Every reference gets a card; a clip's card shows the clip."""
        exhibits: list[Exhibit] = []
        for material in materials:
            if material.input.kind == "image":
                exhibits.append(material.open())
            elif material.input.kind == "video":
                clip = stack.enter_context(Footage(material.path))
                exhibits.append(ClipSlot(ratio=clip.ratio, feed=len(self._clips)))
                self._clips.append(clip)
        return Carousel(self.plan, exhibits)

    def _push(self, share: float) -> float:
        return 0.0 if self.plan.job.camera_fixed else ease(share)

    @property
    def mark_box(self) -> tuple[int, int, int, int] | None:
        """Where the watermark is (left, top, right, bottom), if there is one."""
        mark = self._watermark
        return mark and (mark.left, mark.top, mark.left + mark.keep.shape[1], mark.top + mark.keep.shape[0])

    def _caption_opacity(self, index: int) -> float:
        """Gone on the first frame and on the last: those may be somebody's pictures."""
        t, left = index / FPS, (self.plan.frames - 1 - index) / FPS
        return ease((t - 0.3) / 0.6) * ease((left - 0.2) / 0.8)


def _first_clip(materials: list[Material]) -> Path:
    return next(m.path for m in materials if m.input.kind == "video")


def _own(planes: Planes) -> Planes:
    """Copy out of a frame that will go away."""
    return Planes(*(plane.copy() for plane in planes))
