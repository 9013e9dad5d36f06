"""Produce: from a job in a folder to a finished video, a last frame and a result in the same folder."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path

import msgspec

from seedance_api.catalog.order import Kind
from seedance_api.providers.provider import Commission, Done, Failed
from seedance_api.providers.sandbox.child import Job, Result
from seedance_api.providers.sandbox.film import save_last_frame, shoot
from seedance_api.providers.sandbox.footage import has_sound, read_sound
from seedance_api.providers.sandbox.magic import Magic, Spell, read_magic
from seedance_api.providers.sandbox.paint import Material, Painter
from seedance_api.providers.sandbox.pixels import InputUnreadableError
from seedance_api.providers.sandbox.plan import Plan, Shot, describe, make_plan
from seedance_api.providers.sandbox.sound import Pad, Tape, Track

_REPORT_SECONDS = 0.25
_FAILED = Failed(code="provider_failed", message="The render failed (sandbox).")
_WITHHELD = Failed(code="output_moderated", message="The finished video was withheld by moderation (sandbox).")
_UNREADABLE = Failed(code="input_unreadable", message="An input file could not be read as what it is said to be.")


class _StruckError(Exception):
    """The magic value `fail` has struck."""


def produce(folder: Path) -> None:
    """Read `job.json`, write `video.mp4`, `last_frame.png` if ordered, and `result.json` at the very end."""
    job = msgspec.json.decode((folder / "job.json").read_bytes(), type=Job)
    magic = read_magic(job.commission.prompt)
    assert isinstance(magic, Magic)
    try:
        result = _render(job, folder, magic)
    except InputUnreadableError:
        result = _UNREADABLE
    except _StruckError:
        result = _FAILED
    if Spell.OUTPUT_MODERATED in magic and isinstance(result, Done):
        result = _WITHHELD
    if Spell.BROKEN in magic:
        video = folder / "video.mp4"
        with video.open("r+b") as file:
            file.truncate(video.stat().st_size // 2)
    (folder / "result.json").write_bytes(msgspec.json.encode(result))


def _render(job: Job, folder: Path, magic: Magic) -> Result:
    commission = job.commission
    order = commission.order
    plan = make_plan(commission)
    given = zip(commission.inputs, job.files, strict=True)
    materials = [Material(one, folder / name) for one, name in given]
    watch = _Watch(plan, magic)
    with ExitStack() as stack:
        painter = Painter(plan, materials, stack)
        track = _make_track(plan, materials) if order.generate_audio else None
        shoot(painter, track, folder / "video.mp4", watch.after_frame)
        if order.return_last_frame:
            save_last_frame(painter, folder / "video.mp4", folder / "last_frame.png")
    return Done(describe(plan, input_video_seconds=_video_seconds(commission), last_frame=order.return_last_frame))


def _make_track(plan: Plan, materials: list[Material]) -> Track:
    """The reference audio, or in an edit the clip's own sound."""
    kind = Kind.VIDEO if plan.shot is Shot.EDIT else Kind.AUDIO
    paths = [m.path for m in materials if m.input.kind in {Kind.AUDIO, kind} and has_sound(m.path)]
    tape = Tape(piece for path in paths for piece in read_sound(path)) if paths else None
    return Track(Pad(plan.draw("sound"), plan.seconds), tape)


def _video_seconds(commission: Commission) -> float:
    return commission.order.input_video_seconds or sum(
        i.seconds or 0.0 for i in commission.inputs if i.kind is Kind.VIDEO
    )


class _Watch:
    """Reports progress on standard output a few times a second, and works the magic that concerns time."""

    def __init__(self, plan: Plan, magic: Magic) -> None:
        self.frames, self.magic = plan.frames, magic
        self.started_at = time.monotonic()
        self.reported_at = 0.0

    def after_frame(self, done: int) -> None:
        """Called with the number of frames that are encoded."""
        if Spell.FAIL in self.magic and done > self.frames // 3:
            raise _StruckError
        self._report(done)
        due = self.started_at + self.magic.slow_seconds * done / self.frames
        while time.monotonic() < due:
            time.sleep(min(0.25, max(0.0, due - time.monotonic())))

    def _report(self, done: int) -> None:
        now = time.monotonic()
        if now - self.reported_at >= _REPORT_SECONDS:
            self.reported_at = now
            sys.stdout.write(f"{done * 98 // self.frames}\n")
            sys.stdout.flush()
