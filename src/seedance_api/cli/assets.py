"""`seedance-api asset …`: which of an upstream's assets an account may use."""

from typing import Annotated, Any

import msgspec
import typer

from seedance_api.catalog.words import got
from seedance_api.cli.accounts import Email
from seedance_api.cli.answer import AsJson, Author, DataDir, author_of, fail, show
from seedance_api.cli.run import account_of, in_database
from seedance_api.foundation.db import Database
from seedance_api.references import assets
from seedance_api.references.assets import Permission
from seedance_api.references.source import ASSET, is_asset
from seedance_api.settings import Settings

command = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Assets of an upstream, and the accounts that may use them."
)
Asset = Annotated[str, typer.Argument(metavar="ID", help="The asset's id at the upstream, with or without asset://.")]


@command.command("allow")
def asset_allow(
    email: Email, asset: Asset, author: Author = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Let an account use an asset."""
    name, who = _id_of(asset), author_of(author)

    async def verb(db: Database, _: Settings) -> tuple[Permission, bool]:
        return await assets.allow(db, (await account_of(db, email)).id, name, who)

    made, is_new = in_database(data_dir, verb)
    show(_fields(made) | {"repeated": not is_new}, as_json, _line(made))


@command.command("revoke")
def asset_revoke(
    email: Email, asset: Asset, author: Author = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Take an asset away from an account. Videos that were not sent to the upstream yet fail."""
    name, who = _id_of(asset), author_of(author)

    async def verb(db: Database, _: Settings) -> bool:
        return await assets.revoke(db, (await account_of(db, email)).id, name, who)

    if not in_database(data_dir, verb):
        fail(f"{email} may not use {name} anyway", 1)
    show({"asset": name, "revoked": True}, as_json, f"{email} may not use {name} any more.")


@command.command("list")
def asset_list(email: Email, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show the assets that an account may use, those that were taken back, and who said so."""

    async def verb(db: Database, _: Settings) -> list[Permission]:
        return await assets.permissions_of(db, (await account_of(db, email)).id)

    permissions = in_database(data_dir, verb)
    lines = "\n".join(_line(permission) for permission in permissions)
    show({"assets": [_fields(permission) for permission in permissions]}, as_json, lines or "No assets.")


def _id_of(asset: str) -> str:
    address = asset if asset.startswith(ASSET) else ASSET + asset
    if not is_asset(address):
        fail(f"ID must be an asset's id: up to 128 letters, digits, - and _{got(asset)}", 2)
    return assets.id_of(address)


def _fields(permission: Permission) -> dict[str, Any]:
    return msgspec.to_builtins(permission)


def _line(permission: Permission) -> str:
    text = f"{permission.asset}  allowed by {permission.allowed_by} at {permission.allowed_at:%Y-%m-%d %H:%M} UTC"
    if permission.revoked_at is None:
        return text
    return f"{text}, revoked by {permission.revoked_by} at {permission.revoked_at:%Y-%m-%d %H:%M} UTC"
