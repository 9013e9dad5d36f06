"""Pooling: whether each of our connections is a session of its own, or a pool in between gives it another one at will.

LISTEN, prepared statements, locks and the bounds of a session belong to a session. In a pool that lends one for a
transaction only they are lost or, worse, another's.
"""

import asyncio

import asyncpg

from seedance_api.foundation.db import Connection
from seedance_api.foundation.session import COMMAND, CONNECT_SECONDS, open_connection

_LOOKS = 3
_FOREIGN = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)


async def is_shared(url: str) -> bool:
    """Whether two connections that are open at one time have had one session. Raises what is in `UNREACHABLE`.

    One asks before and after the other has begun a transaction, which takes the session of the first if it may.
    """
    first = await open_connection(url, COMMAND)
    try:
        return any([await _swaps(first, url) for _ in range(_LOOKS)])
    except _FOREIGN:  # what one session has prepared another does not know, or has as well
        return True
    finally:
        first.terminate()


async def _swaps(first: Connection, url: str) -> bool:
    before = await _session(first)
    second = await open_connection(url, COMMAND)
    try:
        async with second.transaction():
            taken = await _session(second)
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    after = await _session(first)
            except TimeoutError:  # there is but one session, and the other has it
                return True
    finally:
        second.terminate()
    return taken in (before, after) or before != after


async def _session(connection: Connection) -> int:
    return await connection.fetchval("SELECT pg_backend_pid()")
