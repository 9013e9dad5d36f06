"""Replay: have an event, or the events of a time, sent to an endpoint again, or for the first time."""

import msgspec

from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Done, Once, done_before, is_first
from seedance_api.webhooks import replay_queries
from seedance_api.webhooks.announce import nudge
from seedance_api.webhooks.rows import Endpoint, Lane, Range

MOST = 1000
"""Events of one call."""
MAX_WAITING = 2000
"""Events that may wait to be sent to one endpoint again, when more are asked for."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How many were put in line again, the last of them, and whether there are more."""

    count: int
    last_id: str | None
    has_more: bool


async def replay(db: Database, endpoint: Endpoint, wanted: Range, once: Once | None) -> tuple[Replayed, bool]:
    """Put deliveries in line again, as if they were new, but with their attempts; what is in line anyway stays so.

    Beside it whether an earlier request with the same key has done it. Raises AppError 409 for a disabled endpoint, 429
    while as many wait as may, 404 for an event that is none of the account's.
    """
    if done := await done_before(db, once):
        return _earlier(done), True
    if endpoint.disabled_at is not None:
        raise AppError("endpoint_disabled", "The endpoint is disabled; enable it first.")
    async with db.transaction() as connection:
        waiting = await replay_queries.count_waiting(connection, endpoint)
        if waiting >= MAX_WAITING:
            raise _too_many(waiting)
        found = await replay_queries.replayable(connection, endpoint, wanted, MOST + 1)
        if wanted.event_id is not None and not found:
            raise AppError("not_found", "There is no such event in this account.", param="event_id")
        ids = found[:MOST]
        answer = Replayed(count=len(ids), last_id=ids[-1] if ids else None, has_more=len(found) > MOST)
        if await is_first(connection, once, msgspec.to_builtins(answer)):
            await replay_queries.put_in_line(connection, endpoint, ids)
            await nudge(connection, [Lane(endpoint.id, endpoint.slow)] if ids else [])
            return answer, False
    return _earlier(await done_before(db, once)), True


def _too_many(waiting: int) -> AppError:
    seconds = (waiting - MAX_WAITING) // replay_queries.A_SECOND + 1
    message = (
        f"{waiting:,} events wait to be sent to this endpoint again, {replay_queries.A_SECOND} a second; more are "
        f"taken while fewer than {MAX_WAITING:,} wait. Go on in {seconds} s."
    )
    return AppError("too_many_replays", message, headers={"Retry-After": str(seconds)})


def _earlier(done: Done | None) -> Replayed:
    if done is None or done.answer is None:
        raise AppError("idempotency_in_progress", headers={"Retry-After": "1"})
    return msgspec.convert(done.answer, Replayed)
