"""`seedance login`: checks a key and keeps it."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from seedance.cli.output import Json, Output
from seedance.client import Seedance
from seedance.config import DEFAULT_BASE_URL, Login, check_base_url, save_login


def login(
    base_url: Annotated[str | None, typer.Option(help="Address of the service.")] = None,
    api_key: Annotated[str | None, typer.Option(help="If omitted, you are prompted for it (input hidden).")] = None,
    as_json: Json = False,
) -> None:
    """Check an API key and save it for the other commands."""
    out = Output(as_json)
    if base_url is None:
        suggestion = os.environ.get("SEEDANCE_BASE_URL") or DEFAULT_BASE_URL
        base_url = suggestion if as_json else typer.prompt("Base URL", default=suggestion, err=True)
    if api_key is None:
        api_key = typer.prompt("API key", hide_input=True, err=True)
    with out.reporting():
        found = Login(base_url=check_base_url(str(base_url)), api_key=str(api_key).strip())
        with Seedance(base_url=found.base_url, api_key=found.api_key) as client:
            count = len(client.models.list())
        path = save_login(found)
        if as_json:
            out.json({"base_url": found.base_url, "models": count, "path": str(path)})
        else:
            out.line(f"✓ logged in to {found.base_url} ({count} models); saved in {path}", "green")
            shadowed = [name for name in ("SEEDANCE_BASE_URL", "SEEDANCE_API_KEY") if os.environ.get(name)]
            if shadowed:
                out.note(f"Note: {' and '.join(shadowed)} in your environment override the saved login.")
