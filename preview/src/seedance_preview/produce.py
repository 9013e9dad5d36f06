"""Produce: from a job in a folder to a finished video, a last frame and a result in the same folder."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path

import msgspec

from seedance_preview.film import save_last_frame, shoot
from seedance_preview.footage import has_sound, read_sound
from seedance_preview.job import Job, NotRendered, Rendered, Result
from seedance_preview.paint import Material, Painter
from seedance_preview.pixels import InputUnreadableError
from seedance_preview.plan import Plan, Shot, make_plan
from seedance_preview.sound import Pad, Tape, Track

_REPORT_SECONDS = 0.25


class _StruckError(Exception):
    """The job was to fail, and has."""


def produce(folder: Path) -> None:
    """Read `job.json`, write `video.mp4`, `last_frame.png` if ordered, and `result.json` at the very end."""
    job = msgspec.json.decode((folder / "job.json").read_bytes(), type=Job)
    try:
        result: Result = _render(job, folder)
    except InputUnreadableError:
        result = NotRendered("input_unreadable")
    except _StruckError:
        result = NotRendered("failed")
    if job.cut and isinstance(result, Rendered):
        video = folder / "video.mp4"
        with video.open("r+b") as file:
            file.truncate(video.stat().st_size // 2)
    (folder / "result.json").write_bytes(msgspec.json.encode(result))


def _render(job: Job, folder: Path) -> Rendered:
    plan = make_plan(job)
    materials = [Material(given, folder / given.file) for given in job.inputs]
    watch = _Watch(plan)
    with ExitStack() as stack:
        painter = Painter(plan, materials, stack)
        track = _make_track(plan, materials) if job.sound else None
        shoot(painter, track, folder / "video.mp4", watch.after_frame)
        if job.last_frame:
            save_last_frame(painter, folder / "video.mp4", folder / "last_frame.png")
    return Rendered(frames=plan.frames, seconds=plan.seconds)


def _make_track(plan: Plan, materials: list[Material]) -> Track:
    """The reference audio, or in an edit the clip's own sound."""
    kind = "video" if plan.shot is Shot.EDIT else "audio"
    paths = [m.path for m in materials if m.input.kind in {"audio", kind} and has_sound(m.path)]
    tape = Tape(piece for path in paths for piece in read_sound(path)) if paths else None
    return Track(Pad(plan.draw("sound"), plan.seconds), tape)


class _Watch:
    """Reports progress on standard output a few times a second, and does what the job wants of time."""

    def __init__(self, plan: Plan) -> None:
        self.frames, self.job = plan.frames, plan.job
        self.started_at = time.monotonic()
        self.reported_at = 0.0

    def after_frame(self, done: int) -> None:
        """Called with the number of frames that are encoded."""
        if self.job.fails and done > self.frames // 3:
            raise _StruckError
        self._report(done)
        due = self.started_at + self.job.slow_seconds * done / self.frames
        while time.monotonic() < due:
            time.sleep(min(0.25, max(0.0, due - time.monotonic())))

    def _report(self, done: int) -> None:
        now = time.monotonic()
        if now - self.reported_at >= _REPORT_SECONDS:
            self.reported_at = now
            sys.stdout.write(f"{done * 98 // self.frames}\n")
            sys.stdout.flush()
