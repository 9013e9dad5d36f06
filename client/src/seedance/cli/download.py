"""`seedance download`: waits for the video if need be, then saves it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seedance.cli.delivery import Variant, VariantOption, end_in_words
from seedance.cli.display import open_display
from seedance.cli.options import Confirm, check_output, check_stdout, in_words, target_of
from seedance.cli.output import OUTAGE_SECONDS, Json, Output, bytes_in_words, session
from seedance.cli.videos import VideoId
from seedance.objects import Download, Video


def download(
    video_id: VideoId,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to save to; - for stdout [default: ID.mp4].")
    ] = None,
    variant: VariantOption = Variant.video,
    confirm: Confirm = True,
    as_json: Json = False,
) -> None:
    """Download a video, waiting until it is finished; verify it and confirm its delivery."""
    target = output or default_name(video_id, variant)
    check_output(target, "--output")
    with session(as_json, stdout_is_taken=check_stdout(as_json, output=target), outage_seconds=OUTAGE_SECONDS) as (
        client,
        out,
    ):
        with open_display(out) as display:
            video = client.videos.wait(client.videos.retrieve(video_id), on_change=display.changed)
            saved = client.videos.download(
                video, target_of(target), variant=variant.value, confirm=confirm, on_progress=display.downloading
            )
        if as_json:
            out.json(as_data(video, saved))
            return
        out.line(f"✓ {in_words(saved.path)}  ({bytes_in_words(saved.bytes)}, {video.id})", "green")
        if confirm and variant is Variant.video:
            note_delivery(video, saved, out)


def as_data(video: Video, saved: Download) -> dict[str, Any]:
    """The video as it is after the download, and the file."""
    file = {
        "path": saved.path,
        "sha256": saved.sha256,
        "verified": saved.verified,
        "confirmed": saved.video is not None,
    }
    return (saved.video or video).raw | file


def note_delivery(video: Video, saved: Download, out: Output) -> None:
    if saved.video is not None:
        out.note(f"It {end_in_words(saved.video)}.")
    elif not saved.verified:
        out.note(f"The service gave no digest to verify it by. If it is good: seedance delivered {video.id}", "yellow")
    else:
        out.note(f"The service could not be told. To tell it: seedance delivered {video.id}", "yellow")


def default_name(video_id: str, variant: Variant) -> Path:
    endings = {Variant.video: "mp4", Variant.last_frame: "last_frame.png", Variant.thumbnail: "thumbnail.jpg"}
    return Path(f"{video_id}.{endings[variant]}")
