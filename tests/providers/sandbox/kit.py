"""What the sandbox's tests share: commissions, input files, renders in this process, and what is in a file."""

import asyncio
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import msgspec
import numpy as np
from PIL import Image

from seedance_api.catalog.order import Kind, Mode, Order, Role
from seedance_api.providers.provider import Check, Commission, Done, Failed, Input, Operation, Pending, Provider, Search
from seedance_api.providers.sandbox.order import make_job, outcome
from seedance_preview.job import Result
from seedance_preview.plan import Plan, make_plan
from seedance_preview.produce import produce

PROMPT = "A quiet lake under the stars"


def order(**changes) -> Order:
    """A second of 480p without sound, unless changed."""
    base = {
        "model": "seedance-2.0-mini",
        "mode": Mode.TEXT,
        "resolution": "480p",
        "ratio": "16:9",
        "width": 320,
        "height": 180,
        "duration": 5,
        "frames": 25,
        "seconds": 5,
        "seed": 7,
        "generate_audio": False,
    }
    return Order(**(base | changes))


def commission(attempt_id="att_1", prompt=PROMPT, inputs=(), deadline_seconds=600, **changes) -> Commission:
    return Commission(
        attempt_id=attempt_id,
        order=order(**changes),
        prompt=prompt,
        inputs=tuple(inputs),
        deadline_at=datetime.now(UTC) + timedelta(seconds=deadline_seconds),
    )


def image(role=Role.REFERENCE, key="in/image") -> Input:
    return Input(kind=Kind.IMAGE, role=role, object_key=key, media_type="image/png")


def video(seconds=1.0, key="in/video") -> Input:
    return Input(kind=Kind.VIDEO, role=Role.REFERENCE, object_key=key, media_type="video/mp4", seconds=seconds)


def audio(key="in/audio") -> Input:
    return Input(kind=Kind.AUDIO, role=Role.REFERENCE, object_key=key, media_type="audio/wav")


def landscape(width=640, height=480, hue=0) -> Image.Image:
    """A picture with soft and hard parts in many colours."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    red = 128 + 100 * np.sin(x / width * 5 + hue)
    green = 255 * y / height
    blue = np.where((x - width * 0.6) ** 2 + (y - height * 0.4) ** 2 < (height * 0.2) ** 2, 230, 40 + 30 * hue)
    return Image.fromarray(np.stack([red, green, np.broadcast_to(blue, x.shape)], -1).clip(0, 255).astype(np.uint8))


def plain(rgb, size=(300, 300)) -> Image.Image:
    return Image.new("RGB", size, rgb)


@dataclass
class Take:
    """One render: its result and its files."""

    result: Done | Failed
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "video.mp4"

    def frames(self, *indices: int) -> list[np.ndarray]:
        """Frames as RGB in float."""
        with av.open(self.path) as container:
            every = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
        return [every[i].astype(np.float32) for i in indices]

    def sound(self) -> np.ndarray:
        with av.open(self.path) as container:
            return np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])


_folders = iter(range(1_000_000))


def render(where: Path, files=(), **kwargs) -> Take:
    """Render in this process, as the child does. `files` are the inputs' contents: pictures or paths."""
    folder = where / f"take-{next(_folders)}"
    folder.mkdir()
    names = []
    for i, content in enumerate(files):
        names.append(f"input-{i}")
        if isinstance(content, Image.Image):
            content.save(folder / names[-1], "PNG")
        else:
            (folder / names[-1]).write_bytes(content.read_bytes())
    work = commission(**kwargs)
    job = make_job(work, names)
    (folder / "job.json").write_bytes(msgspec.json.encode(job))
    produce(folder)
    result = msgspec.json.decode((folder / "result.json").read_bytes(), type=Result)
    return Take(outcome(work, job, result), folder)


def plan(work: Commission) -> Plan:
    """What the renderer makes of a commission."""
    return make_plan(make_job(work, [f"input-{i}" for i in range(len(work.inputs))]))


def tone(path: Path, hertz: float, seconds=1.0) -> Path:
    """A WAV file with one tone."""
    t = np.arange(int(seconds * 44100)) / 44100
    data = (np.sin(2 * np.pi * hertz * t) * 12000).astype("<i2").tobytes()
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(data),
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        44100,
        88200,
        2,
        16,
        b"data",
        len(data),
    )
    path.write_bytes(head + data)
    return path


def differ(a: np.ndarray, b: np.ndarray) -> float:
    """The mean absolute difference of two pictures, in levels of 255."""
    return float(np.abs(a.astype(np.float32) - b.astype(np.float32)).mean())


def boxes(path: Path) -> list[str]:
    """The top-level boxes of an MP4, in order."""
    data, names, at = path.read_bytes(), [], 0
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        names.append(name.decode())
        at += size
    return names


async def finished(provider: Provider, operation: Operation, seconds=30.0) -> Check:
    """Check until it is over."""
    async with asyncio.timeout(seconds):
        while isinstance(check := (await provider.check_many([operation]))[0], Pending):
            await asyncio.sleep(0.02)
    return check


def search(attempt_id: str) -> Search:
    """What is known of an attempt without an answer."""
    return Search(
        attempt_id=attempt_id,
        order=order(),
        customer="",
        sent_at=datetime(2026, 1, 1, tzinfo=UTC),
        seconds_since=1.0,
        seconds_left=60.0,
        nonce=0,
    )
