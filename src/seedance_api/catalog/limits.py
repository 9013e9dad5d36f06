"""What an input file may be: the one table that inspection, the catalogue's check, `GET /v1/models` and the docs read.

A file that fits `WIDEST` is taken in; one that fits a model's own limits is taken by a create with that model.
Sources: ModelArk 1520757 (input sections of `content`), 2607688 (PCM in MOV), the asset library's page (23.8 frames).
"""

import msgspec

from seedance_api.catalog.order import Kind

# MB is read as 10^6 bytes, the smaller reading of the vendor's page.
MB = 1_000_000


class ImageLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds for one picture; sides and aspect (width / height) must lie strictly between theirs."""

    media_types: tuple[str, ...]
    """The types taken."""
    max_bytes: int
    """An image must be smaller."""
    sides: tuple[int, int]
    """Each side must lie between these, in pixels, and equal neither."""
    aspect: tuple[float, float]
    """So must width / height."""


class VideoLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds for one clip, and for the length of all of them together.

    Lengths and frame rates count rounded to `rounds_to`: "15 seconds" of 29.97 frames a second are 15.015 s long.
    """

    media_types: tuple[str, ...]
    """The types taken."""
    video_codecs: tuple[str, ...]
    """The codecs of the picture."""
    audio_codecs: tuple[str, ...]
    """The codecs of the sound."""
    mov_audio_codecs: tuple[str, ...] = ()
    """Further codecs of the sound, in MOV only."""
    max_bytes: int
    """The largest file."""
    sides: tuple[int, int]
    """Each side must lie between these, in pixels, and equal neither."""
    aspect: tuple[float, float]
    """So must width / height."""
    pixels: tuple[int, int]
    """Fewest and most pixels of a frame."""
    fps: tuple[float, float]
    """Fewest and most frames a second."""
    seconds: tuple[float, float]
    """Shortest and longest clip."""
    total_seconds: float
    """The longest of all clips together."""
    edit_seconds: tuple[float, float] | None = None
    """Shortest and longest clip to be edited."""
    rounds_to: float = 0.1
    """Lengths and frame rates count rounded to this."""


class AudioLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds for one sound, and for the length of all of them together; lengths count rounded to `rounds_to`."""

    media_types: tuple[str, ...]
    """The types taken."""
    max_bytes: int
    """The largest file."""
    seconds: tuple[float, float]
    """Shortest and longest sound."""
    total_seconds: float
    """The longest of all sounds together."""
    rounds_to: float = 0.1
    """Lengths count rounded to this."""


class InputLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What each kind of input may be; None where the model takes none."""

    image: ImageLimits
    video: VideoLimits | None = None
    audio: AudioLimits | None = None


_SIDES = (300, 6000)
_ASPECT = (0.4, 2.5)
_IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/tiff", "image/gif")

_IMAGE_1_0 = ImageLimits(media_types=_IMAGE_TYPES, max_bytes=30 * MB, sides=_SIDES, aspect=_ASPECT)
_IMAGE = msgspec.structs.replace(_IMAGE_1_0, media_types=(*_IMAGE_TYPES, "image/heic", "image/heif"))
_VIDEO_2_0 = VideoLimits(
    media_types=("video/mp4", "video/quicktime"),
    video_codecs=("h264", "hevc"),
    audio_codecs=("aac", "mp3"),
    max_bytes=200 * MB,
    sides=_SIDES,
    aspect=_ASPECT,
    pixels=(407_696, 8_295_044),
    # The create page says 24; the asset library takes 23.8, and so 24000/1001, which is what "24p" is.
    fps=(23.8, 60),
    seconds=(2, 15),
    total_seconds=15,
)
_VIDEO_2_5 = msgspec.structs.replace(
    _VIDEO_2_0, mov_audio_codecs=("pcm",), seconds=(2, 30), total_seconds=30, edit_seconds=(4, 30)
)
_AUDIO_2_0 = AudioLimits(media_types=("audio/wav", "audio/mpeg"), max_bytes=15 * MB, seconds=(2, 15), total_seconds=15)
_AUDIO_2_5 = msgspec.structs.replace(_AUDIO_2_0, seconds=(2, 30), total_seconds=30)

INPUT_2_5 = InputLimits(image=_IMAGE, video=_VIDEO_2_5, audio=_AUDIO_2_5)
INPUT_2_0 = InputLimits(image=_IMAGE, video=_VIDEO_2_0, audio=_AUDIO_2_0)
INPUT_1_5 = InputLimits(image=_IMAGE)
INPUT_1_0 = InputLimits(image=_IMAGE_1_0)

WIDEST_IMAGE, WIDEST_VIDEO, WIDEST_AUDIO = _IMAGE, _VIDEO_2_5, _AUDIO_2_5
"""What some model takes, of each kind: what an upload takes. A test compares them with every model's."""

WIDEST: dict[Kind, ImageLimits | VideoLimits | AudioLimits] = {
    Kind.IMAGE: WIDEST_IMAGE,
    Kind.VIDEO: WIDEST_VIDEO,
    Kind.AUDIO: WIDEST_AUDIO,
}

NAMES: dict[str, str] = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WebP",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/gif": "GIF",
    "image/heic": "HEIC",
    "image/heif": "HEIF",
    "video/mp4": "MP4",
    "video/quicktime": "MOV",
    "audio/wav": "WAV",
    "audio/mpeg": "MP3",
}
"""What people call the kinds of files that are taken."""

CODEC_NAMES = {"h264": "H.264", "hevc": "H.265", "aac": "AAC", "mp3": "MP3", "pcm": "PCM"}


def files_taken(kind: Kind | None = None) -> str:
    """The kinds of files that are taken, in words; of one kind of media, or of all."""
    named = [listed([NAMES[one] for one in WIDEST[each].media_types]) for each in Kind if kind in (None, each)]
    if len(named) == 1:
        return named[0]
    images, videos, sounds = named
    return f"images as {images}; videos as {videos}; sounds as {sounds}"


def listed(names: list[str]) -> str:
    """Names in words."""
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
