"""`seedance login`: checks a key and keeps it."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from seedance.cli.output import Json, Output
from seedance.client import Seedance
from seedance.config import DEFAULT_BASE_URL, Login, check_base_url, save_login


def login(
    base_url: Annotated[str | None, typer.Option(help="Address of the service.")] = None,
    api_key: Annotated[
        str | None, typer.Option(help="If omitted, it is read from a pipe, or you are prompted for it (input hidden).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check an API key and save it for the other commands."""
    out = Output(as_json)
    if api_key is None and not sys.stdin.isatty():
        piped, api_key = from_pipe()
        base_url = base_url or piped or os.environ.get("SEEDANCE_BASE_URL") or DEFAULT_BASE_URL
    if base_url is None:
        suggestion = os.environ.get("SEEDANCE_BASE_URL") or DEFAULT_BASE_URL
        base_url = (
            suggestion if as_json or not sys.stdin.isatty() else typer.prompt("Base URL", default=suggestion, err=True)
        )
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


def from_pipe() -> tuple[str | None, str]:
    """The key that is piped in, by itself or below a line with the base URL."""
    match sys.stdin.read().split():
        case [key]:
            return None, key
        case [base_url, key]:
            return base_url, key
        case _:
            raise typer.BadParameter(
                "standard input must be the key, or the base URL and the key on a line each", param_hint="--api-key"
            )
