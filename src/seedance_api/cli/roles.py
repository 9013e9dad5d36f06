"""`seedance-api roles`: groups of database users that may do no more than they need."""

import asyncio

import asyncpg
import typer

from seedance_api.app.read import database_url
from seedance_api.cli.answer import AsJson, DataDir, fail, show
from seedance_api.cli.run import opened
from seedance_api.foundation.roles import ANALYTICS, API, make_roles
from seedance_api.foundation.session import COMMAND, open_connection

command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@command.command()
def roles(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Make the roles seedance_api and seedance_analytics, and grant them what they need. Run it as the owner."""
    with opened(data_dir) as settings:
        try:
            asyncio.run(_make(database_url(settings)))
        except asyncpg.InsufficientPrivilegeError as error:
            fail(
                f"the database user may not do this: {error.args[0]}. Use the owner of the tables, and let an "
                f"administrator make the roles first: CREATE ROLE {API} NOLOGIN; CREATE ROLE {ANALYTICS} NOLOGIN",
                1,
            )
    show(
        {"roles": [API, ANALYTICS]}, as_json, f"{API} and {ANALYTICS} have what they need. Put users into them: GRANT …"
    )


async def _make(url: str) -> None:
    connection = await open_connection(url, COMMAND)
    try:
        await make_roles(connection)
    finally:
        await connection.close(timeout=10)
