"""Tell: of wrong secrets that somebody sends with the id of a key, its owner and the operator are told once a day."""

import structlog

from seedance_api.accounts import queries
from seedance_api.accounts.keys import shown_key
from seedance_api.foundation.db import CONTENDED, NO_ROOM, UNREACHABLE, Database
from seedance_api.notifications.outbox import put
from seedance_api.notifications.rows import Message

_log = structlog.get_logger()


async def tell_of_guesses(db: Database, handle: str, count: int) -> None:
    """Have it told if there is such a live key. Never raises: the next as many wrong secrets have it told otherwise."""
    try:
        found = await queries.keys_by_handle(db, [handle])
        if not found or found[0].revoked_at is not None:
            return
        key = found[0]
        async with db.transaction() as connection:
            now = await connection.fetchval("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')")
            message = Message(
                kind="key_guessed",
                account_id=key.account_id,
                detail={"key_id": key.id, "count": count},
                letter={
                    "key": shown_key(key.mode, key.handle, key.name),
                    "key_id": key.id,
                    "count": str(count),
                    "at": now,
                },
                dedupe_key=f"key_guessed {key.id} {now[:10]}",
            )
            await put(connection, [message])
    except (*UNREACHABLE, *CONTENDED, NO_ROOM) as error:
        _log.warning("failed_keys.not_told", error=type(error).__name__)
