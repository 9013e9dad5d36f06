"""Report: whoever has found a key has it revoked. The key itself is the proof; nothing else is asked of him."""

import structlog

from seedance_api.accounts import queries
from seedance_api.accounts.keys import PREFIX, is_key, parse, shown_key
from seedance_api.accounts.queries import ApiKey
from seedance_api.foundation.barrier import pass_barrier
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.notifications.outbox import put
from seedance_api.notifications.rows import Message

_NO_KEY = (
    f"What was sent is no API key of this service: one is `{PREFIX}live_` or `{PREFIX}test_` and 46 letters and "
    "digits, of which the last six are a checksum. Send all of it, and nothing else."
)
_log = structlog.get_logger()


async def report_leaked(db: Database, pepper: bytes, text: str) -> ApiKey | None:
    """Revoke the key that somebody has found, in every process at once, and tell its owner and the operator.

    Returns the key if it was live until now: a repeat does nothing. Raises AppError 400 for a text that is no key by
    its form and checksum; it is in no message.
    """
    plain = parse(text.strip())
    if plain is None:
        raise AppError("invalid_request", _NO_KEY, param="key")
    found = await queries.keys_by_handle(db, [plain.handle])
    key = found[0] if found else None
    matches = is_key(plain, pepper, key and key.digest)
    if key is None or not matches or key.mode != plain.mode:
        return None
    async with db.transaction() as connection:
        if not await queries.revoke_key(connection, key.id, "reported_leaked"):
            return None
        await put(connection, [_message(key)])
    await pass_barrier(db)
    _log.warning("key.revoked", key_id=key.id, account_id=key.account_id, reason="reported_leaked")
    return key


def _message(key: ApiKey) -> Message:
    return Message(
        kind="key_leaked",
        account_id=key.account_id,
        detail={"key_id": key.id, "mode": key.mode.value},
        letter={"key": shown_key(key.mode, key.handle, key.name), "key_id": key.id},
        dedupe_key=f"key_leaked {key.id}",
    )
