"""`seedance models`: what there is and what each takes."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from seedance.cli.output import Json, Output, printable, session
from seedance.errors import listed
from seedance.objects import Model

UNINTERESTING = {"created", "owned_by"}


def models(as_json: Json = False) -> None:
    """Show the models and what each takes."""
    with session(as_json) as (client, out):
        found = client.models.list()
        if as_json:
            out.json({"object": "list", "data": [model.raw for model in found]})
        elif out.console.is_terminal:
            show_table(found, out)
        else:
            for model in found:
                takes = "; ".join(f"{name}: {value}" for name, value in abilities(model))
                out.line(f"{model.id}\t{takes}")


def show_table(found: list[Model], out: Output) -> None:
    table = Table(header_style="bold", show_lines=True)
    table.add_column("model", no_wrap=True, style="cyan")
    table.add_column("takes")
    for model in found:
        takes = Table.grid(padding=(0, 2))
        takes.add_column(style="dim", no_wrap=True)
        takes.add_column()
        for name, value in abilities(model):
            takes.add_row(name, Text(printable(value)))
        table.add_row(Text(printable(model.id)), takes)
    out.console.print(table, soft_wrap=False)


def abilities(model: Model) -> list[tuple[str, str]]:
    """What the service says about a model, whatever it says."""
    return [
        (name.replace("_", " "), in_words(value))
        for name, value in model.extra.items()
        if value not in (None, [], {}, "") and name not in UNINTERESTING
    ]


def in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return listed(value)
