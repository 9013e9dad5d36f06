"""Provider callback: What it says is a hint to ask about that attempt now, and nothing else."""

from seedance_api.foundation import jobs
from seedance_api.foundation.db import Database
from seedance_api.generations.enqueue import watch_soon
from seedance_api.generations.queries import attempts


async def receive_callback(db: Database, attempt_id: str, told: str | None, *, goes_on: bool = False) -> None:
    """Have the attempt looked at. `told` is the operation's id, for an attempt that we know none of.

    Of one that we know, that it `goes_on` is no news: half of the callbacks or more say no more than that.
    """
    if goes_on and await attempts.is_acknowledged(db, attempt_id):
        return
    async with db.transaction() as connection:
        attempt = await attempts.note_callback(connection, attempt_id, told)
        if attempt is None:
            return
        if attempt.acknowledged:
            await jobs.enqueue(connection, "look", [attempt_id], keys=[f"look {attempt_id}"], group=attempt.provider)
            await watch_soon(connection, attempt.provider)
        else:
            await jobs.enqueue(
                connection,
                "advance",
                [attempt.generation_id],
                keys=[f"hear {attempt_id}"],
                group=attempt.provider,
            )
