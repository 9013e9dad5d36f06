"""Measure a finished file, in a process of its own: the file came from outside. Run through `foundation.confine`."""

import sys
from pathlib import Path

import av
import av.container
import av.error
import msgspec
from PIL import Image, WebPImagePlugin

from seedance_api.delivery.confined import Measured, MeasureQuestion

_THUMBNAIL = 640
# What Pillow would else look for among all its formats, once more in each child.
_LOADED = (WebPImagePlugin,)
Image.preinit()


def main() -> None:
    """Answer on standard output: the measures, or null for a file that does not play to its end."""
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=MeasureQuestion)
    try:
        answer = measure(Path(question.video), Path(question.thumbnail))
        if answer is not None and question.last_frame is not None:
            kind = look(Path(question.last_frame), (answer.width, answer.height))
            answer = msgspec.structs.replace(answer, last_frame=kind)
    except (av.error.FFmpegError, OSError, ValueError):
        answer = None
    sys.stdout.buffer.write(msgspec.json.encode(answer))


def measure(video: Path, thumbnail: Path) -> Measured | None:
    """Count every packet, decode the first and the last pictures, and write the thumbnail."""
    with av.open(str(video), format="mp4") as container:
        if not container.streams.video:
            return None
        stream = container.streams.video[0]
        frames = 0
        last = 0
        for packet in container.demux(stream):
            if packet.size:
                frames += 1
                last = max(last, packet.pts or 0)
        if not frames or frames != stream.frames or stream.time_base is None or not stream.average_rate:
            return None  # the index promises more than the file holds: it was cut
        if not _decode_end(container, stream.index, last):
            return None
        _write_thumbnail(container, thumbnail)
        return Measured(
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            frames=frames,
            seconds=round(float(frames / stream.average_rate), 6),
            codec=stream.codec_context.name,
            audio=bool(container.streams.audio),
        )


def look(picture: Path, size: tuple[int, int]) -> str | None:
    """The media type of a picture that is whole and of this size. Vendors have sent PNG and JPEG under one name."""
    try:
        with Image.open(picture, formats=("PNG", "JPEG", "WEBP")) as image:
            if image.size != size:
                return None
            image.load()
            return Image.MIME[image.format or ""]
    except (OSError, ValueError, SyntaxError, KeyError):  # Pillow has raised each of them for a damaged file
        return None


def _decode_end(container: av.container.InputContainer, index: int, last: int) -> bool:
    stream = container.streams[index]
    container.seek(last, stream=stream)
    return any(True for _ in container.decode(video=0))


def _write_thumbnail(container: av.container.InputContainer, path: Path) -> None:
    container.seek(0)
    picture = Image.fromarray(next(container.decode(video=0)).to_ndarray(format="rgb24"))
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    picture.save(path, "WEBP", quality=80)


if __name__ == "__main__":
    main()
