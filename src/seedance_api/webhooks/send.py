"""Send: one delivery goes out, signed; what its answer means is recorded.

Sign and send (no transaction open) → record. A crash after the send sends the same again, with the same id.
"""

import asyncio
import random
import time
from typing import Any, NamedTuple

import structlog

from seedance_api.foundation import kill_points, log
from seedance_api.foundation.address import host_of
from seedance_api.foundation.batch import Batch
from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.instruments import Counter, Histogram
from seedance_api.foundation.outbound import Outbound
from seedance_api.notifications.outbox import put
from seedance_api.notifications.rows import Message
from seedance_api.webhooks import delivery_queries, standing_queries
from seedance_api.webhooks.decide import SLOW_SECONDS, Attempt, Result, Verdict, decide, read
from seedance_api.webhooks.payload import payload
from seedance_api.webhooks.rows import Claimed
from seedance_api.webhooks.sign import secrets_of, sign

TOTAL_SECONDS = 15.0
_DROP_LIMIT = 1000
_ASIDE = 3
_log = structlog.get_logger()


class SendInstruments(NamedTuple):
    """What observes tries: how they went, deliveries given up, and seconds from the event to the end of its first."""

    tries: Counter
    dead_letters: Counter
    delay: Histogram


class Sender:
    """What an attempt needs. Arrivals that come together share a statement."""

    def __init__(
        self, *, db: Database, outbound: Outbound, pepper: bytes, observed: SendInstruments | None = None
    ) -> None:
        self.db, self.outbound, self.pepper = db, outbound, pepper
        self.observed = observed
        self.aside = asyncio.Semaphore(_ASIDE)
        """Failures come in crowds, when many that hang time out: they leave connections for what goes well."""
        self.arrived: Batch[tuple[Claimed, Attempt], None] = Batch(self._arrived, max_items=64, concurrency=2)

    async def _arrived(self, ended: list[tuple[Claimed, Attempt]]) -> list[None]:
        await delivery_queries.deliveries_arrived(
            self.db, [claimed for claimed, _ in ended], [attempt for _, attempt in ended]
        )
        return [None] * len(ended)


async def send(claimed: Claimed, sender: Sender) -> bool:
    """Make an attempt and record it; returns whether the endpoint is slow now."""
    result = await _send(claimed, sender)
    kill_points.reach("deliver.sent")
    _observe(claimed, result, sender)
    is_slow = await _record(claimed, result, sender)
    kill_points.reach("deliver.recorded")
    return is_slow


async def _send(claimed: Claimed, sender: Sender) -> Result:
    """Send it. A bug of ours is a failed try as well: one that is not counted would be sent for ever."""
    started = time.perf_counter()
    try:
        return await _signed_and_sent(claimed, sender)
    except Exception as error:  # noqa: BLE001 any bug
        log_bug(claimed, error)
        return Result(how="unreachable", seconds=time.perf_counter() - started)


def _observe(claimed: Claimed, result: Result, sender: Sender) -> None:
    if sender.observed is None:
        return
    sender.observed.tries.add(result.how)
    if claimed.tries == 0:
        sender.observed.delay.observe(sender.db.clock() - claimed.created_at.timestamp())


def log_bug(claimed: Claimed, error: Exception) -> None:
    """Without its text, which may hold an address."""
    frames = log.frames(error.__traceback__)
    _log.error("webhook.bug", endpoint_id=claimed.endpoint_id, error=type(error).__name__, frames=frames)


async def _signed_and_sent(claimed: Claimed, sender: Sender) -> Result:
    body = payload(claimed.event)
    secrets = secrets_of(sender.pepper, claimed.signs, claimed.subject, claimed.version, earlier=claimed.earlier)
    headers = sign(claimed.event_id, int(sender.db.clock()), body, secrets)
    started = time.perf_counter()
    post = await sender.outbound.post(claimed.url, body, total_seconds=TOTAL_SECONDS, headers=headers)
    return read(post, time.perf_counter() - started)


async def _record(claimed: Claimed, result: Result, sender: Sender) -> bool:
    """Note how it went; returns whether the endpoint is slow."""
    attempt = result.attempt(int(sender.db.clock()))
    if result.how == "delivered" and not claimed.failures and not claimed.slow and result.seconds < SLOW_SECONDS:
        await sender.arrived((claimed, attempt))
        return False
    async with sender.aside, sender.db.transaction() as connection:
        await standing_queries.lock_endpoints(connection, [claimed.endpoint_id])
        standing = await standing_queries.standing(connection, claimed)
        if standing is None:  # deleted meanwhile
            return claimed.slow
        if standing.moved:
            await _end_at_old_address(connection, claimed, attempt)
            return standing.slow
        verdict = decide(result, claimed.tries + 1, standing, random.random())  # noqa: S311 only to spread the tries
        if not await _end_try(connection, claimed, attempt, verdict, sender):
            return standing.slow
        await standing_queries.set_standing(connection, claimed.endpoint_id, verdict)
        by = verdict.disabled
        disabled = by is not None and await standing_queries.disable(connection, claimed.endpoint_id, by)
        if disabled:
            await delivery_queries.drop_waiting(connection, claimed.endpoint_id, _DROP_LIMIT)
        # of the `webhook_url` of a request nobody is told: there may be one for each video
        if not claimed.hidden and (disabled or (verdict.warned and not standing.warned)):
            kind = "endpoint_disabled" if disabled else "endpoint_failing"
            message = Message(kind=kind, account_id=claimed.account_id, detail=_detail(claimed, result))
            await put(connection, [message])
    if not verdict.delivered:
        _log.info("webhook.failed", endpoint_id=claimed.endpoint_id, reason=result.how, status=result.status)
    return verdict.slow


async def _end_at_old_address(connection: Connection, claimed: Claimed, attempt: Attempt) -> None:
    """What an address answered that is not the endpoint's any more is not held against the new one."""
    if attempt.outcome == "delivered":
        await delivery_queries.end_try(connection, claimed, attempt, "delivered", 0.0)
    else:
        await delivery_queries.give_back(connection, claimed)


async def _end_try(
    connection: Connection, claimed: Claimed, attempt: Attempt, verdict: Verdict, sender: Sender
) -> bool:
    if verdict.delivered:
        return await delivery_queries.end_try(connection, claimed, attempt, "delivered", 0.0)
    if verdict.again_seconds is None:
        if sender.observed is not None:
            sender.observed.dead_letters.add()
        return await delivery_queries.end_try(connection, claimed, attempt, "failed", 0.0)
    return await delivery_queries.end_try(connection, claimed, attempt, "pending", verdict.again_seconds)


def _detail(claimed: Claimed, result: Result) -> dict[str, Any]:
    """What the owner is told of an endpoint: its host, for the rest of an address may hold a secret."""
    detail: dict[str, Any] = {"endpoint_id": claimed.endpoint_id, "host": host_of(claimed.url)}
    return detail | {"outcome": result.how, "status": result.status}
