"""`seedance-api recover`: once, after the database was restored from a backup, and before `serve`."""

from typing import Annotated

import typer

from seedance_api.app.open import open_objects
from seedance_api.cli.answer import AsJson, DataDir, show
from seedance_api.cli.run import in_database
from seedance_api.foundation.db import Database
from seedance_api.reconciliation import recover as generations
from seedance_api.reconciliation.recover import Recovered
from seedance_api.settings import Settings

command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@command.command()
def recover(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a database that was restored from a backup safe to serve: nothing is ordered twice, nothing deleted is back.

    Live videos that had not been sent when the backup was taken fail, and cost nothing: they may have been sent since.
    Videos whose files are gone from the object store are deleted for good.
    """

    async def verb(db: Database, settings: Settings) -> Recovered:
        store = await open_objects(db, settings)
        return await generations.recover(db, store, dry_run=dry_run)

    done = in_database(data_dir, verb)
    would = "would be " if dry_run else ""
    show(
        {"dry_run": dry_run, "failed": done.failed, "purged": done.purged},
        as_json,
        f"{done.failed} unsent {would}failed, without a charge; {done.purged} without files {would}deleted.",
    )
