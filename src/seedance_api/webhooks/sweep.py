"""Sweep: what is due at endpoints and has no job gets one, and what waits for none that is there is dropped."""

from seedance_api.foundation.db import Database
from seedance_api.webhooks import delivery_queries, standing_queries
from seedance_api.webhooks.announce import nudge
from seedance_api.webhooks.claim import Deliverer
from seedance_api.webhooks.rows import Lane

_LIMIT, _STEPS = 1000, 5
_DROP_LIMIT, _DROP_STEPS = 1000, 20


async def sweep_deliveries(deliverer: Deliverer) -> None:
    """Enqueue a job for each endpoint at which something is due that nobody owns; drop what waits for none.

    Each lane has its own round, which goes on where it was: what is always due keeps nobody from being seen.
    """
    for slow in (False, True):
        lanes, ended = await _walk(deliverer, slow=slow)
        async with deliverer.db.transaction() as connection:
            await nudge(connection, lanes, once=True)
        for endpoint_id in ended:
            await _drop(endpoint_id, deliverer.db)


async def _walk(deliverer: Deliverer, *, slow: bool) -> tuple[list[Lane], list[str]]:
    """Those of one lane, and those that are no more, until there are enough, or no others behind them."""
    lanes, ended = list[Lane](), list[str]()
    for _ in range(_STEPS):
        page = await standing_queries.waiting(deliverer.db, deliverer.swept[slow], _LIMIT)
        deliverer.swept[slow] = page[-1].endpoint_id if len(page) == _LIMIT else ""
        lanes += [
            Lane(waiting.endpoint_id, slow)
            for waiting in page
            if waiting.due and not waiting.ended and waiting.slow == slow
        ]
        ended += [waiting.endpoint_id for waiting in page if waiting.ended and not slow]
        if len(page) < _LIMIT or len(lanes) >= _LIMIT:
            break
    return lanes, ended


async def _drop(endpoint_id: str, db: Database) -> None:
    """End what waits for an endpoint that is disabled or gone, in short steps; the next sweep goes on."""
    for _ in range(_DROP_STEPS):
        async with db.transaction() as connection:
            if not await standing_queries.lock_ended(connection, endpoint_id):
                return
            if await delivery_queries.drop_waiting(connection, endpoint_id, _DROP_LIMIT) < _DROP_LIMIT:
                return
