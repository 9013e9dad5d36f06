"""`seedance models`: what there is and what each takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from seedance.cli.output import Json, Output, session
from seedance.cli.table import Column, show_columns
from seedance.objects import Model

HEADINGS = ("model", "state", "resolutions", "seconds", "starts from", "references", "can also")
PLACES = ((0, None), (0, None), (1, None), (2, None), (3, 18), (4, 20), (5, 24))
"""How much each is wanted, and what it can do with: two lines a model, no more."""
MODES = {"t2v": "text", "i2v": "first frame", "flf2v": "first + last frame", "r2v": "references"}
ABILITIES = {"audio": "sound", "draft": "drafts", "camera_fixed": "fixed camera", "frames": "length in frames"}


def models(as_json: Json = False) -> None:
    """List the models and what each accepts."""
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
    rows = [row(model) for model in found]
    columns = [
        Column(heading, [cells[number] for cells in rows], place, min_width)
        for number, (heading, (place, min_width)) in enumerate(zip(HEADINGS, PLACES, strict=True))
    ]
    show_columns(columns, out)


def row(model: Model) -> tuple[str, ...]:
    """The cells of a model; what the service leaves out is left empty."""
    can = part(model.extra, "capabilities")
    references = part(can, "references")
    modes = [MODES.get(str(part(mode).get("mode")), "") for mode in items(can, "modes")]
    counts = [f"{references[kind]} {kind}" for kind in ("images", "videos", "audios") if references.get(kind)]
    abilities = [name for key, name in ABILITIES.items() if can.get(key)]
    abilities += [f"{tier} tier" for tier in items(can, "service_tiers") if tier != "default"]
    return (
        model.id,
        state(model),
        ", ".join(str(one) for one in items(can, "resolutions")),
        seconds(part(can, "duration")),
        ", ".join(mode for mode in modes if mode and mode != "references"),
        ", ".join(counts),
        ", ".join(abilities),
    )


def state(model: Model) -> str:
    """`active`, `retiring`, or `retired` with what replaces it; and whether it is the default."""
    life = part(model.extra, "lifecycle")
    now = str(life.get("state") or "")
    if now == "retired" and life.get("replacement"):
        return f"{now}: use {life['replacement']}"
    return f"{now} (default)".lstrip() if model.extra.get("default") else now


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
