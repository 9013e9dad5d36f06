"""`seedance-api migrate`."""

import typer

from seedance_api.app.read import database_url
from seedance_api.cli.run import AsJson, DataDir, show, started
from seedance_api.foundation.migrations import migrate as run_migrations

command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@command.command()
def migrate(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Bring the database's schema up to date."""
    with started(data_dir, migrates=False) as settings:
        applied = run_migrations(database_url(settings))
    show({"applied": applied}, as_json, f"Applied: {', '.join(applied) or 'nothing, it is up to date'}.")
