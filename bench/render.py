"""The sandbox's render of a video, against FFmpeg's own test pattern of the same size and length."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from bench.figures import Figure, ratios, take_turns
from bench.seed import PROMPT
from bench.stage import Stage, tool
from seedance_api.catalog import check as catalog
from seedance_api.catalog.request import Request
from seedance_api.providers.provider import Commission, Done
from seedance_api.providers.sandbox.child import render_in_child


def measure(stage: Stage) -> list[Figure]:
    """Wall clock from the start of the process to its end, both encoded with x264."""
    ffmpeg = tool("ffmpeg")
    folder = stage.folder / "render"
    folder.mkdir()
    takes = iter(range(1, 1000))

    def ours() -> float:
        room = folder / f"take-{next(takes)}"
        room.mkdir()
        started = time.monotonic()
        result = asyncio.run(render_in_child(_commission(), [], room, lambda _: None))
        spent = time.monotonic() - started
        assert isinstance(result, Done), result
        assert (room / "video.mp4").stat().st_size > 100_000
        return spent

    def theirs() -> float:
        out = folder / "pattern.mp4"
        source = "testsrc2=size=1280x720:rate=24:duration=5.0417"
        started = time.monotonic()
        command = [ffmpeg, "-nostdin", "-loglevel", "error", "-y", "-f", "lavfi", "-i", source]
        stage.run([*command, "-c:v", "libx264", "-pix_fmt", "yuv420p", str(out)], 120)
        return time.monotonic() - started

    stage.say("5 s of 720p with sound, seconds")
    found = take_turns(stage.rounds if stage.quick else 5, stage.say, ours=ours, ffmpeg=theirs)
    return [_figure(found)]


def _commission() -> Commission:
    request = Request(
        model="seedance-2.0-mini",
        prompt=PROMPT,
        duration=5,
        resolution="720p",
        ratio="16:9",
        seed=7,
        generate_audio=True,
    )
    accepted = catalog.check(request)
    assert isinstance(accepted, catalog.Accepted), accepted
    return Commission(
        attempt_id="bench",
        order=accepted.order,
        prompt=PROMPT,
        deadline_at=datetime.now(UTC) + timedelta(hours=1),
    )


def _figure(found: dict[str, list[float]]) -> Figure:
    return Figure(
        name="sandbox render over FFmpeg",
        how="5 s of 1280×720 with sound, in the child process of production, over `ffmpeg -f lavfi -i "
        "testsrc2=size=1280x720:rate=24:duration=5.0417 -c:v libx264 -pix_fmt yuv420p` (no sound). Ours runs at nice 5",
        values=ratios(found["ours"], found["ffmpeg"]),
        sides=found,
        side_unit="s",
        bar=1.5,
        is_minimum=False,
    )
