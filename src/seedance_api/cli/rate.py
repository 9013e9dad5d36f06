"""`seedance-api account rate`: how many times the installation's rate limits an account has."""

from typing import Annotated

import typer

from seedance_api.accounts import tiers
from seedance_api.accounts.queries import Account
from seedance_api.cli.accounts import Email, account_fields, command
from seedance_api.cli.answer import AsJson, DataDir, fail, show
from seedance_api.cli.run import account_of, in_database
from seedance_api.foundation.db import Database
from seedance_api.settings import Settings


@command.command("rate")
def account_rate(
    email: Email,
    multiplier: Annotated[
        int | None, typer.Argument(metavar="MULTIPLIER", help="1 to 1000 times the installation's limits.")
    ] = None,
    default: Annotated[bool, typer.Option("--default", help="As many as its spending earns it.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show or set how many times the installation's rate limits an account has."""
    if multiplier is not None and default:
        fail("give a multiplier or --default, not both", 2)

    async def verb(db: Database, _: Settings) -> Account:
        if multiplier is not None or default:
            return await tiers.set_rate(db, email, multiplier)
        return await account_of(db, email)

    account = in_database(data_dir, verb)
    show(account_fields(account), as_json, _said(account))


def _said(account: Account) -> str:
    if account.rate_multiplier is not None:
        return f"{account.rate_multiplier} times the installation's rate limits (set by an operator)."
    return f"{account.tier_multiplier} times the installation's rate limits (by what it has spent)."
