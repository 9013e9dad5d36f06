"""`seedance-api slo`: how the service stands with its objectives."""

from typing import Any

import typer

from seedance_api.cli.answer import AsJson, DataDir, show
from seedance_api.cli.run import in_database
from seedance_api.foundation.db import Database
from seedance_api.settings import Settings
from seedance_api.traffic.slo import SLOS, WINDOWS, Report, Slo, report

command = typer.Typer(add_completion=False)


@command.command("slo")
def slo(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show the service level objectives: how they were met in the last hour, day and month, and what may still fail."""

    async def verb(db: Database, _: Settings) -> Report:
        return await report(db)

    found = in_database(data_dir, verb)
    slos = [_fields(name, one, found) for name, one in SLOS.items()]
    show({"measured_until": found.until, "slos": slos}, as_json, _table(slos, found))


def _fields(name: Any, one: Slo, found: Report) -> dict[str, Any]:
    levels = found.levels[name]
    return {
        "name": name,
        "objective": one.objective,
        "events": one.events,
        "good": one.good,
        "windows": {
            window: {"good": level.good, "total": level.total, "ratio": level.ratio} for window, level in levels.items()
        },
        "error_budget_left": levels["30d"].budget_left(one.objective),
    }


def _table(slos: list[dict[str, Any]], found: Report) -> str:
    if found.until is None:
        return "Nothing is measured yet. The worker measures each hour when it is over."
    heads = ("", "objective", *(f"last {window}" for window in WINDOWS), "budget left")
    lines = [f"{heads[0]:<18}" + "".join(f"{head:>12}" for head in heads[1:])]
    for one in slos:
        ratios = [one["windows"][window]["ratio"] for window in WINDOWS]
        cells = [f"{one['objective']:.1%}", *(_percent(ratio, 3) for ratio in ratios)]
        lines.append(
            f"{one['name']:<18}" + "".join(f"{cell:>12}" for cell in (*cells, _percent(one["error_budget_left"])))
        )
    lines += ["", *(f"{one['name']}: of {one['events']}, those {one['good']}" for one in slos)]
    return "\n".join([*lines, f"Measured until {found.until:%Y-%m-%d %H:%M} UTC; the error budget is of 30 days."])


def _percent(ratio: float | None, digits: int = 0) -> str:
    return "-" if ratio is None else f"{ratio:.{digits}%}"
