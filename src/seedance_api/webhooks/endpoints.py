"""Endpoints: where an account's events go. Made, changed, deleted, and found."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Once, done_before, is_first
from seedance_api.foundation.ids import is_id, new_id
from seedance_api.webhooks import delivery_queries, endpoint_queries, hidden_queries, standing_queries
from seedance_api.webhooks.kinds import Kind
from seedance_api.webhooks.rows import Endpoint
from seedance_api.webhooks.sign import Scheme

MAX_ENDPOINTS = 100
"""Endpoints of one account and mode, unless the settings say otherwise."""
_DROP_LIMIT = 1000
_FORGET_LIMIT = 500


class Owner(msgspec.Struct, frozen=True):
    """Whose endpoints: an account's, in one mode."""

    account_id: str
    livemode: bool


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be true of an endpoint; what is None stays as it is."""

    url: str | None = None
    event_types: tuple[Kind, ...] | None = None
    name: str | None = None
    description: str | None = None
    signs: tuple[Scheme, ...] | None = None
    enabled: bool | None = None


class Made(msgspec.Struct, frozen=True):
    """An endpoint as it is now; `replayed` when an earlier request with the same key made or changed it."""

    endpoint: Endpoint
    replayed: bool


async def create_endpoint(
    db: Database, owner: Owner, wanted: Wanted, once: Once | None, most: int = MAX_ENDPOINTS
) -> Made:
    """A new endpoint. Raises AppError at the bound, 409 or 422 for a repeat that cannot be answered."""
    endpoint_id = new_id("whe")
    async with db.transaction() as connection:
        if first := await is_first(connection, once, endpoint_id):
            if await endpoint_queries.count_endpoints(connection, owner.account_id, owner.livemode) >= most:
                raise AppError("too_many_endpoints", f"An account has at most {most:,} endpoints; delete one.")
            await endpoint_queries.insert_endpoint(
                connection, endpoint_id, owner.account_id, owner.livemode, msgspec.structs.asdict(wanted)
            )
    if first:
        return Made(await find_endpoint(db, owner, endpoint_id), replayed=False)
    done = await done_before(db, once)
    if done is None or done.subject is None:
        raise AppError("idempotency_in_progress", headers={"Retry-After": "1"})
    try:
        return Made(await find_endpoint(db, owner, done.subject), replayed=True)
    except AppError:
        message = "This Idempotency-Key made an endpoint that is deleted; use another one."
        raise AppError("idempotency_mismatch", message, param="Idempotency-Key") from None


async def update_endpoint(db: Database, owner: Owner, endpoint_id: str, wanted: Wanted, once: Once | None) -> Made:
    """Change an endpoint, or enable it again. Raises AppError 404, and 422 when the key was used for another change."""
    first = await done_before(db, once) is None
    if first:
        await find_endpoint(db, owner, endpoint_id)
        async with db.transaction() as connection:
            first = await is_first(connection, once, endpoint_id)
            if first:
                await _update(connection, endpoint_id, wanted)
    return Made(await find_endpoint(db, owner, endpoint_id), replayed=not first)


async def _update(connection: Connection, endpoint_id: str, wanted: Wanted) -> None:
    await standing_queries.lock_endpoints(connection, [endpoint_id])
    await endpoint_queries.update_endpoint(connection, endpoint_id, msgspec.structs.asdict(wanted))
    if wanted.enabled is False:
        await standing_queries.disable(connection, endpoint_id, "owner")
        await delivery_queries.drop_waiting(connection, endpoint_id, _DROP_LIMIT)  # the sweep drops the rest
    elif wanted.enabled:
        await standing_queries.enable(connection, endpoint_id)


async def delete_endpoint(db: Database, owner: Owner, endpoint_id: str) -> None:
    """Delete an endpoint, with what was delivered and what waits for it. Raises AppError 404.

    The endpoint goes first, and alone: who writes a delivery may have it locked. Should the rest be left behind, nobody
    sees it: the sweep drops what waits, and all of it goes with its day.
    """
    await find_endpoint(db, owner, endpoint_id)
    async with db.transaction() as connection:
        await standing_queries.lock_endpoints(connection, [endpoint_id])
        await endpoint_queries.delete_endpoints(connection, [endpoint_id])
    while await delivery_queries.delete_deliveries(db, endpoint_id, _DROP_LIMIT) == _DROP_LIMIT:
        pass


async def find_endpoint(db: Database, owner: Owner, endpoint_id: str) -> Endpoint:
    """An endpoint of the owner. Raises AppError 404: another's is as if it were not there."""
    endpoint = await endpoint_queries.endpoint(db, endpoint_id) if is_id("whe", endpoint_id) else None
    if (
        endpoint is None
        or endpoint.hidden
        or (endpoint.account_id, endpoint.livemode) != (owner.account_id, owner.livemode)
    ):
        raise AppError("not_found", "There is no such webhook endpoint in this account.", param="webhook_endpoint_id")
    return endpoint


async def list_endpoints(db: Database, owner: Owner, *, after: str | None, limit: int) -> list[Endpoint]:
    """A page of the owner's endpoints, newest first. The hidden ones are not his to change."""
    return await endpoint_queries.endpoints_page(db, owner.account_id, owner.livemode, after=after, limit=limit)


async def endpoints_for(
    connection: Connection, wanted: Sequence[tuple[str, bool, str]]
) -> dict[tuple[str, bool, str], str]:
    """The hidden endpoints of `webhook_url`s, by account, mode and address; made where there are none.

    They are locked against being deleted and nothing else: creates with one address do not wait for each other.
    """
    if not wanted:
        return {}
    keys = sorted(set(wanted))
    endpoints = await hidden_queries.hidden_endpoints(connection, keys)
    missing = [key for key in keys if key not in endpoints]
    if missing:
        await hidden_queries.insert_hidden_endpoints(connection, [new_id("whe") for _ in missing], missing)
        endpoints |= await hidden_queries.hidden_endpoints(connection, missing)
    await hidden_queries.enable_hidden(connection, list(endpoints.values()))
    return endpoints


async def forget_hidden(db: Database, keep_days: int) -> int:
    """Delete hidden endpoints that were not used for as long as events are kept; returns how many."""
    gone, seen = 0, [(datetime.min.replace(tzinfo=UTC), "")]
    while seen:
        async with db.transaction() as connection:
            seen = await hidden_queries.lock_unused_hidden(connection, keep_days, seen[-1], _FORGET_LIMIT)
            # a statement of its own: who has used one meanwhile has locked it, and is skipped, or is seen here
            unused = await hidden_queries.still_unused(connection, [endpoint_id for _, endpoint_id in seen])
            await endpoint_queries.delete_endpoints(connection, unused)
        gone += len(unused)
    return gone
