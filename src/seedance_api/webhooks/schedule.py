"""Schedule: what is due at an endpoint is claimed and sent, in the lane that it belongs to."""

import asyncio
from collections.abc import Sequence

from seedance_api.foundation import kill_points
from seedance_api.webhooks import standing_queries
from seedance_api.webhooks.announce import nudge
from seedance_api.webhooks.claim import MAX_LATE, Ask, Deliverer, Taken
from seedance_api.webhooks.decide import CONCURRENCY, SLOW_SECONDS
from seedance_api.webhooks.rows import Claimed, Lane
from seedance_api.webhooks.send import log_bug, send

_LOCKED_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4)
"""When a claim looks again whether an endpoint is free: who locks one does so for milliseconds."""


async def deliver(endpoint_id: str, deliverer: Deliverer, *, slow: bool = False) -> None:
    """Send what is due at an endpoint until nothing is, in one of the two lanes."""
    taken = await _claim(Ask(endpoint_id, CONCURRENCY, joins=not slow), deliverer, slow=slow)
    kill_points.reach("deliver.claimed")
    try:
        if taken.crowded:
            await _leave_to(Lane(endpoint_id, slow=True), deliverer)
        await _all(taken.claims, deliverer, slow=slow)
    finally:
        deliverer.left(taken)


async def _all(claims: Sequence[Claimed], deliverer: Deliverer, *, slow: bool) -> None:
    chains = [asyncio.create_task(_one_after_another(claimed, deliverer, slow=slow)) for claimed in claims]
    try:
        ended = await asyncio.gather(*chains, return_exceptions=True)  # what goes wrong with one ends no other
    except asyncio.CancelledError:
        for chain in chains:
            chain.cancel()
        raise
    for error in ended:
        if error is not None:
            raise error


async def _claim(ask: Ask, deliverer: Deliverer, *, slow: bool) -> Taken:
    """What is due at an endpoint. One that is locked all the time gets another job in a moment: nothing is lost."""
    for seconds in (*_LOCKED_SECONDS, None):
        taken = await deliverer.claim(ask)
        if not taken.locked:
            return taken
        if seconds is not None:
            await asyncio.sleep(seconds)
    await _leave_to(Lane(ask.endpoint_id, slow), deliverer, after_seconds=1.0)
    return Taken()


async def _leave_to(lane: Lane, deliverer: Deliverer, *, after_seconds: float = 0.0) -> None:
    async with deliverer.aside, deliverer.db.transaction() as connection:
        await nudge(connection, [lane], after_seconds=after_seconds)


async def _one_after_another(first: Claimed, deliverer: Deliverer, *, slow: bool) -> None:
    following = [first]
    while following:
        (claimed,) = following
        is_slow = await _try(claimed, deliverer, slow=slow)
        if is_slow is None:
            return
        if is_slow != slow:  # the rest belongs to the other lane
            await _leave_to(Lane(claimed.endpoint_id, is_slow), deliverer)
            return
        following = (await _claim(Ask(claimed.endpoint_id, 1), deliverer, slow=slow)).claims


async def _try(claimed: Claimed, deliverer: Deliverer, *, slow: bool) -> bool | None:
    """Whether the endpoint is slow now; None when it takes so long that it ends elsewhere, out of the fast lane."""
    attempt = asyncio.create_task(send(claimed, deliverer))
    try:
        await asyncio.wait([attempt], timeout=SLOW_SECONDS)
        if not attempt.done() and not claimed.slow:  # at once, so that what comes meanwhile takes the other lane
            async with deliverer.aside:
                await standing_queries.mark_slow(deliverer.db, claimed)
        if not attempt.done() and not slow and len(deliverer.late) < MAX_LATE:
            deliverer.finish_late(_finish(attempt, claimed, deliverer))
            return None
        return await attempt
    except BaseException:
        attempt.cancel()
        raise


async def _finish(attempt: asyncio.Task[bool], claimed: Claimed, deliverer: Deliverer) -> None:
    try:
        await _leave_to(Lane(claimed.endpoint_id, await attempt), deliverer)
    except Exception as error:  # noqa: BLE001 no job is there to note it; the claim runs out, and it is tried again
        log_bug(claimed, error)
    finally:
        attempt.cancel()
