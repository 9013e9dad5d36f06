"""Announce: write what happened as events, and what is to be delivered of them, in the transaction that makes it so."""

from collections.abc import Sequence
from typing import Any

import msgspec

from seedance_api.foundation import jobs
from seedance_api.foundation.db import Connection
from seedance_api.webhooks import event_queries
from seedance_api.webhooks.kinds import FINAL, Kind
from seedance_api.webhooks.rows import Lane


class News(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to an account's money, as its owner is told it."""

    kind: Kind
    account_id: str
    data: dict[str, Any]


async def announce(connection: Connection, kind: Kind, generation_ids: Sequence[str]) -> None:
    """Tell that this happened to these generations. Only after the statement that made it so."""
    if generation_ids:
        lanes = await event_queries.insert_events(connection, kind, generation_ids, is_final=kind in FINAL)
        await nudge(connection, lanes)


async def announce_to_accounts(connection: Connection, news: Sequence[News]) -> None:
    """Tell accounts what happened to their money. Only after the statement that made it so."""
    if news:
        lanes = await event_queries.insert_account_events(
            connection,
            [event.kind for event in news],
            [event.account_id for event in news],
            [event.data for event in news],
        )
        await nudge(connection, lanes)


async def nudge(
    connection: Connection, lanes: Sequence[Lane], *, after_seconds: float = 0.0, once: bool = False
) -> None:
    """Have what is due at these endpoints delivered.

    The jobs have no key: one that is swallowed because another runs would leave what that one has not seen, and a key
    that another transaction has not committed yet would make this one wait for it. With `once` they have one: the sweep
    comes again, and what it enqueues must not heap up.
    """
    for job, ids in (
        ("deliver", [one.endpoint_id for one in lanes if not one.slow]),
        ("deliver_slow", [one.endpoint_id for one in lanes if one.slow]),
    ):
        keys = [f"{job} {one}" for one in ids] if once else None
        await jobs.enqueue(connection, job, ids, after_seconds=after_seconds, keys=keys)
