"""Clean up: what is left to delete once a generation is finished, and again once its owner deletes it."""

from collections.abc import Awaitable, Callable

import structlog

from seedance_api.delivery.receipt_queries import insert_deletion
from seedance_api.foundation import jobs, kill_points, objects
from seedance_api.foundation.idempotency import forget_expired
from seedance_api.generations import drafts
from seedance_api.generations.engine import Engine
from seedance_api.generations.purge import purge
from seedance_api.generations.queries import reads
from seedance_api.generations.queries.erase import delete_old_prompts, delete_prompt
from seedance_api.references.queries import expired_files, inline_files_of

_MAX_BATCH = 500
_AGAIN_SECONDS = 600.0
_UPSTREAM_SECONDS = 86_400.0
"""What an upstream will not delete is left to its own end after a day."""
_log = structlog.get_logger()


async def clean_up(generation_id: str, engine: Engine) -> None:
    """Have the providers delete their copies; of a deleted generation also delete what is ours."""
    found = await reads.leftovers(engine.db, generation_id)
    if found is not None and found.drafting and await drafts.end_over(engine.db, 1, generation_id):
        found = await reads.leftovers(engine.db, generation_id)
    if found is None:
        return
    async with engine.db.transaction() as connection:  # before what may fail here, for nobody sweeps for it
        # the copy of a draft stays while a final take may be made of it; its end brings us here again
        may_go = (found.deleted or found.purged) and not found.drafting
        for name, attempt_id, _ in found.operations:
            provider = engine.providers.get(name)  # it may have been taken out of the configuration
            if provider is not None and (may_go or not provider.capabilities.keeps):
                await jobs.enqueue(connection, "forget", [attempt_id], keys=[f"forget {attempt_id}"], group=name)
    if found.deleted:
        await delete_prompt(engine.db, generation_id)
        await remove_files(await inline_files_of(engine.db, generation_id), engine)
        await purge(engine.db, engine.storage.objects, generation_id)


async def forget(attempt_id: str, engine: Engine) -> None:
    """Have a provider delete its copy, and note it for the receipt; again in a while if it is not certainly gone."""
    found = await reads.leftover(engine.db, attempt_id)
    provider = engine.providers.get(found.provider) if found is not None else None
    if found is None or provider is None:
        return
    if await provider.forget(found.operation):
        kill_points.reach("tidy.forgotten")
        async with engine.db.transaction() as connection:
            await insert_deletion(connection, found.generation_id, "upstream_copy", found.provider, attempt_id)
    elif found.seconds < _UPSTREAM_SECONDS:
        async with engine.db.transaction() as connection:
            await jobs.enqueue(
                connection,
                "forget",
                [attempt_id],
                after_seconds=_AGAIN_SECONDS,
                keys=[f"forget {attempt_id} {found.seconds // _AGAIN_SECONDS:.0f}"],
                group=found.provider,
            )


async def expire(engine: Engine) -> None:
    """End what is past its time: drafts, prompts and inline inputs of finished generations, and uploaded files."""
    ended = await _until_none(lambda: drafts.end_over(engine.db, _MAX_BATCH))
    prompts = await _until_none(lambda: delete_old_prompts(engine.db, _MAX_BATCH))
    files = await _until_none(lambda: _expire_files(engine))
    count = ended + prompts + files + await forget_expired(engine.db)
    if count:
        _log.info("tidy.expired", count=count)


async def _until_none(some: Callable[[], Awaitable[int]]) -> int:
    """Do it batch by batch until nothing is left: after a long pause, too, no more than a batch is in memory."""
    count = 0
    while done := await some():
        count += done
    return count


async def _expire_files(engine: Engine) -> int:
    return await remove_files(await expired_files(engine.db, _MAX_BATCH), engine)


async def remove_files(ids: list[str], engine: Engine) -> int:
    """Delete reference files that no unfinished generation needs; returns how many.

    The rows go first, for a row without an object would break a start.
    """
    async with engine.db.transaction() as connection:
        removed = await drafts.delete_files(connection, ids)
    await objects.delete(engine.storage.objects, removed.object_keys)
    return len(removed.ids)
