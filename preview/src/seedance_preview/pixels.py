"""Full-size pictures as 8-bit 4:2:0 planes: what an encoder takes, painted on in place."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pillow_heif does not say what its options are.

from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
from av import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from PIL import Image, ImageOps

from seedance_preview.canvas import Canvas, Float

Bytes = npt.NDArray[np.uint8]
_KNOWN_SPACES = {s.value for s in Colorspace} - {Colorspace.DEFAULT.value}
_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


class Planes(NamedTuple):
    """Luma and half-size chroma, BT.709 in limited range."""

    y: Bytes
    u: Bytes
    v: Bytes


class InputUnreadableError(Exception):
    """An input file is not what it is said to be."""


def open_picture(path: Path, media_type: str) -> Image.Image:
    """Read a still picture, upright and opaque. Raises InputUnreadableError."""
    try:
        return _open_picture(path, media_type)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputUnreadableError from error


def _open_picture(path: Path, media_type: str) -> Image.Image:
    if media_type in {"image/heic", "image/heif"}:
        from pillow_heif import register_heif_opener  # noqa: PLC0415 - rare, and slow to load

        register_heif_opener()
    with Image.open(path) as picture:
        upright = ImageOps.exif_transpose(picture)
        if upright.mode in {"RGBA", "LA", "PA"} or "transparency" in upright.info:
            layer = upright.convert("RGBA")
            return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
        return upright.convert("RGB")


def cover(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Crop around the centre to the ratio and scale to the size."""
    return ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)


def to_planes(picture: Image.Image) -> Planes:
    """Convert an RGB picture of even size."""
    frame = VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
    return planes_of(
        VideoReformatter().reformat(
            frame,
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            dst_colorspace=Colorspace.ITU709,
            interpolation=_SCALING,
            threads=1,
        )
    )


def to_picture(frame: VideoFrame) -> Image.Image:
    """Convert a frame in BT.709 to RGB."""
    rgb = VideoReformatter().reformat(
        frame,
        format="rgb24",
        src_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=_SCALING,
        threads=1,
    )
    return Image.fromarray(rgb.to_ndarray())


def planes_of(frame: VideoFrame) -> Planes:
    """The planes of a yuv420p frame; writing to them writes to the frame."""
    w, h = frame.width, frame.height
    y, u, v = frame.planes[:3]
    return Planes(_view(y, w, h), _view(u, w // 2, h // 2), _view(v, w // 2, h // 2))


def enlarge(canvas: Canvas, width: int, height: int) -> VideoFrame:
    """Scale a canvas to a frame. The twelve bits in between are what keeps the gradients smooth."""
    deep = VideoFrame(canvas.width, canvas.height, "yuv420p12le")
    for plane, values in zip(deep.planes, (canvas.y, canvas.u, canvas.v), strict=True):
        rows = np.frombuffer(cast("bytearray", plane), np.uint16).reshape(-1, plane.line_size // 2)
        np.multiply(values, np.float32(16), out=rows[: values.shape[0], : values.shape[1]], casting="unsafe")
    return scale(deep, width, height)


def enlarge_map(values: Float, width: int, height: int) -> Bytes:
    """Scale a map of 0…255 to the size of a plane."""
    small = VideoFrame(values.shape[1], values.shape[0], "gray")
    _view(small.planes[0], small.width, small.height)[:] = values
    large = VideoReformatter().reformat(
        small, width=width, height=height, format="gray", interpolation=Interpolation.BILINEAR, threads=1
    )
    return _view(large.planes[0], width, height)


def scale(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    """Scale to a yuv420p frame in BT.709, limited range; a frame that does not say what it is in is taken for that."""
    stated = frame.colorspace in _KNOWN_SPACES
    return VideoReformatter().reformat(
        frame,
        width=width,
        height=height,
        format="yuv420p",
        src_colorspace=frame.colorspace if stated else Colorspace.ITU709,
        src_color_range=frame.color_range or ColorRange.MPEG,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=_SCALING,
        threads=1,
    )


def _view(plane: VideoPlane, width: int, height: int) -> Bytes:
    return np.frombuffer(cast("bytearray", plane), np.uint8).reshape(-1, plane.line_size)[:height, :width]
