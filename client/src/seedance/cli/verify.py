"""`seedance verify`: whether a file comes from the service, is AI-generated, and is as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seedance.cli.output import Json, Output, session
from seedance.cli.videos import moment
from seedance.objects import Verification


def verify(
    file: Annotated[Path, typer.Argument(help="An MP4, JPEG, PNG or WebP file.", exists=True, dir_okay=False)],
    as_json: Json = False,
) -> None:
    """Check whether a file is from this service, AI-generated and unchanged."""
    with session(as_json) as (client, out):
        found = client.verify(file)
        if as_json:
            out.json(found.raw)
        else:
            show(found, out)


def show(found: Verification, out: Output) -> None:
    style = "green" if found.ai_generated else "red" if found.integrity == "changed" else "yellow"
    out.line(found.message, style)
    out.fact("ours", f"yes, by {' and '.join(found.basis)}" if found.ours else "no")
    out.fact("AI", "yes" if found.ai_generated else "not known")
    out.fact("mark", found.mark.replace("_", " "))
    out.fact("integrity", found.integrity, "red" if found.integrity == "changed" else "")
    if found.model:
        out.fact("model", found.model + (" (sandbox preview)" if found.sandbox else ""))
    if found.signed_by:
        out.fact("signed by", found.signed_by)
    if when := moment(found.marked_at):
        out.fact("marked", f"{when}{', time-stamped' if found.time_stamped else ''}")
