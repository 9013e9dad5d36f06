"""`seedance-api init`, and what `serve` and `worker` share with it: make an installation, or join it."""

import asyncio
import io
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, redirect_stderr
from typing import Annotated, Any

import msgspec
import typer

from seedance_api.app.install import Adopt, Joined, join
from seedance_api.app.join_store import check_store_is_free
from seedance_api.cli.answer import AsJson, DataDir, fail, refusals, show
from seedance_api.cli.check import check_labels, check_upstreams
from seedance_api.cli.database import database, holds_installation, is_embedded, make_data_folder, migrate
from seedance_api.cli.run import configured
from seedance_api.foundation.installation import InstallationError
from seedance_api.foundation.postgres import Embedded
from seedance_api.foundation.process import apart
from seedance_api.settings import Settings

_SECONDS = 150
command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@command.command()
def init(
    adopt: Annotated[
        list[Adopt] | None,
        typer.Option(
            help="Take over on purpose what does not fit: the object store, this machine's certificate of the "
            "marks, or its settings. Can be repeated."
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make an installation: database, schema, secrets, object store. Where there is one, check that all of it fits."""
    adopted = frozenset(adopt or ())
    settings = configured(data_dir)
    check_labels(settings)
    check_upstreams(settings, keys=False)  # whose digest every machine will be compared with
    with made(settings, adopted) as running:
        joined = _finish(join(running, makes=True, adopt=adopted))
    text = f"Installation {joined.id}\n  database  {joined.database}\n  objects   {joined.store}"
    show(msgspec.structs.asdict(joined), as_json, text)


@contextmanager
def made(
    settings: Settings, adopt: frozenset[Adopt] = frozenset(), *, use: Callable[[Embedded], None] | None = None
) -> Generator[Settings]:
    """The settings with a database that is there, made if need be, and its schema up to date.

    None is begun on an object store that is in use. `use` is called with the embedded server.
    """

    def check(is_missing: Callable[[], bool]) -> None:
        if Adopt.STORE in adopt or not is_missing() or not _ends(check_store_is_free(settings), quiet=True):
            return
        if is_missing():  # still: no other process has made the installation between the two questions
            in_fork(check_store_is_free(settings))

    make_data_folder(settings)
    if settings.database_url is None:
        check(lambda: not is_embedded(settings))
    with database(settings, use) as running:
        check(lambda: not holds_installation(running))
        migrate(running)
        yield running


def in_fork(work: Coroutine[Any, Any, object]) -> None:
    """Do it in a fork, as long as this process is to fork itself; a failure ends the command."""
    if code := _ends(work):
        raise typer.Exit(code)


def _ends(work: Coroutine[Any, Any, object], *, quiet: bool = False) -> int:
    def run() -> int:
        try:
            with redirect_stderr(io.StringIO() if quiet else sys.stderr), refusals():
                _finish(work)
        except typer.Exit as ended:
            return ended.exit_code
        return 0

    code = apart(run, _SECONDS)
    work.close()
    return code


def joins(settings: Settings, *, compares: bool = True) -> Joined:
    """Join an installation that is there. What does not fit ends the command."""
    return _finish(join(settings, makes=False, compares=compares))


def _finish(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return asyncio.run(work)
    except InstallationError as error:
        fail(str(error), 1)
    except ValueError as error:
        fail(str(error), 2)
    except TimeoutError:
        fail("the database did not answer in time", 1)
