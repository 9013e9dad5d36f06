"""Quote: what a create would be, take and cost; under a key that is answered once, and repeated as it was."""

from collections.abc import Callable
from typing import Any

import msgspec

from seedance_api.accounts.authenticate import Principal
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Kind, Once, done_before, is_first
from seedance_api.foundation.intake import Folder
from seedance_api.generations.commands import CreateGeneration, Creating
from seedance_api.generations.price import PricedOrder, price_order


class Answer(msgspec.Struct, frozen=True):
    """What is answered to a request for a quote; `replayed` when an earlier request with its key was answered so."""

    said: dict[str, Any]
    replayed: bool


async def quote(
    command: CreateGeneration,
    *,
    principal: Principal,
    once: Once,
    folder: Folder,
    parts: Creating,
    say: Callable[[PricedOrder], dict[str, Any]],
) -> Answer:
    """The answer, as `say` puts it, and as a repeat with the same key has it too. Raises AppError as a create does."""
    key = once if once.kind is Kind.KEY else None
    done = await done_before(parts.db, key)
    if done is None:
        said = say(await price_order(command, principal=principal, folder=folder, parts=parts))
        if key is None or await _is_first(parts.db, key, said):
            return Answer(said, replayed=False)
        done = await done_before(parts.db, key)
    if done is None or done.answer is None:  # it is over in this very moment
        raise AppError("idempotency_in_progress", headers={"Retry-After": "1"})
    return Answer(done.answer, replayed=True)


async def _is_first(db: Database, key: Once, said: dict[str, Any]) -> bool:
    async with db.transaction() as connection:
        return await is_first(connection, key, said)
