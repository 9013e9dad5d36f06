"""Deliver: what counts as delivery. All bytes were served and were right, or the owner says that he has them."""

import structlog
from obstore.store import ObjectStore

from seedance_api.delivery import queries
from seedance_api.delivery.check import check
from seedance_api.delivery.find import find
from seedance_api.foundation.barrier import pass_barrier
from seedance_api.foundation.db import UNREACHABLE, Database
from seedance_api.foundation.idempotency import Once, done_before, is_first

_log = structlog.get_logger()


async def note_served(
    db: Database, store: ObjectStore, generation_id: str, sha256: str, start: int, end: int, *, checked: bool
) -> None:
    """Remember that these bytes of the video were served; with the last of them it is delivered, and its grace runs.

    `checked` says that they were the whole video, and right; of parts, the file is compared with its digest once they
    are all there. A note that cannot be written is lost: the video then stays for longer than it must, and is not lost.
    """
    try:
        whole = await queries.note_served(db, generation_id, sha256, start, end)
        if whole is None or not (checked or await check(whole, db, store)):
            return
        if await queries.deliver(db, whole):
            _log.info("delivery.served", generation_id=generation_id)
    except UNREACHABLE:
        _log.warning("delivery.note_lost", generation_id=generation_id)


async def confirm(db: Database, account_id: str, livemode: bool, generation_id: str, *, once: Once | None) -> bool:
    """The owner says that he has the video. False when another request with the same key has said so.

    Raises AppError as `find` does, and 422 when the key was used for another.
    """
    if await done_before(db, once):
        return False
    await find(db, account_id, livemode, generation_id, "video")
    async with db.transaction() as connection:
        first = await is_first(connection, once, generation_id)
        if first and await queries.confirm(connection, generation_id):
            _log.info("delivery.confirmed", generation_id=generation_id)
    if first:
        await pass_barrier(db)
    else:
        await done_before(db, once)
    return first
