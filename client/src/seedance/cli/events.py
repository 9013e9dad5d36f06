"""`seedance events`: what happened, in order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text

from seedance.cli.output import Output, printable, session
from seedance.cli.table import Column, show_columns
from seedance.cli.videos import STYLES, moment
from seedance.webhook_objects import Event

MANY = 100


def events(
    after: Annotated[str | None, typer.Option(metavar="ID", help="Continue after this event, evt_….")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="Only events of this type, such as video.failed.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many, without --follow.")] = MANY,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep showing new events until Ctrl-C.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, with --follow one a line, and nothing else.")
    ] = False,
) -> None:
    """List events of your videos, balance and limits, oldest first."""
    with session(as_json) as (client, out):
        if follow:
            for event in client.events.follow(after=after, type=kind):
                show_line(event, out)
            return
        page = client.events.list(after=after, type=kind, limit=min(limit, MANY))
        # One more than asked for tells whether there are more.
        found = list(islice(page, limit + 1))
        shown, more = found[:limit], len(found) > limit
        if as_json:
            last_id = shown[-1].id if shown else after
            out.json({"object": "list", "data": [one.raw for one in shown], "last_id": last_id, "has_more": more})
            return
        show_all(shown, out)
        if more:
            out.note(f"There are more: seedance events --after {shown[-1].id}")


def show_all(events: Sequence[Event], out: Output) -> None:
    if not events:
        out.note("No events.")
    elif not out.console.is_terminal:
        for event in events:
            show_line(event, out)
    else:
        rows = [cells(event) for event in events]
        show_columns(
            [
                Column("when", [at for at, *_ in rows]),
                Column("type", [Text(printable(event.type), style(event)) for event in events]),
                Column("of", [of for _, _, of, _ in rows]),
                Column("more", [said for *_, said in rows], 1, min_width=12),
                # Two ids in a row need room; that of the event is the one that can be missed.
                Column("event", [event.id for event in events], 2),
            ],
            out,
        )


def show_line(event: Event, out: Output) -> None:
    """One event as it comes."""
    if out.as_json:
        out.json(event.raw)
        return
    at, kind, of, said = cells(event)
    if out.console.is_terminal:
        name = Text(f"{printable(kind):<18}", style(event))
        out.console.print(Text.assemble((f"{at}  ", "dim"), name, f"  {printable(f'{of} {said}')}"))
    else:
        row = (event.id, at, kind, of, said)
        out.line("\t".join(" ".join(cell.split()) for cell in row))


def cells(event: Event) -> tuple[str, str, str, str]:
    """When, what, of which video, and the rest in short."""
    rest = [f"{name}={in_words(name, value)}" for name, value in event.data.items() if name not in {"id", "status"}]
    return moment(event.created_at) or "-", event.type, str(event.data.get("id") or "-"), " ".join(rest)


def in_words(name: str, value: Any) -> str:
    if name.endswith("_at") and isinstance(value, int):
        return moment(value) or ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def style(event: Event) -> str:
    return STYLES.get(event.type.removeprefix("video."), "yellow" if not event.type.startswith("video.") else "")
