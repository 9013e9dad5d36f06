"""`seedance usage`: what was made and charged, by day, model and key."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, cast

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from seedance.cli.money import aligned, amount, short_key
from seedance.cli.output import Json, Output, printable, session
from seedance.money import Usage, UsageTotals
from seedance.usage import Group, UsagePage

GROUPS = ("day", "model", "key")


def checked_day(value: str | None) -> str | None:
    try:
        return None if value is None else date.fromisoformat(value).isoformat()
    except ValueError:
        raise typer.BadParameter(f"{value!r} is not a day, such as 2026-11-24") from None


def checked_month(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[1-9][0-9]{3}-(0[1-9]|1[0-2])", value):
        raise typer.BadParameter(f"{value!r} is not a month, such as 2026-11")
    return value


def checked_groups(value: str) -> str:
    names = [name.strip() for name in value.split(",")]
    if not set(names) <= set(GROUPS):
        raise typer.BadParameter(f"{value!r} is not one or more of {', '.join(GROUPS)}, separated by commas")
    return ",".join(name for name in GROUPS if name in names)


def usage(
    *,
    start: Annotated[
        str | None, typer.Option("--from", metavar="DAY", callback=checked_day, help="The first day, UTC.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="DAY", callback=checked_day, help="The last day, included.")
    ] = None,
    month: Annotated[
        str | None,
        typer.Option(metavar="MONTH", callback=checked_month, help="Instead of --from and --to, such as 2026-11."),
    ] = None,
    by: Annotated[
        str, typer.Option(metavar="LIST", callback=checked_groups, help="Group by day, model, key, or several.")
    ] = "day",
    as_json: Json = False,
) -> None:
    """Show what was made and charged, by default this month."""
    if month and (start or end):
        raise typer.BadParameter("give either --month, or --from and --to", param_hint="--month")
    if month:
        start, end = days_of(month)
    with session(as_json) as (client, out):
        groups = cast("Sequence[Group]", by.split(","))
        page = client.billing.usage(start, end, group_by=groups, limit=100)
        rows = list(page)
        if as_json:
            out.json(page.raw | {"data": [row.raw for row in rows], "has_more": False, "next": None})
        elif out.console.is_terminal:
            show_table(page, rows, groups, out)
        else:
            show_lines(page, rows, groups, out)


def days_of(month: str) -> tuple[str, str]:
    year, number = map(int, month.split("-"))
    return f"{month}-01", f"{month}-{calendar.monthrange(year, number)[1]}"


def show_lines(page: UsagePage, rows: list[Usage], groups: Sequence[Group], out: Output) -> None:
    """Rows for programs; the total goes beside them, so that a sum over the rows is right."""
    for row in rows:
        numbers = (row.videos, row.seconds, row.tokens, row.charged, row.refunded)
        out.line("\t".join([*group_cells(row, groups), *map(str, numbers)]))
    total = page.totals
    videos = "1 video" if total.videos == 1 else f"{total.videos:,} videos"
    out.note(
        f"total: {videos}, {total.seconds:,} s, {total.tokens:,} tokens, "
        f"{amount(total.charged)} {page.currency} charged, {amount(total.refunded)} refunded"
    )


def show_table(page: UsagePage, rows: list[Usage], groups: Sequence[Group], out: Output) -> None:
    key = "" if page.livemode is None else ", live keys" if page.livemode else ", test keys"
    out.line(f"{page.start} to {page.end}, UTC, in {page.currency}{key}", "dim")
    table = Table(box=box.SIMPLE, header_style="dim", footer_style="bold", show_edge=False, padding=(0, 1, 0, 0))
    table.show_footer = True
    for place, name in enumerate(groups):
        table.add_column(name, "" if place else "total", no_wrap=name != "model", overflow="fold")
    columns = number_columns([*rows, page.totals])
    for name, texts in columns.items():
        table.add_column(name, texts[-1], justify="right", no_wrap=True)
    for place, row in enumerate(rows):
        names = [short_key(cell) if cell == row.key_id else cell for cell in map(printable, group_cells(row, groups))]
        table.add_row(*map(Text, names), *(texts[place] for texts in columns.values()))
    out.console.print(table, soft_wrap=False)


def number_columns(rows: Sequence[Usage | UsageTotals]) -> dict[str, list[str]]:
    """The columns of numbers; that of refunds only if there are any."""
    columns = {
        "videos": [f"{row.videos:,}" for row in rows],
        "seconds": [f"{row.seconds:,}" for row in rows],
        "tokens": [f"{row.tokens:,}" for row in rows],
        "charged": aligned([row.charged for row in rows]),
    }
    refunded = [row.refunded for row in rows]
    return columns | ({"refunded": aligned(refunded)} if any(refunded) else {})


def group_cells(row: Usage, groups: Sequence[Group]) -> list[str]:
    cells: dict[Group, Any] = {"day": row.day, "model": row.model, "key": row.key_id}
    return [str(cells[name] or "-") for name in groups]
