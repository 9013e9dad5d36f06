"""Lettering: the sandbox label, the caption, the draft tag and the watermark."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from seedance_preview.canvas import Float
from seedance_preview.pixels import Planes

LABEL = "SANDBOX PREVIEW · not an AI model"
WATERMARK = "AI generated"
DRAFT = "DRAFT"

_F32 = np.float32
_PAD = 0.6  # room around letters for their shadow, in units of their size
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Stamp:
    """Lettering at a place of the frame: keeps `keep` (0…1) of the picture, then adds `add` to the luma."""

    left: int
    top: int
    keep: Float
    add: Float

    def press(self, planes: Planes, opacity: float = 1.0) -> None:
        """Put it on the frame; greys the colour by as much as it covers."""
        if opacity <= 0:
            return
        height, width = self.keep.shape
        keep = 1 - (1 - self.keep) * _F32(opacity)
        box = np.s_[self.top : self.top + height, self.left : self.left + width]
        planes.y[box] = planes.y[box] * keep + self.add * _F32(opacity) + _F32(0.5)
        half = np.s_[self.top // 2 : (self.top + height) // 2, self.left // 2 : (self.left + width) // 2]
        for plane in (planes.u, planes.v):
            plane[half] = (plane[half] - _F32(128)) * keep[::2, ::2] + _F32(128.5)


def label_stamp(width: int, height: int) -> Stamp:
    """What this is: always there, bottom left."""
    unit = min(width, height)
    lettering = _letter(LABEL, _font(unit * 0.026), strength=0.88)
    return _place(lettering, width, height, x=0, y=1, margin=unit * 0.034, inset=unit * 0.026 * _PAD)


def caption_stamp(prompt: str, width: int, height: int) -> Stamp | None:
    """The customer's own words above the label; None when there are none, or not in letters that we have."""
    unit = min(width, height)
    font = _font(unit * 0.036)
    if not prompt or not _can_spell(prompt[:400]):
        return None
    lines = _wrap(prompt, font, width * (0.6 if width > height else 0.82))
    lettering = _letter("\n".join(lines), font, strength=0.95)
    return _place(
        lettering,
        width,
        height,
        x=0,
        y=1,
        margin=unit * 0.034,
        inset=unit * 0.036 * _PAD,
        lift=unit * (0.042 if width > height else 0.11),
    )


def draft_stamp(width: int, height: int) -> Stamp:
    """The tag of a draft, top left."""
    unit = min(width, height)
    lettering = _letter(DRAFT, _font(unit * 0.036), strength=1.0, box=True)
    return _place(lettering, width, height, x=0, y=0, margin=unit * 0.034)


def watermark_stamp(width: int, height: int) -> Stamp:
    """The visible mark of AI content, bottom right."""
    unit = min(width, height)
    lettering = _letter(WATERMARK, _font(unit * 0.034), strength=0.9, box=True)
    return _place(lettering, width, height, x=1, y=1, margin=unit * 0.034)


def _font(size: float) -> _Font:
    """Pillow's own font: nothing may depend on what the system has."""
    return ImageFont.load_default(max(11.0, size))


def _can_spell(text: str) -> bool:
    font = _font(20)
    missing = _shape("\uffff", font)
    return all(_shape(char, font) != missing for char in set(text) if not char.isspace())


def _shape(char: str, font: _Font) -> bytes:
    glyph = Image.new("L", (64, 64))
    ImageDraw.Draw(glyph).text((8, 8), char, fill=255, font=font)
    return glyph.tobytes()


def _wrap(text: str, font: _Font, limit: float) -> list[str]:
    """At most two lines; what does not fit ends in an ellipsis."""
    lines = [""]
    for word in text[:400].split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= limit:
            lines[-1] = longer
        elif len(lines) == 1 and lines[0]:
            lines.append(word)
        else:
            lines[-1] = _cut(longer, font, limit)
            break
    return [_cut(line, font, limit) if font.getlength(line) > limit else line for line in lines]


def _cut(line: str, font: _Font, limit: float) -> str:
    while line and font.getlength(line + "…") > limit:
        line = line[:-1]
    words = line.rsplit(" ", 1)
    return words[0].rstrip(" ,.;:") + "…"


def _letter(text: str, font: _Font, *, strength: float, box: bool = False) -> tuple[Float, Float]:
    """Draw white letters with a soft shadow, or in a dark box with a thin edge. Returns keep and add."""
    probe = ImageDraw.Draw(Image.new("L", (1, 1)))
    size = float(getattr(font, "size", 11))
    left, top, right, bottom = probe.multiline_textbbox((0, 0), text, font=font, spacing=size * 0.3)
    pad = round(size * _PAD)
    width, height = _even(right - left + 2 * pad), _even(bottom - top + 2 * pad)
    letters, shade = Image.new("L", (width, height)), Image.new("L", (width, height))
    at = ((width - right + left) / 2 - left, (height - bottom + top) / 2 - top)
    ImageDraw.Draw(letters).multiline_text(at, text, fill=255, font=font, spacing=size * 0.3)
    if box:
        line = max(1, round(size * 0.05))
        edges = (0, 0, width - 1, height - 1)
        ImageDraw.Draw(shade).rounded_rectangle(edges, size * 0.42, fill=92)
        ImageDraw.Draw(letters).rounded_rectangle(edges, size * 0.42, outline=150, width=line)
    else:
        ImageDraw.Draw(shade).multiline_text(at, text, fill=255, font=font, spacing=size * 0.3)
        shade = shade.filter(ImageFilter.GaussianBlur(size * 0.22)).point([min(255, v * 3 // 2) for v in range(256)])
    ink = np.asarray(letters, _F32) * _F32(strength / 255)
    dark = np.asarray(shade, _F32) * _F32(0.62 / 255 if not box else 1 / 255)
    return (1 - dark) * (1 - ink), 16 * dark * (1 - ink) + 235 * ink


def _place(
    lettering: tuple[Float, Float],
    width: int,
    height: int,
    *,
    x: int,
    y: int,
    margin: float,
    inset: float = 0,
    lift: float = 0,
) -> Stamp:
    """Set lettering into a corner (0 is left or top), cut to the frame, on even pixels."""
    keep, add = (part[: height & ~1, : width & ~1] for part in lettering)
    free_x, free_y = width - keep.shape[1], height - keep.shape[0]
    left = min(margin - inset, free_x) if x == 0 else max(free_x - margin, 0)
    top = min(margin, free_y) if y == 0 else max(free_y - margin + inset - lift, 0)
    return Stamp(left=int(left) & ~1, top=int(top) & ~1, keep=keep, add=add)


def _even(value: float) -> int:
    return (int(value) + 2) & ~1
