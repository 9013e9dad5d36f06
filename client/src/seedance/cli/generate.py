"""`seedance generate`: from a prompt to a file."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from seedance.cli import options as opt
from seedance.cli.display import Display, open_display
from seedance.cli.download import as_data
from seedance.cli.money import cost_in_words
from seedance.cli.output import INTERRUPTED, OUTAGE_SECONDS, Json, Output, bytes_in_words, session
from seedance.client import Seedance
from seedance.create import VideoOptions
from seedance.objects import Download, Video


def generate(
    prompt: opt.Prompt = None,
    *,
    image: opt.Images = None,
    first_frame: opt.FirstFrame = None,
    last_frame: opt.LastFrame = None,
    reference: opt.References = None,
    model: opt.Model = None,
    duration: opt.Duration = None,
    resolution: opt.Resolution = None,
    ratio: opt.Ratio = None,
    seed: opt.Seed = None,
    audio: opt.Audio = None,
    camera_fixed: opt.CameraFixed = None,
    watermark: opt.Watermark = None,
    draft: opt.Draft = None,
    final_of: opt.FinalOf = None,
    metadata: opt.Metadata = None,
    max_cost: opt.MaxCost = None,
    webhook_url: opt.WebhookUrl = None,
    expires_after: opt.ExpiresAfter = None,
    confirm: opt.Confirm = True,
    last_frame_out: Annotated[Path | None, typer.Option(help="Save the last frame here as well; - for stdout.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to save to; - for stdout [default: ID.mp4].")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for the video and save it, or print its id and return.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Make a video and save it. Outages of a minute are waited for, and nothing is made twice."""
    opt.check_prompt(prompt, final_of)
    request = opt.video_options(
        images=image, first_frame=first_frame, last_frame=last_frame, references=reference, metadata=metadata,
        model=model, duration=duration, resolution=resolution, ratio=ratio, seed=seed, generate_audio=audio,
        camera_fixed=camera_fixed, watermark=watermark, draft=draft, draft_id=final_of, max_cost=max_cost,
        webhook_url=webhook_url, expires_after=expires_after, return_last_frame=True if last_frame_out else None,
    )  # fmt: skip
    for option, path in (("--output", output), ("--last-frame-out", last_frame_out)):
        if path is not None:
            opt.check_output(path, option)
    taken = opt.check_stdout(as_json, output=output, last_frame_out=last_frame_out)
    with session(as_json, stdout_is_taken=taken and wait, outage_seconds=OUTAGE_SECONDS) as (client, out):
        Generation(client, out, output, last_frame_out, confirm=confirm, wait=wait).run(prompt, request)


class Generation:
    """One run: create, wait, download; whatever happens, the user learns the id."""

    def __init__(
        self,
        client: Seedance,
        out: Output,
        output: Path | None,
        last_frame_out: Path | None,
        *,
        confirm: bool,
        wait: bool,
    ) -> None:
        self._client = client
        self._out = out
        self._output = output
        self._last_frame_out = last_frame_out
        self._confirm = confirm
        self._wait = wait
        self._video: Video | None = None

    def run(self, prompt: str | None, request: VideoOptions) -> None:
        try:
            with open_display(self._out) as display:
                video = self._video = self._client.videos.create(prompt, on_upload=display.uploading, **request)
                # From here on the user has something to lose: every error names the id.
                self._out.video_id, self._out.fetching = video.id, self._fetching(video)
                for warning in video.warnings:
                    self._out.note(warning.message, "yellow")
                display.changed(video)
                if not self._wait:
                    self._leave(video)
                    return
                video = self._video = self._client.videos.wait(video, on_change=display.changed)
                download = self._save(video, display)
        except KeyboardInterrupt:
            self._interrupted()
            raise typer.Exit(INTERRUPTED) from None
        self._report(video, download)

    def _fetching(self, video: Video) -> str:
        """The command that ends as this one was to end."""
        words = ["seedance", "download", video.id]
        words += ["-o", str(self._output)] if self._output else []
        return shlex.join(words + ([] if self._confirm else ["--no-confirm"]))

    def _leave(self, video: Video) -> None:
        if self._out.as_json:
            self._out.json(video.raw)
            return
        self._out.line(video.id)
        self._out.note(f"To fetch it: {self._fetching(video)}")

    def _save(self, video: Video, display: Display) -> Download:
        target = self._output or Path(f"{video.id}.mp4")
        if self._last_frame_out:
            # Before the video: once that is delivered, everything may go.
            self._client.videos.download(video, opt.target_of(self._last_frame_out), variant="last_frame")
        target = opt.target_of(target)
        return self._client.videos.download(video, target, confirm=self._confirm, on_progress=display.downloading)

    def _report(self, video: Video, download: Download) -> None:
        if self._out.as_json:
            last_frame = {"last_frame_path": str(self._last_frame_out)} if self._last_frame_out else {}
            self._out.json(as_data(video, download) | last_frame)
            return
        length = f"{video.seconds or video.duration} s" if video.seconds or video.duration else None
        facts = [video.size, length, bytes_in_words(download.bytes), video.id]
        self._out.line(f"✓ {opt.in_words(download.path)}  ({', '.join(fact for fact in facts if fact)})", "green")
        if self._last_frame_out:
            name = None if opt.is_stdout(self._last_frame_out) else str(self._last_frame_out)
            self._out.line(f"✓ {opt.in_words(name)}  (last frame)", "green")
        if video.cost:
            self._out.fact("  cost", cost_in_words(video.cost))

    def _interrupted(self) -> None:
        video = self._video
        if video is None:
            self._out.note("\ninterrupted; if the request had been sent, `seedance list` shows the video")
            return
        if self._out.as_json:
            self._out.json(video.raw)
            return
        if not leaves_it_running():
            video = self._client.videos.cancel(video)
            self._out.note(f"Canceled {video.id}" if video.status == "canceled" else f"{video.id} is {video.status}")
            return
        self._out.note(f"{video.id} continues on the service. To fetch it: {self._fetching(video)}")


def leaves_it_running() -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    try:
        return typer.confirm("\nLeave it running?", default=True, err=True)
    except (typer.Abort, KeyboardInterrupt):
        return True
