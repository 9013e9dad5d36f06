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


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How many were put in line again, the last of them, and whether there are more."""

    count: int
    last_id: str | None
    has_more: bool


async def replay(db: Database, endpoint: Endpoint, wanted: Range, once: Once | None) -> tuple[Replayed, bool]:
    """Put deliveries in line again, as if they were new, but with their attempts; what is in line anyway stays so.

    Beside it whether an earlier request with the same key has done it. Raises AppError 409 for a disabled endpoint, 404
    for an event that is none of the account's.
    """
    if done := await done_before(db, once):
        return _earlier(done), True
    if endpoint.disabled_at is not None:
        raise AppError("endpoint_disabled", "The endpoint is disabled; enable it first.")
    async with db.transaction() as connection:
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


def _earlier(done: Done | None) -> Replayed:
    if done is None or done.answer is None:
        raise AppError("idempotency_in_progress", headers={"Retry-After": "1"})
    return msgspec.convert(done.answer, Replayed)
