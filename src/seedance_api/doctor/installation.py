"""Installation: whether this machine and its settings can do the work, and what an operator should know of them."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
from obstore.store import ObjectStore

from seedance_api.billing.books import Books
from seedance_api.billing.prices import uses
from seedance_api.catalog.models import MODELS
from seedance_api.delivery.certificate import Certificate, check
from seedance_api.doctor import upstreams
from seedance_api.doctor.remark import Remark
from seedance_api.doctor.upstreams import LiveSide
from seedance_api.foundation import objects
from seedance_api.foundation.db import Database
from seedance_api.foundation.disk import Disk, probe
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.migrations import Standing
from seedance_api.foundation.put_object import put_bytes
from seedance_api.foundation.store_trouble import why_unusable
from seedance_api.reconciliation import orphans
from seedance_api.reconciliation.collect_orphans import OVERDUE

_SECONDS = 10.0
_MIN_DAYS = 30


def of_schema(standing: Standing) -> Remark:
    """Whether the database has the schema that this version was shipped with."""
    if problem := standing.conflict or standing.breaks:
        return Remark(name="schema", status="error", message=problem)
    if standing.pending:
        message = f"{', '.join(standing.pending)} is not applied yet: run seedance-api migrate"
        return Remark(name="schema", status="error", message=message)
    if standing.remarks:
        return Remark(name="schema", status="warning", message=standing.remarks)
    return Remark(name="schema", status="ok", message="as this version was shipped with it")


def of_limits(*, shared: bool, workers: int, problem: str | None) -> Remark:
    """How rate limits are counted: in Redis for all processes, where there is no `problem`, or by each process."""
    if problem is not None:
        message = f"Redis cannot count (SEEDANCE_REDIS_URL): {problem}; creates and uploads are refused"
        return Remark(name="limits", status="error", message=message)
    if shared:
        return Remark(name="limits", status="ok", message="counted in Redis, for all API processes together")
    if workers > 1:
        message = f"each of {workers} API processes counts for itself: set SEEDANCE_REDIS_URL for limits that are exact"
        return Remark(name="limits", status="warning", message=message)
    return Remark(name="limits", status="ok", message="counted in memory, exact as long as there is one API process")


async def inspect(
    db: Database,
    store: ObjectStore,
    *,
    live: LiveSide,
    certificate: Certificate,
    disk: Disk,
    differences: Sequence[str] = (),
) -> list[Remark]:
    """Look at the database, the object store, the price book, the mark's certificate, what live keys use, and the disk.

    `differences` are those of this machine from the others; `disk` has the folders in which files must be possible.
    """
    remarks = [await _database(db), await _store(store), await _orphans(db), await _prices(db), _marking(certificate)]
    remarks += [
        await upstreams.waiting(db),
        _machines(differences),
        await upstreams.configured(db, live),
        await _disk(disk),
    ]
    if live.upstreams:
        remarks += [await upstreams.circuit_breakers(db, live.upstreams), await upstreams.books(db)]
    return remarks


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
            await put_bytes(store, key, b"doctor")
            is_stored = await objects.exists(store, key)
            await objects.delete(store, [key])
    except Exception as error:  # noqa: BLE001 every store has errors of its own
        why = why_unusable(error)
        return Remark(name="objects", status="error", message=f"the object store refuses: {why}")
    if not is_stored:
        return Remark(name="objects", status="error", message="what was written to the object store is not there")
    return Remark(name="objects", status="ok", message="written, found and deleted")


async def _orphans(db: Database) -> Remark:
    noted, overdue, trashed = await orphans.counts(db, OVERDUE)
    if overdue:
        return Remark(
            name="orphans",
            status="error",
            message=f"{overdue} objects that no row names were not collected; look at them with: seedance-api collect",
        )
    return Remark(
        name="orphans", status="ok", message=f"{noted} objects without a row are watched, {trashed} in trash/"
    )


def _machines(differences: Sequence[str]) -> Remark:
    if differences:
        return Remark(name="settings", status="warning", message=f"not as on other machines: {'; '.join(differences)}")
    return Remark(name="settings", status="ok", message="as those of the other machines")


async def _disk(disk: Disk) -> Remark:
    try:
        async with asyncio.timeout(_SECONDS):
            for folder in disk.folders:
                await asyncio.to_thread(probe, folder)
    except (OSError, TimeoutError) as error:
        return Remark(name="disk", status="error", message=f"files cannot be made everywhere: {type(error).__name__}")
    if disk.look():
        return Remark(name="disk", status="warning", message="less than the reserve is free: creates are refused")
    return Remark(name="disk", status="ok", message="files can be made, and the reserve is free")


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
    text = f"version {book.version}, {', '.join(book.book.currencies)}"
    if unpriced:
        return Remark(name="prices", status="warning", message=f"{text}; no price for {', '.join(unpriced)}")
    return Remark(name="prices", status="ok", message=text)


def _marking(certificate: Certificate) -> Remark:
    try:
        ends_at = check(certificate)
    except ValueError as error:
        return Remark(name="marking", status="error", message=f"no video can be delivered: {error}")
    left = ends_at - datetime.now(UTC)
    text = f"the certificate ends on {ends_at:%Y-%m-%d}"
    if left.days < _MIN_DAYS:
        return Remark(
            name="marking", status="warning", message=f"{text}, in {left.days} days: rotate it (docs/marking.md)"
        )
    return Remark(name="marking", status="ok", message=text)
