"""Barrier: behind it, no process believes anything that notifications before it have made wrong.

A notification reaches other processes a moment after its transaction. Whoever must not be contradicted by one of them
afterwards, as the owner of what was just deleted, waits at a barrier: a number that is notified in its turn. Each
process that hears it writes into its row of `listener` that it has passed; one that does not is waited for no longer
than it believes what it remembers (`listen.LEASE_SECONDS`). Nobody has to know who the others are, or to reach them.
"""

import asyncio

from seedance_api.foundation.db import Database
from seedance_api.foundation.listen import LEASE_SECONDS

_POLL_SECONDS = 0.004


async def pass_barrier(db: Database) -> None:
    """Return when every process has heard what was committed before, mostly after some milliseconds.

    Raises what is in `UNREACHABLE`. Rows of `listener` go by the database's clock: should that be set forward by more
    than the lease at this moment, processes are taken for gone, and may answer as before for the rest of their lease.
    """
    now = asyncio.get_running_loop().time
    end = now() + LEASE_SECONDS
    number: int = await db.fetchval(
        "SELECT number FROM (SELECT nextval('barrier') AS number OFFSET 0) b, pg_notify('barrier', number::text)"
    )
    while await _is_awaited(db, number):
        if now() >= end:
            return
        await asyncio.sleep(_POLL_SECONDS)


async def _is_awaited(db: Database, number: int) -> bool:
    """Whether a process is there that has not passed."""
    return await db.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM listener WHERE passed < $1 AND heard_at > clock_timestamp() - $2 * interval '1 second'
        )
        """,
        number,
        LEASE_SECONDS,
    )
