"""Claim an idempotency key for work that takes a while before its transaction: a lease, kept while the work goes on."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import asyncpg
import msgspec

from seedance_api.foundation.db import Database, affected
from seedance_api.foundation.idempotency import Once
from seedance_api.foundation.ids import new_id

_LEASE_SECONDS = 10.0


@asynccontextmanager
async def claimed(db: Database, once: Once) -> AsyncGenerator[Once | None]:
    """Claim the key for work that takes a while, and keep the claim. None when another request has it.

    What the claim became is the transaction's to write. A claim that nobody keeps ends after ten seconds.
    """
    claimant = new_id("clm")
    if not await _claim(db, once, claimant):
        yield None
        return
    keeper = asyncio.create_task(_keep(db, once, claimant))
    try:
        yield msgspec.structs.replace(once, claimant=claimant)
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await asyncio.shield(_let_go(db, once, claimant))


async def _claim(db: Database, once: Once, claimant: str) -> bool:
    tag = await db.execute(
        """
        INSERT INTO idempotency AS old
            (account_id, route, key, fingerprint, kind, claimant, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, now() - $7 * interval '1 second', now() + $8 * interval '1 second')
        ON CONFLICT (account_id, route, key) DO UPDATE SET fingerprint = excluded.fingerprint, kind = excluded.kind,
            subject = NULL, answer = NULL, claimant = excluded.claimant, created_at = excluded.created_at,
            expires_at = excluded.expires_at
        WHERE old.expires_at <= now() OR excluded.kind = 'content'
        """,
        *once.claim_place,
        once.fingerprint,
        once.kind.value,
        claimant,
        time.monotonic() - once.arrived,
        _LEASE_SECONDS,
    )
    return affected(tag) == 1


async def _keep(db: Database, once: Once, claimant: str) -> None:
    kept = True
    while kept:
        await asyncio.sleep(_LEASE_SECONDS / 3)
        try:
            tag = await db.execute(
                """
                UPDATE idempotency SET expires_at = now() + $5 * interval '1 second'
                WHERE account_id = $1 AND route = $2 AND key = $3 AND claimant = $4
                """,
                *once.claim_place,
                claimant,
                _LEASE_SECONDS,
            )
            kept = affected(tag) == 1
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pass  # the database may be back before the lease is over


async def _let_go(db: Database, once: Once, claimant: str) -> None:
    with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):  # then it ends by itself
        await db.execute(
            "DELETE FROM idempotency WHERE account_id = $1 AND route = $2 AND key = $3 AND claimant = $4",
            *once.claim_place,
            claimant,
        )
