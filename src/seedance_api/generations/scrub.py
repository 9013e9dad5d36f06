"""Scrub: what is stored is read and compared with its digest, a bounded part at a time, before somebody else does.

What was never compared comes first, then what was not for longest. A run that is cut off goes on where it ended: each
object is noted by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from seedance_api.delivery import repair_queries
from seedance_api.delivery.check import ask_to_repair, check
from seedance_api.delivery.rows import Suspect
from seedance_api.foundation.store_trouble import is_silent
from seedance_api.generations.engine import Engine
from seedance_api.references import object_queries
from seedance_api.references.check import check_file
from seedance_api.references.object_queries import Kept

_RUN_BYTES = 128 << 20
"""The most that a run reads of each kind, content and references: with a run a minute, 2 MB a second of each."""
_RUN_SECONDS = 40.0
_AGE_HOURS = 24.0
_PAGE = 20
_MAX_REPAIRS, _REPAIR_SECONDS = 100, 600.0
T = TypeVar("T", Suspect, Kept)
_log = structlog.get_logger()


async def scrub(engine: Engine, *, run_bytes: int = _RUN_BYTES, age_hours: float = _AGE_HOURS) -> int:
    """Compare what was not compared for so long, up to `run_bytes` of each kind and one object more; returns how many
    are damaged. Damaged content that is not repaired yet is tried again.
    """
    db, store = engine.db, engine.storage.objects
    if (reason := await is_silent(store)) is not None:  # `alarm` tells the operator
        _log.warning("scrub.put_off", reason=reason)
        return 0
    bad = 0
    try:
        async with asyncio.timeout(_RUN_SECONDS):
            bad += await _compare(
                lambda: repair_queries.unverified(db, _PAGE, age_hours),
                lambda suspect: check(suspect, db, store),
                run_bytes,
            )
            bad += await _compare(
                lambda: object_queries.unverified(db, _PAGE, age_hours),
                lambda one: check_file(one, db, store),
                run_bytes,
            )
    except TimeoutError:
        _log.warning("scrub.slow")
    async with db.transaction() as connection:
        await ask_to_repair(connection, await repair_queries.take_damaged(connection, _MAX_REPAIRS, _REPAIR_SECONDS))
    return bad


async def _compare(
    some: Callable[[], Awaitable[Sequence[T]]], verb: Callable[[T], Awaitable[bool]], run_bytes: int
) -> int:
    """A page at a time; no more than a chunk of one object is in memory."""
    left, bad = run_bytes, 0
    while left > 0 and (page := await some()):
        for one in page:
            bad += not await verb(one)
            left -= one.bytes
            if left <= 0:
                break
    return bad
