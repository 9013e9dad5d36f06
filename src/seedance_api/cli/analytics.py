"""`seedance-api analytics …`: how the service is used, in counts that name nobody."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import IO, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from seedance_api.catalog.words import got
from seedance_api.cli.answer import AsJson, DataDir, fail, show
from seedance_api.cli.run import in_database
from seedance_api.cli.save import STDOUT, saving
from seedance_api.foundation.db import Database
from seedance_api.settings import Settings
from seedance_api.traffic.analytics_queries import Told, cells_of

command = typer.Typer(add_completion=False, no_args_is_help=True, help="How the service is used, without whose use.")
_DAYS = 7
_PAGE_SECONDS = 60
_MAX_DAYS = 3650


class Grain(StrEnum):
    """How long a time one count is of."""

    HOUR = "hour"
    DAY = "day"


First = Annotated[str | None, typer.Option("--from", metavar="DATE", help="First day [default: a week ago].")]
Last = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day [default: yesterday].")]


@command.command("show")
def analytics_show(
    first: First = None,
    last: Last = None,
    grain: Annotated[Grain, typer.Option(help="Counts of hours or of days.")] = Grain.DAY,
    measure: Annotated[str | None, typer.Option(help="Only this one, such as requests or funnel.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what was counted: the time, what it is of, how many, and how many accounts are behind it."""
    days = _days(first, last)

    async def verb(db: Database, _: Settings) -> list[Told]:
        return [told for day in days for told in await cells_of(db, day, grain.value, measure)]

    found = in_database(data_dir, verb)
    none = (
        "Nothing was counted: a day is counted six hours after its end, and no count of fewer than 5 accounts is kept."
    )
    show({"cells": [_fields(told) for told in found]}, as_json, "\n".join(map(_line, found)) or none)


@command.command("export")
def analytics_export(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Parquet file; - for stdout.")],
    first: First = None,
    last: Last = None,
    grain: Annotated[Grain | None, typer.Option(help="Only counts of hours, or of days.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write what was counted to a Parquet file. Needs the extra `analytics`."""
    days, parquet = _days(first, last), _parquet()
    with saving(output, "--output") as file:
        count = in_database(data_dir, lambda db, _: _export(db, days, grain, file, parquet))
    if output != STDOUT:
        show({"rows": count, "file": str(output)}, as_json, f"{count} rows written to {output}.")


async def _export(db: Database, days: Sequence[date], grain: Grain | None, file: IO[bytes], parquet: ModuleType) -> int:
    """Write in a thread, which asks here for one day after the other. Returns the number of rows."""
    loop, count = asyncio.get_running_loop(), 0

    def pages(progress: Progress) -> Iterator[list[Told]]:
        nonlocal count
        for day in progress.track(days, description="Exporting"):
            asked = asyncio.run_coroutine_threadsafe(cells_of(db, day, grain and grain.value, None), loop)
            page = asked.result(_PAGE_SECONDS)
            count += len(page)
            yield page

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        await asyncio.to_thread(parquet.write, pages(progress), file)
    return count


def _parquet() -> ModuleType:
    """What writes Parquet; ends the command where it is not installed."""
    try:
        from seedance_api.traffic import parquet  # noqa: PLC0415 no other command needs it
    except ModuleNotFoundError:
        fail(
            "Parquet files need the extra `analytics`, which is not installed. "
            "Run in the folder of the installation: .tools/bin/uv sync --extra analytics",
            1,
        )
    return parquet


def _days(first: str | None, last: str | None) -> list[date]:
    """The days from the first to the last, both included; what is none ends the command with exit code 2."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    end = yesterday if last is None else _day("--to", last)
    start = end - timedelta(days=_DAYS - 1) if first is None else _day("--from", first)
    if start > end:
        fail(f"--from must not be behind --to; got {start} and {end}", 2)
    if (end - start).days >= _MAX_DAYS:
        fail(f"--from and --to must be less than {_MAX_DAYS} days apart; got {start} and {end}", 2)
    return [start + timedelta(days=number) for number in range((end - start).days + 1)]


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{option} must be a day, such as 2026-11-30{got(text)}", 2)


def _fields(told: Told) -> dict[str, Any]:
    return msgspec.structs.asdict(told)


def _line(told: Told) -> str:
    at = f"{told.starts_at:%Y-%m-%d}" if told.grain == Grain.DAY else f"{told.starts_at:%Y-%m-%d %H:00}"
    kind = f"{told.status_class}xx" if told.status_class else {True: "live", False: "test", None: "-"}[told.livemode]
    return f"{at}  {told.measure:<26}  {told.value:<44}  {kind:<4}  {told.count:>10}  {told.accounts:>7} accounts"
