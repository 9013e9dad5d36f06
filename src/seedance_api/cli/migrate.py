"""`seedance-api migrate`."""

import typer

from seedance_api.app.read import database_url
from seedance_api.cli.run import AsJson, DataDir, schema_errors, show, started
from seedance_api.foundation.migrations import migrate as run_migrations

command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@command.command()
def migrate(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Bring the database's schema up to date. Exit code 1 when it then is not what this version was shipped with."""
    with started(data_dir, migrates=False) as settings, schema_errors():
        applied = run_migrations(database_url(settings))
    show({"applied": applied}, as_json, f"Applied: {', '.join(applied) or 'nothing, it is up to date'}.")
