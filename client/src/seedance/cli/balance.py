"""`seedance balance`: what there is to spend, and what bounds it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seedance.cli.money import LiveKeyNeeded, aligned, short_key
from seedance.cli.output import Json, Output, printable, session
from seedance.cli.videos import moment
from seedance.money import Balance, Limit


def balance(as_json: Json = False) -> None:
    """Show the balance and the spending limits of live keys."""
    with session(as_json) as (client, out):
        found = client.billing.balance()
        if found.livemode is False:
            raise LiveKeyNeeded
        if as_json:
            out.json(found.raw)
            return
        available, held, granted = aligned([found.available, found.held, found.granted])
        style = "green" if found.available > 0 else "red" if found.livemode else ""
        out.fact("available", f"{available} {found.currency}", f"bold {style}")
        out.fact("held", f"{held} {found.currency}  for videos being made")
        out.fact("granted", f"{granted} {found.currency}  of these are promotional, and spent first")
        if found.limits:
            show_limits(found, out)


def show_limits(found: Balance, out: Output) -> None:
    if not out.console.is_terminal:
        for one in found.limits:
            amounts = (one.spent, one.limit, one.left)
            cells = (one.scope, one.key_id or "-", one.period, *map(str, amounts), moment(one.resets_at) or "-")
            out.line("\t".join(cells))
        return
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("limit of")
    table.add_column("per")
    table.add_column("spent", min_width=13)
    for name in (printable(found.currency), "of", "left"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("starts anew")
    for one, (spent, most, left) in zip(found.limits, columns(found.limits), strict=True):
        whose = short_key(one.key_id) if one.key_id else one.scope
        over = "red" if one.left <= 0 else ""
        table.add_row(
            Text(printable(whose)), Text(printable(one.period)), spent_bar(one), spent, most, Text(left, over),
            moment(one.resets_at) or "never",
        )  # fmt: skip
    out.console.print()
    out.console.print(table, soft_wrap=False)


def columns(limits: list[Limit]) -> Iterator[tuple[str, str, str]]:
    """Spent, limit and left of each, each column aligned."""
    return zip(*(aligned([getattr(one, name) for one in limits]) for name in ("spent", "limit", "left")), strict=True)


def spent_bar(one: Limit) -> Table:
    share = min(1.0, float(one.spent / one.limit)) if one.limit > 0 else 1.0
    style = "green" if share < 0.8 else "yellow" if share < 1 else "red"
    bar = ProgressBar(total=1, completed=share, width=8, complete_style=style, finished_style=style)
    grid = Table.grid(padding=(0, 1))
    grid.add_row(bar, Text(f"{100 * share:3.0f} %"))
    return grid
