"""Examine: every invariant, those too that need more than the database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import assert_never

import msgspec
from obstore.store import ObjectStore

from seedance_api.doctor.invariants import INVARIANTS, Ask, Finding, Invariant, check, finding
from seedance_api.foundation import objects
from seedance_api.foundation.db import Database
from seedance_api.generations import unowned
from seedance_api.generations.collect import OVERDUE
from seedance_api.generations.queries import keys_with_rows

_AGE = timedelta(hours=2, minutes=15)
"""`collect` runs hourly and notes what is an hour old: older than this, an object without a row was overlooked."""
_PAGE = 1000
_AT_ONCE = 16


async def examine(
    db: Database,
    store: ObjectStore,
    *,
    accepted: Iterable[str] | None,
    tell: Callable[[Finding], None],
    age: timedelta = _AGE,
) -> list[Finding]:
    """Check every invariant and tell each finding when it is there. `accepted` are the ids that a client was given.

    An object that is younger than `age` may still get its row.
    """
    found: list[Finding] = []
    for invariant in INVARIANTS:
        found.append(await _check(db, store, invariant, accepted, age))
        tell(found[-1])
    return found


async def _check(
    db: Database, store: ObjectStore, invariant: Invariant, accepted: Iterable[str] | None, age: timedelta
) -> Finding:
    match invariant.ask:
        case None:
            return await check(db, invariant)
        case Ask.STORE:
            return await finding(invariant, _wrong_objects(db, store, age))
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
        there = {record["id"] for record in await db.fetch("SELECT id FROM generation WHERE id = ANY ($1)", page)}
        for one in page:
            if one not in there:
                yield f"generation {one}: answered with success, and not there"


async def _wrong_objects(db: Database, store: ObjectStore, age: timedelta) -> AsyncIterator[str]:
    before = datetime.now(UTC) - age
    for prefix in ("content/", "files/"):
        async for page in objects.keys_before(store, prefix, before):
            named = await keys_with_rows(db, page)
            watched = await unowned.watched(db, [key for key in page if key not in named], OVERDUE)
            for key in page:
                if key not in named and key not in watched:
                    yield f"object {key}: no row names it"
    behind = ""
    while page := await _named_objects(db, behind):
        behind = page[-1]
        for key in await _missing(store, page):
            if key in await _named_objects(db, key, including=True):  # not one that was deleted while we looked
                yield f"object {key}: a row names it, and it is not there"


async def _named_objects(db: Database, behind: str, *, including: bool = False) -> list[str]:
    found = await db.fetch(
        """
        SELECT object_key COLLATE "C" AS object_key FROM (
            SELECT a.object_key FROM asset a JOIN content c USING (generation_id) WHERE c.state <> 'purged'
            UNION SELECT object_key FROM file
        ) named WHERE object_key COLLATE "C" > $1 OR ($3 AND object_key = $1) ORDER BY 1 LIMIT $2
        """,
        behind,
        1 if including else _PAGE,
        including,
    )
    return [record["object_key"] for record in found]


async def _missing(store: ObjectStore, keys: list[str]) -> list[str]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def look(key: str) -> bool:
        async with gate:
            return await objects.exists(store, key)

    there = await asyncio.gather(*(look(key) for key in keys))
    return [key for key, is_there in zip(keys, there, strict=True) if not is_there]
