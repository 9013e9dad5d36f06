"""Installation: whether this machine and its settings can do the work, and what an operator should know of them."""

import asyncio
from typing import Literal

import asyncpg
import msgspec
from obstore.store import ObjectStore

from seedance_api.billing.books import Books
from seedance_api.billing.prices import uses
from seedance_api.catalog.models import MODELS
from seedance_api.foundation import objects
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id

_SECONDS = 10.0


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    name: str
    status: Literal["ok", "warning", "error"]
    message: str


async def inspect(db: Database, store: ObjectStore, *, live_sandbox: bool) -> list[Remark]:
    """Look at the database, the object store, the price book and what live keys use."""
    return [await _database(db), await _store(store), await _prices(db), _upstream(live_sandbox=live_sandbox)]


async def _database(db: Database) -> Remark:
    version: int = await db.fetchval("SELECT current_setting('server_version_num')::int")
    durable: str = await db.fetchval("SELECT current_setting('fsync') || ' ' || current_setting('full_page_writes')")
    if version < 150_000:
        return Remark(
            name="database", status="error", message=f"PostgreSQL 15 or later is needed, not {version // 10_000}"
        )
    if "off" in durable:
        return Remark(name="database", status="error", message="fsync is off: a power cut loses what was answered")
    return Remark(name="database", status="ok", message=f"PostgreSQL {version // 10_000}.{version % 10_000}")


async def _store(store: ObjectStore) -> Remark:
    key = f"doctor/{new_id('obj')}"
    try:
        async with asyncio.timeout(_SECONDS):
            await objects.put_bytes(store, key, b"doctor")
            there = await objects.exists(store, key)
            await objects.delete(store, [key])
    except Exception as error:  # noqa: BLE001 every store has errors of its own
        return Remark(name="objects", status="error", message=f"the object store refuses: {type(error).__name__}")
    if not there:
        return Remark(name="objects", status="error", message="what was written to the object store is not there")
    return Remark(name="objects", status="ok", message="written, found and deleted")


async def _prices(db: Database) -> Remark:
    try:
        book = await Books(db).latest()
    except asyncpg.PostgresError as error:
        return Remark(name="prices", status="error", message=f"the price book cannot be read: {type(error).__name__}")
    unpriced = [
        model.name
        for model in MODELS
        if any(book.rate(currency, use) is None for currency in book.book.currencies for use in uses(model))
    ]
    said = f"version {book.version}, {', '.join(book.book.currencies)}"
    if unpriced:
        return Remark(name="prices", status="warning", message=f"{said}; no price for {', '.join(unpriced)}")
    return Remark(name="prices", status="ok", message=said)


def _upstream(*, live_sandbox: bool) -> Remark:
    if live_sandbox:
        message = "SEEDANCE_LIVE_SANDBOX is on: live keys are charged for previews of the sandbox"
        return Remark(name="upstream", status="warning", message=message)
    return Remark(name="upstream", status="warning", message="none is configured: live keys are refused")
