"""The operator's commands. `--json` prints one JSON object; exit codes: 0 done, 1 refused, 2 wrong usage."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
import psycopg
import typer

from seedance_api import app as root
from seedance_api import serve as server
from seedance_api.accounts import create, queries
from seedance_api.accounts.keys import KeyMode
from seedance_api.foundation import log
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.migrations import migrate as run_migrations
from seedance_api.foundation.postgres import Embedded
from seedance_api.foundation.process import die_with_parent
from seedance_api.settings import Settings, read

cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
accounts = typer.Typer(no_args_is_help=True, help="Accounts of customers.")
keys = typer.Typer(no_args_is_help=True, help="API keys of an account.")
cli.add_typer(accounts, name="account")
cli.add_typer(keys, name="key")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder for everything kept here [default: ./data].")]
Answer = TypeVar("Answer")


def main() -> None:
    """The entry point."""
    cli()


@cli.callback()
def about() -> None:
    """Seedance API: a video-generation service that you host."""


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [default: 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one [default: 8000].")] = None,
    workers: Annotated[int | None, typer.Option(help="API processes [default: 1].")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Run the API and a worker."""
    with started(data_dir, host=host, port=port, workers=workers) as settings:
        server.serve(
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            drain_seconds=settings.drain_seconds,
            as_json=as_json,
        )


@cli.command()
def worker(data_dir: DataDir = None) -> None:
    """Run a worker alone, beside others that use the same database and object store."""
    parent = os.environ.pop("SEEDANCE_PARENT", None)
    if parent is not None:
        die_with_parent(int(parent))
    with started(data_dir) as settings:
        asyncio.run(root.work(settings))


@cli.command()
def migrate(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Bring the database's schema up to date."""
    with started(data_dir, migrates=False) as settings:
        applied = run_migrations(root.database_url(settings))
    show({"applied": applied}, as_json, f"Applied: {', '.join(applied) or 'nothing, it is up to date'}.")


@accounts.command("create")
def account_create(email: str, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Make an account."""
    account = in_database(data_dir, lambda db, _: create.create_account(db, email))
    show({"id": account.id, "email": account.email}, as_json, f"Account {account.id} for {account.email}.")


@keys.command("create")
def key_create(
    account: Annotated[str, typer.Option(help="The account's e-mail address.")],
    mode: Annotated[KeyMode, typer.Option(help="`test` keys use the sandbox and cost nothing.")] = KeyMode.TEST,
    name: Annotated[str | None, typer.Option(help="A name to know it by.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and show it, once."""
    made = in_database(
        data_dir,
        lambda db, settings: create.create_key(db, root.pepper_of(settings), email=account, mode=mode, name=name),
    )
    fields = {
        "id": made.id,
        "account_id": made.account_id,
        "mode": made.mode.value,
        "name": made.name,
        "key": made.key,
    }
    show(fields, as_json, f"{made.key}\n\nThis is the only time it is shown. Its id is {made.id}.")


@keys.command("list")
def key_list(account: Annotated[str, typer.Option()], data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the keys of an account."""

    async def find(db: Database, _: Settings) -> list[queries.ApiKey]:
        found = await queries.account_by_email(db, account)
        if found is None:
            raise AppError("not_found", "There is no account with that address.")
        return await queries.keys_of_account(db, found.id)

    found = in_database(data_dir, find)
    rows: list[dict[str, Any]] = [
        {
            "id": key.id,
            "mode": key.mode.value,
            "handle": key.handle,
            "name": key.name,
            "revoked": key.revoked_at is not None,
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


@keys.command("revoke")
def key_revoke(key_id: str, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Revoke a key, at once and everywhere."""
    in_database(data_dir, lambda db, _: create.revoke_key(db, key_id))
    show({"id": key_id, "revoked": True}, as_json, f"{key_id} is revoked.")


def in_database(data_dir: Path | None, verb: Callable[[Database, Settings], Awaitable[Answer]]) -> Answer:
    """Run a verb with the database of the settings; an AppError ends the command with exit code 1."""

    async def run(settings: Settings) -> Answer:
        db = await Database.connect(root.database_url(settings), most=2)
        try:
            await create.check_pepper(db, root.pepper_of(settings))
            return await verb(db, settings)
        finally:
            await db.close()

    with started(data_dir) as settings:
        try:
            return asyncio.run(run(settings))
        except AppError as error:
            fail(error.message, 1)
        except (RuntimeError, PermissionError) as error:  # the wrong pepper, or one that others can read
            fail(str(error), 1)


@contextmanager
def started(data_dir: Path | None, *, migrates: bool = True, **options: object) -> Generator[Settings]:
    """The settings, with a database that is there and migrated. Options override the environment, for children too."""
    named = {"data_dir": data_dir} | options
    os.environ |= {f"SEEDANCE_{name.upper()}": str(value) for name, value in named.items() if value is not None}
    try:
        settings = read()
    except ValueError as error:
        fail(str(error), 2)
    log.configure(level=settings.log_level, pretty=sys.stderr.isatty())
    if settings.database_url is not None:
        if migrates:
            _migrate_given(settings.database_url)
        yield settings
        return
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with Embedded(settings.data_dir / "postgres") as postgres:
        os.environ["SEEDANCE_DATABASE_URL"] = postgres.url
        if migrates:
            run_migrations(postgres.url)
        yield msgspec.structs.replace(settings, database_url=postgres.url)


def _migrate_given(url: str) -> None:
    try:
        run_migrations(url)
    except psycopg.OperationalError:  # its text may hold the address, and so a password
        fail("the database of SEEDANCE_DATABASE_URL cannot be reached", 1)


def show(fields: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the answer, for a program or for a person."""
    print(msgspec.json.encode(fields).decode() if as_json else text)


def fail(message: str, code: int) -> NoReturn:
    """End the command with a message on standard error."""
    print(f"seedance-api: {message}", file=sys.stderr)
    raise typer.Exit(code)
