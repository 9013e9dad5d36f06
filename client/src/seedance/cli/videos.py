"""`seedance status`, `list`, `cancel` and `delete`."""

from __future__ import annotations

import re
import sys
import time
from datetime import datetime
from itertools import islice
from typing import Annotated, TypeAlias

import typer
from rich.text import Text

from seedance.cli.advice import advice_in_words, outcome
from seedance.cli.money import cost_facts
from seedance.cli.output import Json, Output, printable, session
from seedance.cli.table import Column, show_columns
from seedance.objects import Video

STYLES = {"completed": "green", "failed": "red", "canceled": "yellow", "in_progress": "cyan"}


def checked_id(value: str) -> str:
    # Also becomes a file name.
    if not re.fullmatch(r"[A-Za-z0-9_-]+", value):
        raise typer.BadParameter(f"{value!r} is not a video id, such as vid_01k5…")
    return value


VideoId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="vid_…", callback=checked_id)]


def status(video_id: VideoId, as_json: Json = False) -> None:
    """Show a video."""
    with session(as_json) as (client, out):
        show(client.videos.retrieve(video_id), out)


def list_(
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many.")] = 20,
    status: Annotated[
        str | None, typer.Option(help="Only those that are queued, in_progress, completed, failed or canceled.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Only those of this model.")] = None,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Continue after this video.")] = None,
    as_json: Json = False,
) -> None:
    """List your videos, newest first."""
    with session(as_json) as (client, out):
        page = client.videos.list(limit=min(limit, 100), status=status, model=model, after=after)
        videos = list(islice(page, limit))
        if as_json:
            out.json({"object": "list", "data": [video.raw for video in videos]})
        elif not videos:
            out.note("No videos.")
        else:
            show_table(videos, out)


def cancel(video_id: VideoId, as_json: Json = False) -> None:
    """Cancel a video that is not finished."""
    with session(as_json) as (client, out):
        video = client.videos.cancel(video_id)
        if as_json:
            out.json(video.raw)
        else:
            out.line(f"{'Canceled ' + video.id if video.status == 'canceled' else f'{video.id} is {video.status}'}")
            if video.final and (end := outcome(video)):
                out.line(end)


def delete(
    video_id: VideoId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a video with its file and inputs, permanently."""
    if not yes and not as_json and sys.stdin.isatty():
        typer.confirm(f"Delete {video_id} permanently?", abort=True, err=True)
    with session(as_json) as (client, out):
        deleted = client.videos.delete(video_id)
        if as_json:
            out.json(deleted.raw)
        else:
            out.line(f"Deleted {deleted.id}")


def show(video: Video, out: Output) -> None:
    if out.as_json:
        out.json(video.raw)
        return
    for name, value in facts(video):
        if value not in (None, "", {}):
            out.fact(name, str(value), STYLES.get(video.status, "") if name == "status" else "")


def facts(video: Video) -> list[tuple[str, object]]:
    return [
        ("id", video.id),
        ("status", state_in_words(video)),
        ("place", place_in_words(video.queue_position)),
        ("expected", eta_in_words(video.eta)),
        ("error", f"{video.error.message} ({video.error.code})" if video.error else None),
        ("", advice_in_words(video) if video.status == "failed" else None),
        ("model", video.model),
        ("prompt", video.prompt),
        ("size", video.size),
        ("seconds", video.seconds or video.duration),
        ("seed", video.seed),
        ("created", moment(video.created_at)),
        ("completed", moment(video.completed_at)),
        ("delivered", moment(video.delivered_at)),
        ("expires", moment(video.expires_at)),
        ("final take", f"until {moment(video.draft_expires_at)}" if video.draft_expires_at else None),
        ("tokens", video.usage.total_tokens if video.usage else None),
        *(cost_facts(video.cost) if video.cost else [("cost", outcome(video))]),
        ("metadata", ", ".join(f"{key}={value}" for key, value in video.metadata.items())),
        *(("warning", one.message) for one in video.warnings),
    ]


def place_in_words(place: int | None) -> str | None:
    """The service counts up to 1000."""
    if place is None:
        return None
    return f"{place} in the queue" if place < 1000 else "beyond 1000 in the queue"


def eta_in_words(eta: int | None) -> str | None:
    """An estimate, so it is rounded."""
    if eta is None:
        return None
    seconds = max(0, eta - int(time.time()))
    return f"in {seconds} s or so" if seconds < 90 else f"in {round(seconds / 60)} min or so"


def show_table(videos: list[Video], out: Output) -> None:
    if not out.console.is_terminal:
        for video in videos:
            cells = (video.id, video.status, moment(video.created_at) or "-", video.model, video.prompt or "")
            out.line("\t".join(" ".join(cell.split()) for cell in cells))
        return
    show_columns(
        [
            Column("id", [video.id for video in videos]),
            Column("status", [Text(state_in_words(video), STYLES.get(video.status, "")) for video in videos]),
            Column("created", [moment(video.created_at) or "" for video in videos], 1),
            Column("model", [video.model for video in videos], 3),
            Column("length", [f"{video.seconds} s" if video.seconds else "" for video in videos], 4, right=True),
            Column("prompt", [video.prompt or "" for video in videos], 2, min_width=20, one_line=True),
        ],
        out,
    )


def state_in_words(video: Video) -> str:
    """The state by its name in the API, everywhere; of one that is being made how far it is."""
    progress = f" {video.progress:g} %" if video.status == "in_progress" else ""
    return printable(video.status) + progress


def moment(unix: int | None) -> str | None:
    return None if unix is None else datetime.fromtimestamp(unix).astimezone().strftime("%Y-%m-%d %H:%M")
