"""`seedance-api upstream …`: who makes live videos, and how they are doing."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from seedance_api.app.open import open_objects
from seedance_api.app.read import read_upstreams_of
from seedance_api.app.work import open_ark, open_engine
from seedance_api.cli.answer import AsJson, DataDir, fail, show
from seedance_api.cli.run import in_database
from seedance_api.foundation.db import Database
from seedance_api.generations.attempt_rows import Tried
from seedance_api.generations.queries import attempts
from seedance_api.providers.provider import Readiness
from seedance_api.providers.upstream import Upstream
from seedance_api.reconciliation import discrepancies
from seedance_api.reconciliation.discrepancies import Discrepancy
from seedance_api.reconciliation.reconcile import Reconciled, reconcile
from seedance_api.routing import circuit_breaker
from seedance_api.routing.circuit_breaker import CircuitBreaker
from seedance_api.settings import Settings

command = typer.Typer(add_completion=False, no_args_is_help=True, help="The upstreams of live keys.")
_MARKS = {"ready": "ok  ", "unreachable": "BAD ", "refused": "BAD "}


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream with what is known of it; `checks` by model where they were asked for."""

    name: str
    region: str
    data_region: str
    legal_entity: str
    models: dict[str, dict[str, Any]]
    gates: list[CircuitBreaker]
    checks: dict[str, Readiness] | None


@command.command("list")
def upstream_list(
    check: Annotated[
        bool, typer.Option("--check", help="Ask each upstream whether each model can be called; it bills nothing.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show every upstream in the order of preference, its models and its health. Exit code 1 when a check fails."""

    async def verb(db: Database, settings: Settings) -> list[Standing]:
        found = read_upstreams_of(settings, keys=check)
        known = await circuit_breaker.of_providers(db, [one.name for one in found])
        return [await _stand(one, known, db, settings, check=check) for one in found]

    try:
        found = in_database(data_dir, verb)
    except ValueError as error:
        fail(str(error), 1)
    none = "There is no upstream: live keys are refused. See docs/upstreams.md."
    show({"upstreams": found}, as_json, "\n\n".join(_text(one) for one in found) or none)
    if any(state.status != "ready" for one in found for state in (one.checks or {}).values()):
        raise typer.Exit(1)


@command.command("attempts")
def upstream_attempts(
    video: Annotated[str, typer.Argument(help="A video's id.")], data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Show every attempt at a video: where, what became of it, and what the upstream itself said."""

    async def verb(db: Database, _: Settings) -> list[Tried]:
        return await attempts.of_generation(db, video)

    found = in_database(data_dir, verb)
    if not found:
        fail("there is no such video, or it was never given to a provider", 1)
    show({"attempts": found}, as_json, "\n".join(_tried(one) for one in found))


@command.command("resolve")
def upstream_resolve(
    discrepancy: Annotated[str, typer.Argument(help="The id that `doctor --reconcile` shows.")],
    reason: Annotated[str, typer.Option(help="What was done about it.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Close a difference between an upstream's books and ours."""

    async def verb(db: Database, _: Settings) -> bool:
        return await discrepancies.resolve_by_id(db, discrepancy, reason)

    if not in_database(data_dir, verb):
        fail("there is no such difference, or it is closed", 1)
    show({"id": discrepancy, "resolution": reason}, as_json, "Closed.")


def reconcile_now(hours: float, data_dir: Path | None, as_json: bool) -> None:
    """`doctor --reconcile`. Exit code 1 while any difference is open."""

    async def verb(_: Database, settings: Settings) -> tuple[list[Reconciled], list[Discrepancy]]:
        async with open_engine(settings) as engine:
            done = await reconcile(engine, hours)
            return done, await discrepancies.open_ones(engine.db)

    try:
        done, still_open = in_database(data_dir, verb)
    except ValueError as error:
        fail(str(error), 1)
    lines = [f"{one.provider}: {one.tasks} tasks there, {one.attempts} attempts here, since {one.since:%Y-%m-%d %H:%M}"
             for one in done]  # fmt: skip
    if not done:
        lines.append("No upstream told its tasks; nothing was compared.")
    lines += [_line(one) for one in still_open] or (["Everything adds up."] if done else [])
    show({"reconciled": done, "open": still_open}, as_json, "\n".join(lines))
    if still_open:
        raise typer.Exit(1)


async def _stand(
    upstream: Upstream, known: list[CircuitBreaker], db: Database, settings: Settings, *, check: bool
) -> Standing:
    checks: dict[str, Readiness] | None = None
    if check:
        ark = open_ark(upstream, db, await open_objects(db, settings), settings)
        try:
            checks = {model: await ark.probe(model) for model in upstream.models}
        finally:
            await ark.close()
    return Standing(
        name=upstream.name,
        region=upstream.region,
        data_region=upstream.data_region,
        legal_entity=upstream.legal_entity,
        models={
            name: {
                "id": served.ids[-1],
                "concurrency": served.concurrency,
                "per_minute": served.per_minute,
                "ends_at": served.ends_at,
            }
            for name, served in upstream.models.items()
        },
        gates=[
            breaker
            for breaker in known
            if breaker.provider == upstream.name and (breaker.failures or breaker.share < 1)
        ],
        checks=checks,
    )


def _text(standing: Standing) -> str:
    lines = [f"{standing.name}  ({standing.legal_entity}, {standing.region}; data go to {standing.data_region})"]
    for name, facts in standing.models.items():
        state = standing.checks[name] if standing.checks else None
        mark = f"{_MARKS[state.status]}" if state else ""
        ends = f", ends on {facts['ends_at']:%Y-%m-%d}" if facts["ends_at"] else ""
        said = f": {state.message}" if state and state.status != "ready" else ""
        lines.append(f"  {mark}{name:<22}{facts['concurrency']} at once, {facts['per_minute']} per minute{ends}{said}")
    for gate in standing.gates:
        closed = f"closed for {gate.wait_seconds:.0f} s" if gate.wait_seconds else "open again"
        lines.append(f"  trouble  {gate.model or 'all models'}: {gate.reason} ({gate.failures} times; {closed})")
    return "\n".join(lines)


def _tried(attempt: Tried) -> str:
    task = str((attempt.operation or {}).get("id") or "no task")
    created, reason = f"{attempt.created_at:%Y-%m-%d %H:%M:%S}", attempt.reason or ""
    lines = [f"{attempt.id}  {attempt.state:<13}{attempt.provider}  {task}  {created}  {reason}"]
    lines += [f"    {name:<12}{value}" for name, value in (attempt.original or {}).items() if value is not None]
    return "\n".join(lines)


def _line(discrepancy: Discrepancy) -> str:
    since = f"{discrepancy.found_at:%Y-%m-%d %H:%M}" if discrepancy.found_at else ""
    detail = ", ".join(f"{name} {value}" for name, value in discrepancy.detail.items())
    task = f"{discrepancy.kind:<8}{discrepancy.provider}  {discrepancy.operation_id}"
    return f"{discrepancy.id}  {task}  since {since}, {discrepancy.owner}'s: {detail}"
