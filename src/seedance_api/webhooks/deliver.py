"""Deliver: what is due at one endpoint goes out, signed; what its answers mean is recorded.

Claim → sign and send (no transaction open) → record. A crash after the send sends the same again, with the same id.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from seedance_api.foundation import kill, log
from seedance_api.foundation.address import host_of
from seedance_api.foundation.batch import Batch
from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.outbound import Outbound
from seedance_api.webhooks import queries
from seedance_api.webhooks.announce import nudge
from seedance_api.webhooks.decide import AT_ONCE, OPENS_AT, SLOW_SECONDS, Attempt, Result, Verdict, decide, read
from seedance_api.webhooks.payload import payload
from seedance_api.webhooks.rows import Claimed, Lane
from seedance_api.webhooks.sign import secrets_of, sign

TOTAL_SECONDS = 15.0
_SWEEP_MOST = 1000
_LET_GO_MOST = 64
"""Deliveries that become due with one claim at an endpoint that has reopened."""
_DROP_MOST, _DROP_STEPS = 1000, 20
_LOCKED_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4)
"""When a claim looks again whether an endpoint is free: who locks one does so for milliseconds."""
_ASIDE = 3
_log = structlog.get_logger()

Tell = Callable[[Connection, str, str, dict[str, Any]], Awaitable[None]]
"""Writes a notice: to which account, of what kind, with what detail."""


class Deliverer:
    """What delivering needs. Claims that come together share a transaction, and so do arrivals."""

    def __init__(
        self, *, db: Database, outbound: Outbound, pepper: bytes, tell: Tell, lease_seconds: float = 30.0
    ) -> None:
        self.db, self.outbound, self.pepper, self.tell = db, outbound, pepper, tell
        self._lease_seconds = TOTAL_SECONDS + lease_seconds
        self.aside = asyncio.Semaphore(_ASIDE)
        """Failures come in crowds, when many that hang time out: they leave connections for what goes well."""
        self.claim: Batch[tuple[str, int], list[Claimed] | None] = Batch(self._claim, most=64, flights=2)
        self.arrived: Batch[tuple[Claimed, Attempt], None] = Batch(self._arrived, most=64, flights=2)

    async def _claim(self, asked: list[tuple[str, int]]) -> list[list[Claimed] | None]:
        """What is due, for each that asked; None where another has the endpoint locked: nobody waits for that."""
        wanted: Counter[str] = Counter()
        for endpoint_id, number in asked:
            wanted[endpoint_id] = min(wanted[endpoint_id] + number, AT_ONCE)
        async with self.db.transaction() as connection:
            ours = await queries.lock_free(connection, list(wanted))
            if reopened := [endpoint_id for endpoint_id, has in ours.items() if has]:
                await queries.let_go(connection, reopened, _LET_GO_MOST)
            found = await queries.claim(
                connection,
                {endpoint_id: wanted[endpoint_id] for endpoint_id in ours},
                at_once=AT_ONCE,
                opens_at=OPENS_AT,
                lease_seconds=self._lease_seconds,
            )
            others = wanted.keys() - ours
            locked = await queries.existing(connection, list(others)) if others else set[str]()
        waiting = {endpoint_id: [one for one in found if one.endpoint_id == endpoint_id] for endpoint_id in wanted}
        return [
            None if one in locked else [waiting[one].pop(0) for _ in range(min(number, len(waiting[one])))]
            for one, number in asked
        ]

    async def _arrived(self, ended: list[tuple[Claimed, Attempt]]) -> list[None]:
        await queries.deliveries_arrived(self.db, [one for one, _ in ended], [attempt for _, attempt in ended])
        return [None] * len(ended)


async def deliver(endpoint_id: str, deliverer: Deliverer, *, slow: bool = False) -> None:
    """Send what is due at an endpoint until nothing is, in one of the two lanes."""
    found = await _claim(endpoint_id, AT_ONCE, deliverer, slow=slow)
    kill.reach("deliver.claimed")
    chains = [asyncio.create_task(_one_after_another(one, deliverer, slow=slow)) for one in found]
    try:
        ended = await asyncio.gather(*chains, return_exceptions=True)  # what goes wrong with one ends no other
    except asyncio.CancelledError:
        for chain in chains:
            chain.cancel()
        raise
    for error in ended:
        if error is not None:
            raise error


async def sweep_deliveries(deliverer: Deliverer) -> None:
    """Enqueue a job for each endpoint at which something is due that nobody owns; drop what waits for none."""
    async with deliverer.db.transaction() as connection:
        lanes = await queries.waiting_lanes(connection, _SWEEP_MOST)
        await nudge(connection, lanes)
    async with deliverer.db.transaction() as connection:
        ended = await queries.ended_endpoints(connection, _SWEEP_MOST)
    for endpoint_id in ended:
        await _drop(endpoint_id, deliverer.db)


async def _drop(endpoint_id: str, db: Database) -> None:
    """End what waits for an endpoint that is disabled or gone, in short steps; the next sweep goes on."""
    for _ in range(_DROP_STEPS):
        async with db.transaction() as connection:
            if not await queries.lock_ended(connection, endpoint_id):
                return
            if await queries.drop_waiting(connection, endpoint_id, _DROP_MOST) < _DROP_MOST:
                return


async def _claim(endpoint_id: str, number: int, deliverer: Deliverer, *, slow: bool) -> list[Claimed]:
    """What is due at an endpoint. One that is locked all the time gets another job in a moment: nothing is lost."""
    for seconds in (*_LOCKED_SECONDS, None):
        found = await deliverer.claim((endpoint_id, number))
        if found is not None:
            return found
        if seconds is not None:
            await asyncio.sleep(seconds)
    async with deliverer.aside, deliverer.db.transaction() as connection:
        await nudge(connection, [Lane(endpoint_id, slow)], after_seconds=1.0)
    return []


async def _one_after_another(first: Claimed, deliverer: Deliverer, *, slow: bool) -> None:
    following = [first]
    while following:
        (claimed,) = following
        result = await _send(claimed, deliverer)
        kill.reach("deliver.sent")
        is_slow = await _record(claimed, result, deliverer)
        kill.reach("deliver.recorded")
        if is_slow != slow:  # the rest belongs to the other lane
            async with deliverer.aside, deliverer.db.transaction() as connection:
                await nudge(connection, [Lane(claimed.endpoint_id, is_slow)])
            return
        following = await _claim(claimed.endpoint_id, 1, deliverer, slow=slow)


async def _send(claimed: Claimed, deliverer: Deliverer) -> Result:
    """Send it. A bug of ours is a failed try as well: one that is not counted would be sent for ever."""
    started = time.perf_counter()
    try:
        return await _signed_and_sent(claimed, deliverer)
    except Exception as error:  # noqa: BLE001 any bug
        frames = log.frames(error.__traceback__)
        _log.error("webhook.bug", endpoint_id=claimed.endpoint_id, error=type(error).__name__, frames=frames)
        return Result(how="unreachable", seconds=time.perf_counter() - started)


async def _signed_and_sent(claimed: Claimed, deliverer: Deliverer) -> Result:
    body = payload(claimed.event)
    secrets = secrets_of(
        deliverer.pepper, claimed.signs, claimed.subject, claimed.version, also_previous=claimed.also_previous
    )
    headers = sign(claimed.event_id, int(time.time()), body, secrets)
    started = time.perf_counter()
    sending = asyncio.create_task(
        deliverer.outbound.post(claimed.url, body, total_seconds=TOTAL_SECONDS, headers=headers)
    )
    try:
        await asyncio.wait([sending], timeout=SLOW_SECONDS)
        if not sending.done() and not claimed.slow:  # at once, so that what comes meanwhile takes the other lane
            async with deliverer.aside:
                await queries.mark_slow(deliverer.db, claimed.endpoint_id)
        return read(await sending, time.perf_counter() - started)
    finally:
        sending.cancel()


async def _record(claimed: Claimed, result: Result, deliverer: Deliverer) -> bool:
    """Note how it went; returns whether the endpoint is slow."""
    attempt = result.attempt(int(time.time()))
    if result.how == "delivered" and not claimed.failures and not claimed.slow and result.seconds < SLOW_SECONDS:
        await deliverer.arrived((claimed, attempt))
        return False
    async with deliverer.aside, deliverer.db.transaction() as connection:
        await queries.lock_endpoints(connection, [claimed.endpoint_id])
        standing = await queries.standing(connection, claimed.endpoint_id)
        if standing is None:  # deleted meanwhile
            return claimed.slow
        verdict = decide(result, claimed.tries + 1, standing, random.random())  # noqa: S311 only to spread the tries
        if not await _end_try(connection, claimed, attempt, verdict):
            return standing.slow
        await queries.set_standing(connection, claimed.endpoint_id, verdict)
        disabled = verdict.disabled and await queries.disable(connection, claimed.endpoint_id, verdict.disabled)
        if disabled:
            await queries.drop_waiting(connection, claimed.endpoint_id, _DROP_MOST)
        # of the `webhook_url` of a request nobody is told: there may be one for each video
        if not claimed.hidden and (disabled or (verdict.warned and not standing.warned)):
            kind = "endpoint_disabled" if disabled else "endpoint_failing"
            await deliverer.tell(connection, claimed.account_id, kind, _detail(claimed, result))
    if not verdict.delivered:
        _log.info("webhook.failed", endpoint_id=claimed.endpoint_id, reason=result.how, status=result.status)
    return verdict.slow


async def _end_try(connection: Connection, claimed: Claimed, attempt: Attempt, verdict: Verdict) -> bool:
    if verdict.delivered:
        return await queries.end_try(connection, claimed, attempt, "delivered", 0.0)
    if verdict.again_seconds is None:
        return await queries.end_try(connection, claimed, attempt, "failed", 0.0)
    return await queries.end_try(connection, claimed, attempt, "pending", verdict.again_seconds)


def _detail(claimed: Claimed, result: Result) -> dict[str, Any]:
    """What the owner is told of an endpoint: its host, for the rest of an address may hold a secret."""
    detail: dict[str, Any] = {"endpoint_id": claimed.endpoint_id, "host": host_of(claimed.url)}
    return detail | {"outcome": result.how, "status": result.status}
