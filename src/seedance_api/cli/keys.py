"""`seedance-api key …`: API keys."""

import sys
from typing import Annotated, Any

import typer

from seedance_api.accounts import create, queries
from seedance_api.accounts.keys import KeyMode
from seedance_api.accounts.report_leaked import report_leaked
from seedance_api.accounts.scopes import SCOPES
from seedance_api.app.read import pepper_of
from seedance_api.cli.answer import AsJson, DataDir, show
from seedance_api.cli.run import account_of, in_database
from seedance_api.foundation.db import Database
from seedance_api.settings import Settings

_MAX_CHARACTERS = 4096
"""Of what is read as a key: far more than any has."""
command = typer.Typer(add_completion=False, no_args_is_help=True, help="API keys of an account.")


@command.command("create")
def key_create(
    account: Annotated[str, typer.Option(metavar="E-MAIL", help="The account's e-mail address.")],
    mode: Annotated[KeyMode, typer.Option(help="`test` keys use the sandbox and cost nothing.")] = KeyMode.TEST,
    name: Annotated[str | None, typer.Option(help="A name to know it by.")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help=f"What it is for, several times for more: {', '.join(SCOPES)}.")
    ] = None,
    network: Annotated[
        list[str] | None, typer.Option(metavar="CIDR", help="Where it may be used from, several times for more.")
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and show it, once."""
    made = in_database(
        data_dir,
        lambda db, settings: create.create_key(
            db,
            pepper_of(settings),
            email=account,
            mode=mode,
            name=name,
            scopes=scope or (),
            networks=network or (),
            max_keys=settings.max_keys,
        ),
    )
    fields = {
        "id": made.id,
        "account_id": made.account_id,
        "mode": made.mode.value,
        "name": made.name,
        "key": made.key,
    }
    show(fields, as_json, f"{made.key}\n\nThis is the only time it is shown. Its id is {made.id}.")


@command.command("list")
def key_list(
    account: Annotated[str, typer.Option(metavar="E-MAIL", help="The account's e-mail address.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the keys of an account."""

    async def find(db: Database, _: Settings) -> list[queries.ApiKey]:
        return await queries.keys_of_account(db, (await account_of(db, account)).id)

    found = in_database(data_dir, find)
    rows: list[dict[str, Any]] = [
        {
            "id": key.id,
            "mode": key.mode.value,
            "handle": key.handle,
            "name": key.name,
            "revoked": key.revoked_at is not None,
            "revoked_reason": key.revoked_reason,
            "scopes": key.scopes,
            "networks": key.networks,
        }
        for key in found
    ]
    lines = [
        "  ".join(
            (one["id"], one["mode"], one["handle"], "revoked" if one["revoked"] else "valid  ", one["name"] or "")
        )
        for one in rows
    ]
    show({"keys": rows}, as_json, "\n".join(lines) or "No keys.")


@command.command("revoke")
def key_revoke(key_id: str, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Revoke a key, at once and everywhere."""
    in_database(data_dir, lambda db, _: create.revoke_key(db, key_id))
    show({"id": key_id, "revoked": True}, as_json, f"{key_id} is revoked.")


@command.command("report-leaked")
def key_report_leaked(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Revoke a key that was found, read from standard input, and mail its owner."""
    text = sys.stdin.read(_MAX_CHARACTERS)
    found = in_database(data_dir, lambda db, settings: report_leaked(db, pepper_of(settings), text))
    fields = {"id": found and found.id, "account_id": found and found.account_id, "revoked": found is not None}
    said = f"{found.id} is revoked, and its owner is told." if found else "There is no such live key; nothing was done."
    show(fields, as_json, said)
