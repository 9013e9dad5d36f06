"""`seedance download`: waits for the video if need be, then saves it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from seedance.cli.display import open_display
from seedance.cli.options import check_output
from seedance.cli.output import Json, bytes_in_words, session
from seedance.cli.videos import VideoId


class Variant(StrEnum):
    """Which of a video's files."""

    video = "video"
    last_frame = "last_frame"
    thumbnail = "thumbnail"


def download(
    video_id: VideoId,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to. Named after the id if left out.")
    ] = None,
    variant: Annotated[Variant, typer.Option(help="Which file.")] = Variant.video,
    as_json: Json = False,
) -> None:
    """Save a video, after waiting for it if it is not finished."""
    target = check_output(output or default_name(video_id, variant), "--output")
    with session(as_json) as (client, out):
        with open_display(out) as display:
            video = client.videos.wait(client.videos.retrieve(video_id), on_change=display.changed)
            saved = client.videos.download(video, target, variant=variant.value, on_progress=display.downloading)
        if as_json:
            out.json(video.raw | {"path": saved.path})
        else:
            out.line(f"✓ {saved.path}  ({bytes_in_words(saved.bytes)}, {video.id})", "green")


def default_name(video_id: str, variant: Variant) -> Path:
    endings = {Variant.video: "mp4", Variant.last_frame: "last_frame.png", Variant.thumbnail: "thumbnail.jpg"}
    return Path(f"{video_id}.{endings[variant]}")
