"""`seedance-api doctor`: is everything as it should be?"""

from pathlib import Path
from typing import Annotated, Any

import typer

from seedance_api.app.compare import differences
from seedance_api.app.limits import limit_store, why_uncounted
from seedance_api.app.open import open_objects
from seedance_api.app.read import certificate_of, read_upstreams_of
from seedance_api.cli.answer import AsJson, DataDir, fail, show
from seedance_api.cli.database import schema_of
from seedance_api.cli.run import in_database, opened
from seedance_api.cli.upstreams import reconcile_now
from seedance_api.doctor.check import Finding
from seedance_api.doctor.confinement import confinement
from seedance_api.doctor.examine import examine
from seedance_api.doctor.installation import inspect, of_limits, of_schema
from seedance_api.doctor.remark import Remark
from seedance_api.doctor.upstreams import LiveSide
from seedance_api.foundation import installation
from seedance_api.foundation.db import Database
from seedance_api.foundation.disk import Disk
from seedance_api.foundation.objects import folder_of
from seedance_api.settings import Settings

command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@command.command()
def doctor(
    invariants: Annotated[
        bool, typer.Option("--invariants", help="Check what must be true at every moment, and name each violation.")
    ] = False,
    accepted: Annotated[
        Path | None, typer.Option(help="With --invariants: a file of video ids that a client was given, a line each.")
    ] = None,
    content: Annotated[
        bool,
        typer.Option("--content", help="With --invariants: read every stored file and compare it with its digest."),
    ] = False,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Compare our books with those of the upstreams, and show what differs.")
    ] = False,
    hours: Annotated[float, typer.Option(help="With --reconcile: how far back.", min=0.1, max=168)] = 48,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check the installation (or, with --invariants, its data). Exit code 1 when anything is wrong."""
    if reconcile:
        reconcile_now(hours, data_dir, as_json)
        return
    with opened(data_dir, half=True) as settings:  # the commands within use its database
        remark = of_schema(schema_of(settings))
        if remark.status == "error":  # nothing else can be asked of it
            _show([remark], as_json)
        elif invariants:
            _check_invariants(_ids_of(accepted), data_dir, as_json, content=content)
        else:
            _inspect(remark, data_dir, as_json)


def _check_invariants(ids: list[str] | None, data_dir: Path | None, as_json: bool, *, content: bool) -> None:
    async def verb(db: Database, settings: Settings) -> list[Finding]:
        store = await open_objects(db, settings)
        return await examine(
            db, store, accepted=ids, tell=lambda finding: None if as_json else print(_line(finding)), content=content
        )

    findings = in_database(data_dir, verb)
    count = sum(finding.count for finding in findings)
    checked = sum(finding.missing is None for finding in findings)
    fields: dict[str, Any] = {"violations": count, "checked": checked, "invariants": findings}
    show(
        fields,
        as_json,
        f"\n{count} violations in {checked} invariants; {len(findings) - checked} cannot be checked yet.",
    )
    if count:
        raise typer.Exit(1)


def _inspect(of_schema: Remark, data_dir: Path | None, as_json: bool) -> None:
    async def verb(db: Database, settings: Settings) -> list[Remark]:
        store = await open_objects(db, settings)
        differing = await differences(settings, await installation.settings(db))
        live, ours, data = _live(settings), certificate_of(settings), settings.data_dir
        guarded = [Path(ours.key), data / "secrets" / "pepper", data / "objects", data / "postgres"]
        folders = [data / "scratch", folder_of(store)]
        disk = Disk([one for one in folders if one is not None], reserve_percent=settings.disk_reserve_percent)
        remarks = await inspect(db, store, live=live, certificate=ours, disk=disk, differences=differing)
        why = await why_uncounted(limit_store(settings))
        limits = of_limits(shared=settings.redis_url is not None, workers=settings.workers, problem=why)
        return [*remarks, limits, await confinement(guarded)]

    _show([of_schema, *in_database(data_dir, verb)], as_json)


def _show(remarks: list[Remark], as_json: bool) -> None:
    text = "\n".join(f"{remark.status:<8}{remark.name:<12}{remark.message}" for remark in remarks)
    is_well = all(remark.status != "error" for remark in remarks)
    show({"ok": is_well, "remarks": remarks}, as_json, text)
    if not is_well:
        raise typer.Exit(1)


def _live(settings: Settings) -> LiveSide:
    try:
        configured = read_upstreams_of(settings)
    except ValueError as error:
        return LiveSide(sandbox=settings.live_sandbox, problem=str(error))
    return LiveSide(
        sandbox=settings.live_sandbox,
        upstreams=tuple(upstream.name for upstream in configured),
        reachable=settings.public_url is not None,
    )


def _ids_of(file: Path | None) -> list[str] | None:
    if file is None:
        return None
    try:
        return [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {type(error).__name__}", 1)


def _line(finding: Finding) -> str:
    if finding.missing:
        return f"–   {finding.name:<7} {finding.meaning}\n            not checked: {finding.missing}"
    mark = "ok  " if not finding.count else "BAD "
    more = (
        [f"            … and {finding.count - len(finding.violations)} more"]
        if finding.count > len(finding.violations)
        else []
    )
    return "\n".join(
        [f"{mark}{finding.name:<7} {finding.meaning}", *(f"            {line}" for line in finding.violations), *more]
    )
