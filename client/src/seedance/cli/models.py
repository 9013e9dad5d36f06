"""`seedance models`: what there is and what each takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from rich.table import Table
from rich.text import Text

from seedance.cli.output import Json, Output, printable, session
from seedance.objects import Model

HEADINGS = ("model", "state", "resolutions", "seconds", "starts from", "references", "can also")
MODES = {"t2v": "text", "i2v": "first frame", "flf2v": "first + last frame", "r2v": "references"}
ABILITIES = {"audio": "sound", "draft": "drafts", "camera_fixed": "fixed camera", "frames": "length in frames"}


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
                out.line("\t".join(row(model)))


def show_table(found: list[Model], out: Output) -> None:
    table = Table(header_style="bold", padding=(0, 1))
    for heading in HEADINGS:
        table.add_column(heading, no_wrap=heading == "model", style="cyan" if heading == "model" else "")
    for model in found:
        dim = "dim" if state(model).startswith("retired") else ""
        table.add_row(*(Text(printable(cell)) for cell in row(model)), style=dim)
    out.console.print(table)


def row(model: Model) -> tuple[str, ...]:
    """The cells of a model; what the service leaves out is left empty."""
    can = part(model.extra, "capabilities")
    references = part(can, "references")
    modes = [MODES.get(str(part(mode).get("mode")), "") for mode in items(can, "modes")]
    counts = [f"{references[kind]} {kind}" for kind in ("images", "videos", "audios") if references.get(kind)]
    abilities = [name for key, name in ABILITIES.items() if can.get(key)]
    abilities += [f"{tier} tier" for tier in items(can, "service_tiers") if tier != "default"]
    return (
        f"{model.id} (default)" if model.extra.get("default") else model.id,
        state(model),
        ", ".join(str(one) for one in items(can, "resolutions")),
        seconds(part(can, "duration")),
        ", ".join(mode for mode in modes if mode and mode != "references"),
        ", ".join(counts),
        ", ".join(abilities),
    )


def state(model: Model) -> str:
    """`active`, `retiring`, or `retired` with what replaces it."""
    life = part(model.extra, "lifecycle")
    now = str(life.get("state") or "")
    return f"{now}: use {life['replacement']}" if now == "retired" and life.get("replacement") else now


def seconds(duration: Mapping[str, Any]) -> str:
    """The lengths, and whether the model may choose one itself."""
    if not duration:
        return ""
    return f"{duration.get('least')}–{duration.get('most')}" + (" or auto" if duration.get("auto") else "")


def part(holder: object, name: str | None = None) -> Mapping[str, Any]:
    """An object inside the service's answer, or an empty one: the answer may be newer than this program."""
    value: object = cast("Mapping[str, Any]", holder).get(name) if name and isinstance(holder, dict) else holder
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def items(holder: Mapping[str, Any], name: str) -> list[Any]:
    """A list inside the service's answer, or an empty one."""
    value = holder.get(name)
    return cast("list[Any]", value) if isinstance(value, list) else []
