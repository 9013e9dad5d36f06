"""Examine: every invariant, those too that need more than the database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime, timedelta

from obstore.store import ObjectStore

from seedance_api.doctor.invariants import INVARIANTS, Finding, Invariant, check, finding
from seedance_api.foundation import objects
from seedance_api.foundation.db import Database
from seedance_api.generations.queries import keys_with_rows

ACCEPTED = Invariant(name="INV-5", meaning="every create that was ever answered with success has its generation")
STORED = Invariant(
    name="INV-8", meaning="each object has its row and each row its object, after one purge and collection"
)
_AGE = timedelta(hours=1)
_PAGE = 1000
_AT_ONCE = 16


async def examine(
    db: Database, store: ObjectStore, *, accepted: Iterable[str] | None, tell: Callable[[Finding], None]
) -> list[Finding]:
    """Check every invariant and tell each finding when it is there. `accepted` are the ids that a client was given."""
    found: list[Finding] = []

    def add(one: Finding) -> None:
        found.append(one)
        tell(one)

    for invariant in INVARIANTS:
        if invariant.name > "INV-4" and not any(one.name == "INV-5" for one in found):
            add(await _check_accepted(db, accepted))
        if invariant.name == "INV-9":
            add(finding(STORED, [line async for line in _wrong_objects(db, store)]))
        add(await check(db, invariant))
    return found


async def _check_accepted(db: Database, accepted: Iterable[str] | None) -> Finding:
    if accepted is None:
        missing = "needs a client's list of the ids it was given: --accepted FILE"
        return Finding(name=ACCEPTED.name, meaning=ACCEPTED.meaning, count=0, violations=[], missing=missing)
    ids = sorted(set(accepted))
    lost: list[str] = []
    for at in range(0, len(ids), _PAGE):
        page = ids[at : at + _PAGE]
        there = {record["id"] for record in await db.fetch("SELECT id FROM generation WHERE id = ANY ($1)", page)}
        lost += [f"generation {one}: answered with success, and not there" for one in page if one not in there]
    return finding(ACCEPTED, lost)


async def _wrong_objects(db: Database, store: ObjectStore) -> AsyncIterator[str]:
    before = datetime.now(UTC) - _AGE
    for prefix in ("content/", "files/"):
        async for page in objects.keys_before(store, prefix, before):
            named = await keys_with_rows(db, page)
            for key in page:
                if key not in named:
                    yield f"object {key}: no row names it"
    behind = ""
    while page := await _named_objects(db, behind):
        behind = page[-1]
        for key in await _missing(store, page):
            if await keys_with_rows(db, [key]):  # not one that was deleted while we looked
                yield f"object {key}: a row names it, and it is not there"


async def _named_objects(db: Database, behind: str) -> list[str]:
    found = await db.fetch(
        """
        SELECT object_key COLLATE "C" AS object_key FROM (
            SELECT object_key FROM asset UNION SELECT object_key FROM file
        ) named WHERE object_key COLLATE "C" > $1 ORDER BY 1 LIMIT $2
        """,
        behind,
        _PAGE,
    )
    return [record["object_key"] for record in found]


async def _missing(store: ObjectStore, keys: list[str]) -> list[str]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def look(key: str) -> bool:
        async with gate:
            return await objects.exists(store, key)

    there = await asyncio.gather(*(look(key) for key in keys))
    return [key for key, is_there in zip(keys, there, strict=True) if not is_there]
