"""`seedance statement`: a month's movements of money, as CSV."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from seedance.cli.options import check_output
from seedance.cli.output import Json, bytes_in_words, session
from seedance.cli.usage import checked_month

STDOUT = Path("-")


def statement(
    month: Annotated[str, typer.Argument(metavar="MONTH", callback=checked_month, help="Such as 2026-11.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Where to; - for stdout, statement-MONTH.csv if left out."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Save every movement of your money in a month as CSV."""
    if output == STDOUT and as_json:
        raise typer.BadParameter("stdout takes the statement or the JSON, not both", param_hint="--output")
    target = sys.stdout.buffer if output == STDOUT else check_output(output or named(month), "--output")
    with session(as_json) as (client, out):
        saved = client.billing.statement(month, target)
        if as_json:
            out.json({"object": "statement", "month": month, "path": saved.path, "bytes": saved.bytes})
        elif saved.path is not None:
            out.line(f"✓ {saved.path}  ({bytes_in_words(saved.bytes)})", "green")


def named(month: str) -> Path:
    return Path(f"statement-{month}.csv")
