"""Get the references and look at them, as Ark does before it answers a create."""

# pyright: reportUnknownMemberType=false
# Pillow's stubs leave the parameters of `open` open.

import asyncio
import base64
import binascii
import io
from dataclasses import dataclass

import av
import httpx
from av.error import FFmpegError
from PIL import Image

from fakes.ark.errors import ArkError
from fakes.ark.intake.order import Content, Medium
from fakes.ark.plan import Seen

_MOST = {"image": 30 * 1024 * 1024, "video": 200 * 1024 * 1024, "audio": 15 * 1024 * 1024}
_FORMATS = {"JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "HEIF"}
_ASSET_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Look:
    shape: float | None = None
    seconds: float = 0.0


async def see(content: Content, client: httpx.AsyncClient | None, *, longest: int) -> Seen:
    """What the references show; without a client, links are not followed."""
    looks: list[tuple[str, _Look]] = []
    for medium in content.media:
        looks.append((medium.kind, await _look(medium, client)))
        medium.url = medium.url[:200]
    seconds = [look.seconds for kind, look in looks if kind == "video"]
    if sum(seconds) > longest + 0.5:
        raise ArkError("InvalidParameter", f"The input videos are longer than {longest} seconds", "content")
    shapes = [look.shape for wanted in ("video", "image") for kind, look in looks if kind == wanted and look.shape]
    return Seen(shape=shapes[0] if shapes else None, input_seconds=sum(round(length) for length in seconds))


async def _look(medium: Medium, client: httpx.AsyncClient | None) -> _Look:
    if medium.url.startswith("asset://") or (client is None and medium.url.startswith("http")):
        return _Look(seconds=_ASSET_SECONDS if medium.kind == "video" else 0.0)
    if medium.url.startswith("data:"):
        data = _decode(medium)
    else:
        assert client is not None
        data = await _download(medium, client)
    if medium.kind == "image":
        return _image(medium, data)
    if medium.kind == "video":
        return await asyncio.to_thread(_video, medium, data)
    if data[:4] != b"RIFF" and data[:3] != b"ID3" and data[:1] != b"\xff":
        raise _bad(medium, "the audio is neither wav nor mp3")
    return _Look()


def _decode(medium: Medium) -> bytes:
    try:
        data = base64.b64decode(medium.url.partition(",")[2], validate=True)
    except binascii.Error:
        raise _bad(medium, "the data is not base64") from None
    if len(data) > _MOST[medium.kind]:
        raise _bad(medium, "the file is too large")
    return data


async def _download(medium: Medium, client: httpx.AsyncClient) -> bytes:
    data, most = bytearray(), _MOST[medium.kind]
    try:
        async with client.stream("GET", medium.url) as response:
            if response.status_code != 200:
                raise _bad(medium, f"downloading it failed with status code {response.status_code}")
            async for piece in response.aiter_bytes():
                data += piece
                if len(data) > most:
                    raise _bad(medium, "the file is too large")
    except (httpx.HTTPError, httpx.InvalidURL):
        raise _bad(medium, "downloading it failed") from None
    return bytes(data)


def _image(medium: Medium, data: bytes) -> _Look:
    try:
        with Image.open(io.BytesIO(data)) as picture:
            width, height, kind = picture.width, picture.height, picture.format
    except (OSError, ValueError, Image.DecompressionBombError):
        if data[4:8] == b"ftyp" and data[8:12] in {b"heic", b"heix", b"mif1", b"heif"}:
            return _Look(shape=1.0)  # it is one, but its size is not looked up
        raise _bad(medium, "the image cannot be decoded") from None
    if kind not in _FORMATS:
        raise _bad(medium, f"the image format {kind} is not supported")
    _check_shape(medium, width, height)
    return _Look(shape=width / height)


def _video(medium: Medium, data: bytes) -> _Look:
    try:
        with av.open(io.BytesIO(data), "r") as container:
            stream = container.streams.video[0]
            width, height = stream.width, stream.height
            seconds = (container.duration or 0) / 1_000_000
    except (FFmpegError, IndexError):
        raise _bad(medium, "the video cannot be decoded") from None
    _check_shape(medium, width, height)
    if seconds < 1.8:
        raise _bad(medium, "the video is shorter than 2 seconds")
    return _Look(shape=width / height, seconds=seconds)


def _check_shape(medium: Medium, width: int, height: int) -> None:
    if not (300 <= width <= 6000 and 300 <= height <= 6000):
        raise _bad(medium, f"{width}x{height}: each side must have 300 to 6000 pixels")
    if not 0.4 <= width / height <= 2.5:
        raise _bad(medium, f"{width}x{height}: width by height must be within 0.4 and 2.5")


def _bad(medium: Medium, why: str) -> ArkError:
    return ArkError(
        "InvalidParameter", f"The parameter `{medium.path}` specified in the request is not valid: {why}", medium.path
    )
