"""Examine: every invariant, those too that need more than the database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import assert_never

import msgspec
from obstore.store import ObjectStore

from seedance_api.doctor.check import Ask, Finding, Invariant, check, finding
from seedance_api.doctor.invariants import INVARIANTS
from seedance_api.foundation import objects
from seedance_api.foundation.db import Database, rows
from seedance_api.foundation.read_object import is_intact
from seedance_api.reconciliation import orphans
from seedance_api.reconciliation.collect_orphans import OVERDUE

_AGE = timedelta(hours=2, minutes=15)
"""`collect` runs hourly and notes what is an hour old: older than this, an object without a row was overlooked."""
_PAGE = 1000
_CONCURRENCY = 16


class _Named(msgspec.Struct, frozen=True):
    """An object that a row names, and what the row says of it."""

    object_key: str
    bytes: int
    sha256: str


async def examine(
    db: Database,
    store: ObjectStore,
    *,
    accepted: Iterable[str] | None,
    tell: Callable[[Finding], None],
    content: bool = False,
    age: timedelta = _AGE,
) -> list[Finding]:
    """Check every invariant and tell each finding when it is there. `accepted` are the ids that a client was given.

    With `content` every object is read, and compared with its digest. One that is younger than `age` may still get its
    row.
    """
    findings: list[Finding] = []
    for invariant in INVARIANTS:
        findings.append(await _check(db, store, invariant, accepted, age, content=content))
        tell(findings[-1])
    return findings


async def _check(
    db: Database,
    store: ObjectStore,
    invariant: Invariant,
    accepted: Iterable[str] | None,
    age: timedelta,
    *,
    content: bool,
) -> Finding:
    match invariant.ask:
        case None:
            return await check(db, invariant)
        case Ask.STORE:
            return await finding(invariant, _wrong_objects(db, store, age, content=content))
        case Ask.CLIENT:
            if accepted is None:
                missing = "needs a client's list of the ids it was given: --accepted FILE"
                return await check(db, msgspec.structs.replace(invariant, missing=missing))
            return await finding(invariant, _lost(db, sorted(set(accepted))))
        case _:
            assert_never(invariant.ask)


async def _lost(db: Database, ids: list[str]) -> AsyncIterator[str]:
    for at in range(0, len(ids), _PAGE):
        page = ids[at : at + _PAGE]
        existing = {record["id"] for record in await db.fetch("SELECT id FROM generation WHERE id = ANY ($1)", page)}
        for generation_id in page:
            if generation_id not in existing:
                yield f"generation {generation_id}: answered with success, and not there"


async def _wrong_objects(db: Database, store: ObjectStore, age: timedelta, *, content: bool) -> AsyncIterator[str]:
    before = datetime.now(UTC) - age
    for prefix in ("content/", "files/"):
        async for page in objects.keys_before(store, prefix, before):
            named = await orphans.keys_with_rows(db, page)
            watched = await orphans.watched(db, [key for key in page if key not in named], OVERDUE)
            for key in page:
                if key not in named and key not in watched:
                    yield f"object {key}: no row names it"
    behind = ""
    while page := await _named_objects(db, behind):
        behind = page[-1].object_key
        for one in await _wrong(store, page, content=content):
            if one in await _named_objects(db, one.object_key, including=True):  # not one deleted while we looked
                yield f"object {one.object_key}: a row names it, and it is not there as it was put"


async def _named_objects(db: Database, behind: str, *, including: bool = False) -> list[_Named]:
    records = await db.fetch(
        """
        SELECT object_key COLLATE "C" AS object_key, bytes, sha256 FROM (
            SELECT a.object_key, a.bytes, a.sha256
            FROM asset a JOIN content c USING (generation_id) WHERE c.state <> 'purged'
            UNION SELECT object_key, (facts ->> 'bytes')::bigint, sha256 FROM file
        ) named WHERE object_key COLLATE "C" > $1 OR ($3 AND object_key = $1) ORDER BY 1 LIMIT $2
        """,
        behind,
        1 if including else _PAGE,
        including,
    )
    return rows(_Named, records)


async def _wrong(store: ObjectStore, named: list[_Named], *, content: bool) -> list[_Named]:
    gate = asyncio.Semaphore(_CONCURRENCY)

    async def look(named_object: _Named) -> bool:
        async with gate:
            if content:
                return await is_intact(store, named_object.object_key, named_object.bytes, named_object.sha256)
            return await objects.is_whole(store, named_object.object_key, named_object.bytes)

    right = await asyncio.gather(*(look(one) for one in named))
    return [one for one, is_right in zip(named, right, strict=True) if not is_right]
