"""`seedance link`, `delivered` and `receipt`: what becomes of a finished video."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from seedance.cli.output import Json, Output, bytes_in_words, printable, session
from seedance.cli.videos import VideoId, moment
from seedance.errors import ConfigurationError
from seedance.objects import Video
from seedance.receipts import Receipt, verify_receipt

DIGEST_CHARACTERS = 64


class Variant(StrEnum):
    """Which of a video's files."""

    video = "video"
    last_frame = "last_frame"
    thumbnail = "thumbnail"


VariantOption = Annotated[Variant, typer.Option("--variant", help="Which file.")]


def link(
    video_id: VideoId,
    variant: VariantOption = Variant.video,
    expires_in: Annotated[
        int | None, typer.Option(min=1, metavar="SECONDS", help="How long the link works [default: 900].")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print a link to a video that works without a key, for whoever has it."""
    with session(as_json) as (client, out):
        made = client.videos.link(video_id, variant=variant.value, expires_in=expires_in)
        if as_json:
            out.json(made.raw)
        else:
            out.line(made.url)
            out.note(f"Works until {moment(made.expires_at)}, for whoever has it.")


def delivered(video_id: VideoId, as_json: Json = False) -> None:
    """Confirm that you have a video, so that the service deletes it soon."""
    with session(as_json) as (client, out):
        video = client.videos.delivered(video_id)
        if as_json:
            out.json(video.raw)
        else:
            out.line(f"{video.id} {end_in_words(video)}", "green")


def end_in_words(video: Video) -> str:
    """Until when a video that was delivered is kept."""
    until = moment(video.expires_at)
    return "is delivered" + (f"; the service keeps it until {until}" if until else "")


def receipt(
    video_id: VideoId,
    public_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The public key that must have signed it, in base64.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what of a video was deleted and what is still stored, also after its deletion."""
    with session(as_json) as (client, out):
        found = client.videos.receipt(video_id)
        if public_key is not None:
            verify_receipt(found, public_key)
        if as_json:
            out.json(found.raw)
            return
        out.fact("video", found.video_id)
        out.fact("complete", "yes, nothing is kept" if found.complete else "no", "green" if found.complete else "")
        out.fact("issued", when(found.issued_at))
        out.fact("signature", signature_in_words(found, public_key))
        show_lines(found, out)


def signature_in_words(found: Receipt, public_key: str | None) -> str:
    try:
        verify_receipt(found, public_key)
    except ConfigurationError as error:
        return f"not checked; {error}"
    return f"good, by {found.signature.public_key}" + ("" if public_key is None else ", the key you named")


def show_lines(found: Receipt, out: Output) -> None:
    gone = [
        ("deleted", one.what, one.place, when(one.deleted_at), one.reason or "-", size(one.bytes), one.digest or "-")
        for one in found.deleted
    ]
    kept = [("kept", one.what, one.place, when(one.goes_at), "-", "-", "-") for one in found.kept]
    if not out.console.is_terminal:
        for row in [*gone, *kept]:
            out.line("\t".join(" ".join(cell.split()) for cell in row))
        return
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("", "what", "where", "when", "why", "size", "SHA-256"):
        table.add_column(name, no_wrap=name in {"when", "SHA-256"})
    for row in [*gone, *kept]:
        style = "green" if row[0] == "deleted" else "yellow"
        table.add_row(Text(row[0], style), *(Text(cell_of(cell)) for cell in row[1:]))
    if gone or kept:
        out.console.print()
        out.console.print(table, soft_wrap=False)


def cell_of(value: str) -> str:
    """For a table: as much of a digest as tells two apart."""
    text = "" if value == "-" else printable(value).replace("_", " ")
    return text if len(text) < DIGEST_CHARACTERS else f"{text[:12]}…"


def when(at: datetime | None) -> str:
    return "not known yet" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M")


def size(count: int | None) -> str:
    return "-" if count is None else bytes_in_words(count)
