"""What marking costs a video, what a label does, and how long a verification looks: `python -m bench.marking`.

The file is the sandbox's own, five seconds in 720p; each figure is the median of some runs.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import av
import msgspec

from seedance_api.delivery import certificate, verify
from seedance_api.delivery.confined import Label, LabelQuestion
from seedance_api.delivery.issue import issue
from seedance_api.delivery.mark import Marked, Marking, Origin, Unsigned, content_id, mark
from seedance_api.foundation.confine import Confine

_RUNS = 10
_SECONDS, _SIZE = 5, (1280, 720)


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="bench-marking-") as name:
        asyncio.run(_measure(Path(name)))


async def _measure(folder: Path) -> None:
    clip, confine = _film(folder / "clip.mp4"), Confine(slots=1)
    ours = issue(folder / "marking", "Bench")
    marking = Marking(operator="Bench", certificate=ours)
    origin = Origin(model="seedance-2.0-mini", sandbox=False, composite=False, content_id=content_id("vid_bench"))
    marked = folder / "marked"
    marked.mkdir()

    async def sign() -> None:
        files = [Unsigned("video.mp4", str(clip), "video/mp4", parent=str(clip))]
        assert isinstance(await mark(files, marked, origin, marking, confine), Marked)

    async def look() -> None:
        seen = await verify.look(marked / "video.mp4", certificate.recognised(ours), confine)
        assert isinstance(seen, verify.Seen)
        assert seen.ours

    async def label() -> None:
        question = LabelQuestion(
            label=Label(text="AI-generated", seconds=2),
            producer="Bench",
            content_id="x",
            video=(str(clip), str(folder / "labelled.mp4")),
            pictures=(),
        )
        answer = await confine.run(
            "seedance_api.delivery.label", msgspec.json.encode(question), seconds=300, memory_bytes=3 << 30,
            cpu_seconds=300,
        )  # fmt: skip
        assert answer == b"true"

    print(f"the clip:     {clip.stat().st_size:,} bytes")
    print(f"marking:      {await _median(sign, _RUNS):.3f} s")
    print(f"its growth:   {(marked / 'video.mp4').stat().st_size - clip.stat().st_size:,} bytes")
    print(f"verification: {await _median(look, _RUNS):.3f} s")
    print(f"labelling:    {await _median(label, 3):.3f} s")


async def _median(verb: Callable[[], Awaitable[None]], runs: int) -> float:
    times: list[float] = []
    for _ in range(runs):
        started = time.perf_counter()
        await verb()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _film(path: Path) -> Path:
    """Moving stripes, five seconds in 720p."""
    width, height = _SIZE
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=24, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(24 * _SECONDS + 1):
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane in frame.planes:
                row = bytes((at + 3 * number) * 5 % 220 + 16 for at in range(plane.line_size))
                plane.update(row * plane.height)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


if __name__ == "__main__":
    main()
