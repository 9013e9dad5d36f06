"""`seedance-api account retention`: how long an account's videos stay."""

from typing import Annotated

import typer

from seedance_api.accounts import create
from seedance_api.accounts.queries import Account
from seedance_api.cli.accounts import Email, account_fields, command
from seedance_api.cli.answer import AsJson, DataDir, show
from seedance_api.cli.run import account_of, in_database
from seedance_api.foundation.db import Database
from seedance_api.settings import Settings


@command.command("retention")
def account_retention(
    email: Email,
    keep: Annotated[int | None, typer.Option(metavar="SECONDS", help="Undelivered: 3600 to 604800.")] = None,
    grace: Annotated[int | None, typer.Option(metavar="SECONDS", help="Once delivered: 0 to 86400.")] = None,
    default: Annotated[bool, typer.Option("--default", help="What is not named is the installation's again.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show or set how long an account's new videos stay, before and after their delivery."""

    async def verb(db: Database, settings: Settings) -> tuple[Account, Settings]:
        account = await account_of(db, email)
        if keep is None and grace is None and not default:
            return account, settings
        account = await create.set_retention(
            db,
            email,
            keep_seconds=keep if keep is not None or default else account.keep_seconds,
            grace_seconds=grace if grace is not None or default else account.grace_seconds,
        )
        return account, settings

    account, settings = in_database(data_dir, verb)
    show(
        account_fields(account),
        as_json,
        f"Kept {_said(account.keep_seconds, settings.retention_seconds)}; "
        f"after delivery {_said(account.grace_seconds, settings.grace_seconds)}.",
    )


def _said(seconds: int | None, installation_seconds: int) -> str:
    if seconds is None:
        return f"for {_in_words(installation_seconds)} (the installation's default)"
    return f"for {_in_words(seconds)}"


def _in_words(seconds: int) -> str:
    """The largest unit that says it exactly."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length} {unit}{'' if seconds == length else 's'}"
    return f"{seconds} seconds"
