"""`seedance-api account list` and `account regions`: who there is, and where each one's data may go."""

from typing import Annotated

import typer

from seedance_api.accounts import create, queries
from seedance_api.accounts.queries import Account
from seedance_api.cli.accounts import Email, account_fields, command
from seedance_api.cli.answer import AsJson, DataDir, fail, show
from seedance_api.cli.run import account_of, in_database
from seedance_api.foundation.db import Database
from seedance_api.settings import Settings

_PAGE = 1000


@command.command("list")
def account_list(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the accounts, the oldest first."""

    async def find(db: Database, _: Settings) -> list[Account]:
        accounts: list[Account] = []
        while more := await queries.accounts_behind(db, accounts[-1].id if accounts else "", _PAGE):
            accounts += more
        return accounts

    accounts = in_database(data_dir, find)
    lines = ["  ".join((account.id, account.currency, _where(account), account.email)) for account in accounts]
    show({"accounts": [account_fields(account) for account in accounts]}, as_json, "\n".join(lines) or "No accounts.")


@command.command("regions")
def account_regions(
    email: Email,
    regions: Annotated[list[str] | None, typer.Argument(metavar="REGION", help="All that are allowed.")] = None,
    everywhere: Annotated[bool, typer.Option("--any", help="Allow every region.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show or set the regions that an account's prompts and media may be sent to."""
    if regions and everywhere:
        fail("name regions or --any, not both", 2)

    async def verb(db: Database, _: Settings) -> Account:
        if regions or everywhere:
            return await create.set_regions(db, email, None if everywhere else regions)
        return await account_of(db, email)

    account = in_database(data_dir, verb)
    show(account_fields(account), as_json, _where(account))


def _where(account: Account) -> str:
    return "every region" if account.regions is None else "only " + ", ".join(account.regions)
