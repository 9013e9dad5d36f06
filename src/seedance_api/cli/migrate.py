"""`seedance-api migrate`."""

import typer

from seedance_api.cli.answer import AsJson, DataDir, show
from seedance_api.cli.database import migrate as run_migrations
from seedance_api.cli.run import opened

command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@command.command()
def migrate(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Bring the schema up to date. Exit code 1 when it then is not what this version was shipped with."""
    with opened(data_dir, half=True) as settings:
        applied = run_migrations(settings)
    show({"applied": applied}, as_json, f"Applied: {', '.join(applied) or 'nothing, it is up to date'}.")
