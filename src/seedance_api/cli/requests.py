"""`seedance-api requests`: the request log, newest first."""

import re
from datetime import timedelta
from typing import Annotated, Any

import typer

from seedance_api.catalog.words import got
from seedance_api.cli.answer import AsJson, DataDir, show
from seedance_api.cli.run import account_of, fail, in_database
from seedance_api.foundation.db import Database
from seedance_api.settings import Settings
from seedance_api.traffic.read import requests_page
from seedance_api.traffic.rows import LoggedRequest, RequestFilter

command = typer.Typer(add_completion=False)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@command.command("requests")
def requests(
    account: Annotated[str | None, typer.Option(metavar="E-MAIL", help="Only of this account.")] = None,
    key: Annotated[str | None, typer.Option(metavar="KEY", help="Only with this key (its id).")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Only this one, such as `POST /v1/videos`.")] = None,
    status: Annotated[str | None, typer.Option(metavar="CLASS", help="Only these: 2xx, 3xx, 4xx or 5xx.")] = None,
    last: Annotated[str, typer.Option(metavar="TIME", help="How far back, such as 30m, 6h or 7d.")] = "24h",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List logged requests, newest first: time, status, latency, address, endpoint, account."""
    if status is not None and not re.fullmatch(r"[1-5]xx", status):
        fail(f"--status must be 2xx, 3xx, 4xx or 5xx{got(status)}", 2)
    span = re.fullmatch(r"([1-9][0-9]{0,3})([mhd])", last)
    if span is None:
        fail(f"--last must be minutes, hours or days, such as 30m, 6h or 7d{got(last)}", 2)
    back = timedelta(**{_UNITS[span[2]]: int(span[1])})

    async def verb(db: Database, _: Settings) -> list[LoggedRequest]:
        wanted = RequestFilter(
            account_id=None if account is None else (await account_of(db, account)).id,
            key_id=key,
            endpoint=endpoint,
            status_class=None if status is None else int(status[0]),
            since=await db.fetchval("SELECT clock_timestamp()") - back,
        )
        return await requests_page(db, wanted, after=None, limit=limit)

    found = in_database(data_dir, verb)
    fields = [_fields(logged) for logged in found]
    show({"requests": fields}, as_json, "\n".join(_line(logged) for logged in found) or "No requests.")


def _fields(logged: LoggedRequest) -> dict[str, Any]:
    return {
        "id": logged.id,
        "at": logged.at,
        "endpoint": logged.endpoint,
        "account_id": logged.account_id,
        "key_id": logged.key_id,
        "address": logged.address,
        "status": logged.status,
        "latency_ms": logged.latency_us / 1000,
        "app_ms": logged.own_us / 1000,
    }


def _line(logged: LoggedRequest) -> str:
    at = f"{logged.at:%Y-%m-%d %H:%M:%S}"
    return (
        f"{at}  {logged.status}  {logged.latency_us / 1000:>9.1f} ms  {logged.address or '-':<18}  "
        f"{logged.endpoint:<44}  {logged.account_id or '-'}"
    )
