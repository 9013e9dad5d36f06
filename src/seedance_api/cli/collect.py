"""`seedance-api collect`: objects that no row names."""

from typing import Annotated

import typer

from seedance_api.app.open import open_objects
from seedance_api.cli.answer import AsJson, DataDir, show
from seedance_api.cli.run import in_database
from seedance_api.foundation.db import Database
from seedance_api.reconciliation import orphans
from seedance_api.reconciliation.collect_orphans import LIMITS, OVERDUE, Collected, collect_orphans
from seedance_api.settings import Settings

_SHOWN = 20
command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@command.command("collect")
def collect_now(
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Move all that is due to the trash, however much it is.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show the objects that no row names; with --confirm, move those to the trash that have been seen so for a day."""
    if confirm:
        done = in_database(data_dir, _collect)
        text = f"{done.trashed} moved to trash/, {done.deleted} deleted, {done.restored} brought back."
        show({"trashed": done.trashed, "deleted": done.deleted, "restored": done.restored, "stopped": done.stopped},
             as_json, text)  # fmt: skip
        return

    async def look(db: Database, _: Settings) -> tuple[tuple[int, int, int], list[str]]:
        return await orphans.counts(db, OVERDUE), await orphans.due_examples(db, LIMITS.watched, _SHOWN)

    (noted, overdue, trashed), keys = in_database(data_dir, look)
    said = f"{noted} objects without a row are watched, {overdue} of them overdue; {trashed} are in trash/."
    fields = {"noted": noted, "overdue": overdue, "trashed": trashed, "due": keys}
    show(fields, as_json, "\n".join([said, *keys]))


async def _collect(db: Database, settings: Settings) -> Collected:
    return await collect_orphans(db, await open_objects(db, settings), confirmed=True)
