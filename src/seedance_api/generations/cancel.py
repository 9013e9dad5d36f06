"""Cancel and delete: what a customer may do with a generation he no longer wants."""

import structlog
from obstore.store import ObjectStore

from seedance_api.billing.books import Books
from seedance_api.foundation import jobs
from seedance_api.foundation.barrier import pass_barrier
from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Once, done_before, is_first
from seedance_api.generations import steps
from seedance_api.generations.purge import purge
from seedance_api.generations.queries import moves
from seedance_api.generations.record import record
from seedance_api.generations.states import State

_log = structlog.get_logger()


async def cancel(db: Database, generation_id: str, *, once: Once | None, books: Books) -> bool:
    """Ask for a generation to stop. A queued one stops now; for another the provider's answer decides.

    False when another request with the same key has asked already. Raises AppError 409 when it is finished, 422 when
    the key was used for another.
    """
    async with db.transaction() as connection:
        if await is_first(connection, once, generation_id):
            await _cancel(connection, generation_id, books)
            return True
    await done_before(db, once)
    return False


async def _cancel(connection: Connection, generation_id: str, books: Books) -> None:
    generation = await moves.request_cancel(connection, generation_id)
    if generation is None:
        raise AppError("not_cancelable")
    if generation.state is State.QUEUED:
        await record(
            connection,
            steps.Cancel(),
            generation_id=generation.id,
            version=generation.version,
            provider=generation.provider,
            books=books,
        )
    else:
        await jobs.enqueue(connection, "advance", [generation.id], group=generation.provider)


async def delete(db: Database, store: ObjectStore, generation_id: str) -> None:
    """Hide a finished generation and delete its content, now; a job does the same with its inputs and upstream copy.
    Afterwards no process knows it any more.

    Raises AppError 409 while it is unfinished.
    """
    async with db.transaction() as connection:
        if not await moves.mark_deleted(connection, generation_id):
            raise AppError("not_finished")
        await jobs.enqueue(connection, "tidy", [generation_id])
    try:
        await purge(db, store, generation_id)
    except Exception:  # noqa: BLE001 it is withdrawn and hidden; what a store will not delete now is deleted later
        _log.error("delete.put_off", generation_id=generation_id, exc_info=True)
    await pass_barrier(db)
