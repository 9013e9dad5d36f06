"""Label: burn a visible text into the first seconds of a video, in a process of its own (`foundation.confine`).

The sound and the file's metadata are copied; the picture is encoded anew, each frame at its own time, so that length
and frames stay. Metadata `AIGC` says the same for machines, as GB 45438-2025 has it, unless the provider's is there.
"""
# PyAV types its codecs' options as unknown
# pyright: reportUnknownMemberType=false

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import msgspec
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, WebPImagePlugin

from seedance_api.delivery.confined import Label, LabelQuestion

_SIZE = 22  # lines of the label in the height of the picture
_LEAST_PIXELS = 16
_WHITE, _BLACK, _GREY = 235, 16, 128
_OPACITY = 0.72
_QUALITY = {"preset": "veryfast", "crf": "18"}
# What Pillow would else look for among all its formats, once more in each child.
_LOADED = (WebPImagePlugin,)
_Bytes = NDArray[np.uint8]


def check(label: Label) -> None:
    """Raises ValueError when the label's text cannot be written with its font."""
    try:
        font = _font(label, 32)
    except OSError:
        raise ValueError(f"{label.font} is no font that can be read") from None
    nothing = _shape("\U0010ffff", font)
    missing = sorted({letter for letter in label.text if not letter.isspace() and _shape(letter, font) == nothing})
    if missing:
        raise ValueError(
            f"the label's font has no letter for {' '.join(missing)}; name one that has in SEEDANCE_LABEL_FONT"
        )


def _shape(char: str, font: ImageFont.FreeTypeFont) -> bytes:
    picture = Image.new("L", (64, 64))
    ImageDraw.Draw(picture).text((8, 8), char, fill=255, font=font)
    return picture.tobytes()


def main() -> None:
    """Answer on standard output whether it was done."""
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=LabelQuestion)
    try:
        aigc = {"Label": "1", "ContentProducer": question.producer, "ProduceID": question.content_id}
        write_video(*map(Path, question.video), label=question.label, aigc=aigc)
        for source, target in question.pictures:
            write_picture(Path(source), Path(target), question.label)
        done = True
    except (av.error.FFmpegError, OSError, ValueError):
        done = False
    sys.stdout.buffer.write(msgspec.json.encode(done))


def write_video(source: Path, target: Path, *, label: Label, aigc: dict[str, str]) -> None:
    """The same video with the label in its first seconds."""
    options = {"movflags": "+faststart+use_metadata_tags"}
    with (
        av.open(str(source), format="mp4") as found,
        av.open(str(target), "w", format="mp4", options=options) as made,
    ):
        made.metadata.update({"AIGC": msgspec.json.encode(aigc).decode()} | found.metadata)
        video = found.streams.video[0]
        out = _like(video, made.add_stream("libx264", rate=video.average_rate, options=_QUALITY))
        sounds = list(found.streams.audio)
        copies = {sound.index: made.add_stream_from_template(sound) for sound in sounds}
        plate = _plate(label, video.codec_context.width, video.codec_context.height)
        for packet in found.demux([video, *sounds]):
            if packet.stream.index in copies:
                if packet.dts is not None:  # not the one that flushes the decoder
                    packet.stream = copies[packet.stream.index]
                    made.mux(packet)
                continue
            for frame in packet.decode():
                assert isinstance(frame, VideoFrame)
                made.mux(out.encode(_labelled(frame, plate, label.seconds)))
        made.mux(out.encode(None))


def _like(video: VideoStream, out: VideoStream) -> VideoStream:
    """Set the encoder up for pictures as they were. Each keeps its time: it is counted in the same units."""
    given, context = video.codec_context, out.codec_context
    context.width, context.height, context.pix_fmt = given.width, given.height, "yuv420p"
    context.time_base = video.time_base or Fraction(1, 24)
    context.thread_count = 2
    for name in ("color_range", "color_primaries", "color_trc", "colorspace"):
        setattr(context, name, getattr(given, name))
    return out


def _labelled(frame: VideoFrame, plate: "_Plate", seconds: int) -> VideoFrame:
    time, base = frame.pts, frame.time_base
    if frame.time >= seconds:
        out = frame.reformat(format="yuv420p")
    else:
        pixels = np.ascontiguousarray(frame.reformat(format="yuv420p").to_ndarray(), np.uint8)
        plate.press(pixels)
        out = VideoFrame.from_ndarray(pixels, format="yuv420p")
    out.pts, out.time_base, out.pict_type = time, base, 0  # the encoder chooses what kind of picture it is
    return out


def write_picture(source: Path, target: Path, label: Label) -> None:
    """The same picture with the label."""
    with Image.open(source, formats=("PNG", "JPEG", "WEBP")) as image:
        form, picture = image.format, image.convert("RGB")
    letters = _letters(label, *picture.size)
    grey = Image.fromarray(letters)
    shade = Image.new("L", grey.size, round(255 * _OPACITY))
    picture.paste((0, 0, 0), _corner(*picture.size), shade)
    picture.paste((255, 255, 255), _corner(*picture.size), grey)
    picture.save(target, form, **({"quality": 85} if form != "PNG" else {}))


class _Plate:
    """A dark plate with white letters on it, for a corner of a picture in YUV 4:2:0."""

    def __init__(self, letters: _Bytes, corner: tuple[int, int], width: int, height: int) -> None:
        strength = letters.astype(np.float32) / 255
        self._letters = strength * _WHITE + (1 - strength) * _BLACK
        self._keep = (1 - strength) * (1 - _OPACITY)
        self._corner, self._width, self._height = corner, width, height

    def press(self, pixels: _Bytes) -> None:
        """Put it on the picture: the luma first, then the two planes of colour at half the size, all in one array."""
        (x, y), (rows, columns) = self._corner, self._keep.shape
        area = pixels[y : y + rows, x : x + columns]
        area[:] = (area * self._keep + self._letters * (1 - self._keep)).astype(np.uint8)
        flat, half = pixels.reshape(-1), (self._height // 2, self._width // 2)
        start, size = self._width * self._height, half[0] * half[1]
        keep = self._keep[::2, ::2]
        for plane in (flat[start : start + size], flat[start + size : start + 2 * size]):
            area = plane.reshape(half)[y // 2 : (y + rows) // 2, x // 2 : (x + columns) // 2]
            area[:] = (area * keep + _GREY * (1 - keep)).astype(np.uint8)


def _plate(label: Label, width: int, height: int) -> _Plate:
    return _Plate(_letters(label, width, height), _corner(width, height), width, height)


def _letters(label: Label, width: int, height: int) -> _Bytes:
    """How much of each pixel of the plate is letter, 0 to 255. It is made smaller where the text would not fit."""
    size = max(_LEAST_PIXELS, min(width, height) // _SIZE)
    x, _ = _corner(width, height)
    while (box := _font(label, size).getbbox(label.text))[2] > width - 3 * x and size > 6:
        size -= 1
    pad = size // 2
    sides = (_even(box[2] + 2 * pad), _even(box[3] + 2 * pad))
    picture = Image.new("L", (min(sides[0], width - x), min(sides[1], height // 2)))
    ImageDraw.Draw(picture).text((pad, pad), label.text, fill=255, font=_font(label, size))
    return np.asarray(picture)


def _corner(width: int, height: int) -> tuple[int, int]:
    """Top left, a little inside. Even, for a pixel of colour covers two by two."""
    inset = _even(min(width, height) // 36)
    return inset, inset


def _even(number: float) -> int:
    return int(number) // 2 * 2


def _font(label: Label, size: int) -> ImageFont.FreeTypeFont:
    font: Any = ImageFont.truetype(label.font, size) if label.font else ImageFont.load_default(size)
    return font


if __name__ == "__main__":
    main()
