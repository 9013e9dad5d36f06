"""`seedance statement`: a month's movements of money, as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seedance.cli.money import LiveKeyNeeded
from seedance.cli.options import check_output, check_stdout, in_words, target_of
from seedance.cli.output import Json, bytes_in_words, session
from seedance.cli.usage import checked_month


def statement(
    month: Annotated[str, typer.Argument(metavar="MONTH", callback=checked_month, help="Such as 2026-11.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File to save to; - for stdout [default: statement-MONTH.csv]."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Save a month's transactions of live keys as CSV."""
    target = output or named(month)
    check_output(target, "--output")
    with session(as_json, stdout_is_taken=check_stdout(as_json, output=target)) as (client, out):
        if client.billing.balance().livemode is False:
            raise LiveKeyNeeded  # an empty file would look like a month without payments
        saved = client.billing.statement(month, target_of(target))
        if as_json:
            out.json({"object": "statement", "month": month, "path": saved.path, "bytes": saved.bytes})
        else:
            out.line(f"✓ {in_words(saved.path)}  ({bytes_in_words(saved.bytes)})", "green")


def named(month: str) -> Path:
    return Path(f"statement-{month}.csv")
