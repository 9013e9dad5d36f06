"""`seedance-api account analytics`: whether an account's use enters the analytics."""

from typing import Annotated

import typer

from seedance_api.accounts import create
from seedance_api.accounts.queries import Account
from seedance_api.cli.accounts import Email, account_fields, command
from seedance_api.cli.answer import AsJson, DataDir, fail, show
from seedance_api.cli.run import account_of, in_database
from seedance_api.foundation.db import Database
from seedance_api.settings import Settings


@command.command("analytics")
def account_analytics(
    email: Email,
    objects: Annotated[bool, typer.Option("--object", help="Leave its use out from now on.")] = False,
    allows: Annotated[bool, typer.Option("--allow", help="Count its use again from now on.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show or set whether an account's use is counted in the analytics."""
    if objects and allows:
        fail("give --object or --allow, not both", 2)

    async def verb(db: Database, _: Settings) -> Account:
        if objects or allows:
            return await create.set_analytics(db, email, allowed=allows)
        return await account_of(db, email)

    account = in_database(data_dir, verb)
    since = account.analytics_objected_at
    said = (
        "Its use is counted."
        if since is None
        else f"It objects: its use is not counted since {since:%Y-%m-%d %H:%M} UTC."
    )
    show(account_fields(account), as_json, said)
