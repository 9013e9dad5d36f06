"""The child of `inspect`: looks into strangers' files under `foundation.confine`, a line of answer for each.

Never imported by the service: the decoders live in this process only. Images are re-encoded through a fresh
one, so nothing but pixels survives: no EXIF, GPS, comment, XMP, profile or bytes after the end.
"""

import errno
import hashlib
import io
import sys
import warnings
from pathlib import Path
from typing import Any, assert_never, cast

import msgspec
import pillow_heif
from PIL import ExifTags, Image, ImageCms, JpegImagePlugin, TiffImagePlugin, WebPImagePlugin

from seedance_api.catalog.limits import WIDEST_IMAGE
from seedance_api.catalog.misfit import widest_misfits
from seedance_api.catalog.order import Kind
from seedance_api.catalog.request import Facts
from seedance_api.references import probe
from seedance_api.references.inspect import NO_ROOM, READY, TOO_MUCH, UNREADABLE, Found, Refused, Work

MAX_PIXELS = 40_000_000

_FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/heic": "HEIF",
    "image/heif": "HEIF",
}
# Quality and chroma subsampling (0 is 4:4:4, 2 is 4:2:0): the first that fits under the cap.
_JPEG = ((95, 0), (90, 2), (75, 2))
_PNG_LEVEL = 3


# What Pillow would else look for among all its formats, once more in each child.
_LOADED = (TiffImagePlugin, WebPImagePlugin)
Image.preinit()


def main() -> None:
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    heif = cast("Any", pillow_heif)  # its signature has no types
    heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    _say(READY)
    for work in msgspec.json.decode(sys.stdin.buffer.read(), type=list[Work]):
        _say(msgspec.json.encode(_answer(work)))


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def _answer(work: Work) -> Found | Refused:
    try:
        facts = _look(work)
        if isinstance(facts, Refused):
            return facts
        kept = work.clean if work.media_type in _FORMATS else work.path
        with Path(kept).open("rb") as file:
            return Found(hashlib.file_digest(file, "sha256").hexdigest(), facts)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        least, most = WIDEST_IMAGE.sides
        words = f"over {MAX_PIXELS} pixels: each side must be over {least} and under {most} px"
        return Refused("media_too_large", words)
    except MemoryError:
        return TOO_MUCH
    except OSError as error:
        return NO_ROOM if error.errno in (errno.ENOSPC, errno.EDQUOT) else UNREADABLE
    except Exception:  # noqa: BLE001 – a decoder may raise anything, and all of it means the same
        return UNREADABLE


def _look(work: Work) -> Facts | Refused:
    kind = Kind(work.media_type.partition("/")[0])
    match kind:
        case Kind.IMAGE:
            return _image(work)
        case Kind.VIDEO:
            return probe.video(work)
        case Kind.AUDIO:
            return probe.sound(work)
        case _:
            assert_never(kind)


def _image(work: Work) -> Facts | Refused:
    form = _FORMATS[work.media_type]
    with Image.open(work.path, formats=[form]) as opened:
        refused = _shape(opened, work)
        if refused is not None:
            return refused
        opened.load()
        pixels = _turned(_srgb(opened), _orientation(opened))
    fresh = Image.new(pixels.mode, pixels.size)
    fresh.paste(pixels)
    lossy = form in {"JPEG", "HEIF"} or (form == "WEBP" and _lossy_webp(work.path))
    media_type = _write(fresh, Path(work.clean), work.image_bytes, lossy=lossy)
    if media_type is None:
        return Refused("media_too_large", f"re-encoded it is still over {work.image_bytes / 1e6:g} MB")
    size = Path(work.clean).stat().st_size
    return Facts(media_type=media_type, bytes=size, width=fresh.width, height=fresh.height)


def _shape(image: Image.Image, work: Work) -> Refused | None:
    """Whether one picture of a size that some model takes; all read from headers, nothing is decoded yet."""
    if _moves(image):
        return Refused("media_animated", "the file holds several pictures: send one as a file of its own")
    if image.mode in {"I", "F"}:
        return Refused("media_depth", "32 bits a channel: an image may have 8 or 16")
    size = Path(work.path).stat().st_size
    facts = Facts(media_type=work.media_type, bytes=size, width=image.width, height=image.height)
    return next((Refused(one.code, one.message) for one in widest_misfits(Kind.IMAGE, facts)), None)


_SUBFILE_TYPE, _SMALLER = 254, 1
"""A tag of TIFF, and the bit of it that marks a page as a smaller version of another one."""
_PAGES_MOST = 16
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _moves(image: Image.Image) -> bool:
    """Whether which of several pictures is meant cannot be told.

    It can where one is the picture and the others accompany it, and then that one is open already: the first of a
    JPEG, behind which cameras put a preview, a depth map or a second view (CIPA DC-007); the primary one of HEIC; and
    the one page of a TIFF that is no smaller version of it.
    """
    if isinstance(image, JpegImagePlugin.JpegImageFile) or image.format == "HEIF":
        return False
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return image.n_frames > 1 and not _only_smaller(image)
    return bool(getattr(image, "is_animated", False))


def _only_smaller(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Whether all pages but the first are smaller versions of another one."""
    if image.n_frames > _PAGES_MOST:
        return False
    flags: list[int] = []
    for page in range(1, image.n_frames):
        image.seek(page)
        flags.append(int(image.tag_v2.get(_SUBFILE_TYPE, 0)))
    image.seek(0)
    return all(flag & _SMALLER for flag in flags)


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    method = _TURNS.get(orientation)
    return image if method is None else image.transpose(method)


def _orientation(image: Image.Image) -> int:
    """How it is to be turned, as its EXIF says. A damaged EXIF says nothing, and must not cost the picture."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 – Pillow raises whatever the damage leads to
        return 1


def _srgb(image: Image.Image) -> Image.Image:
    """Any mode and profile to RGB or, where something shows through, RGBA, in sRGB."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16"):  # convert() would clip, not scale
        image.info.pop("transparency", None)
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.mode == "1":
        image = image.convert("L")
    alpha = image.has_transparency_data
    if alpha or image.mode == "P":
        image = image.convert("RGBA" if alpha else "RGB")
    target = "RGBA" if alpha else "RGB"
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = cast("Any", ImageCms).createProfile("sRGB")
            image = ImageCms.profileToProfile(image, source, srgb, outputMode=target) or image
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # a profile that does not fit its image is as good as none
    image = image if image.mode == target else image.convert(target)
    if alpha and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    return image


def _lossy_webp(path: str) -> bool:
    """Whether the picture is a `VP8 ` chunk and not a `VP8L` one (developers.google.com, WebP container)."""
    with Path(path).open("rb") as file:
        file.seek(12)
        for _ in range(16):
            name, size = file.read(4), int.from_bytes(file.read(4), "little")
            if name in {b"VP8 ", b"VP8L"}:
                return name == b"VP8 "
            file.seek(size + size % 2, io.SEEK_CUR)
    return False


def _write(image: Image.Image, to: Path, most_bytes: int, *, lossy: bool) -> str | None:
    """Save under the cap and say as what: a PNG that is too large becomes a JPEG, on white."""
    if image.mode == "RGBA" or not lossy:
        image.save(to, "PNG", compress_level=_PNG_LEVEL)
        if to.stat().st_size <= most_bytes:
            return "image/png"
    if image.mode == "RGBA":
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        image = white
    for quality, subsampling in _JPEG:
        image.save(to, "JPEG", quality=quality, subsampling=subsampling)
        if to.stat().st_size <= most_bytes:
            return "image/jpeg"
    return None


if __name__ == "__main__":
    main()
