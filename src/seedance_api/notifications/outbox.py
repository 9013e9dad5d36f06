"""Outbox: a message is written in the transaction that makes it true, and told by a job that comes with it."""

from collections.abc import Sequence

from seedance_api.foundation import jobs
from seedance_api.foundation.db import Connection
from seedance_api.foundation.ids import new_id
from seedance_api.notifications import queries
from seedance_api.notifications.rows import Message

_HOURS = 24
"""For how long what lasts is not told again."""


async def put(connection: Connection, messages: Sequence[Message]) -> None:
    """Have messages told; one whose `dedupe_key` was there before is not told again."""
    if messages:
        written = await queries.insert_notices(connection, [new_id("ntc") for _ in messages], messages)
        await jobs.enqueue(connection, "notify", written)


async def put_daily(connection: Connection, message: Message) -> None:
    """Have a message about the installation told, once a day at most for each kind."""
    if not await queries.was_noticed(connection, message.kind, _HOURS):
        await put(connection, [message])
