"""Probe: send an event that did not happen to an endpoint, now, and hear what it says."""

import asyncio
import time

import msgspec

from seedance_api.foundation.claim_key import claimed
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.idempotency import Done, Once, done_before, is_first
from seedance_api.foundation.ids import new_id
from seedance_api.foundation.outbound import Outbound
from seedance_api.webhooks.decide import Result, read
from seedance_api.webhooks.kinds import Kind
from seedance_api.webhooks.payload import payload, sample
from seedance_api.webhooks.rows import Endpoint
from seedance_api.webhooks.sign import secrets_of, sign

_SECONDS = 10.0
_CONCURRENCY = 32
"""Under way in this process. Each is a request to where a customer says."""


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `success` says that an answer came, `status_code` which."""

    webhook_endpoint_id: str
    event_type: Kind
    success: bool
    status_code: int | None
    outcome: str


class Prober:
    """Tries endpoints for their owners; nothing is kept of it, and the endpoint stands as it stood."""

    def __init__(self, *, db: Database, outbound: Outbound, pepper: bytes) -> None:
        self._db = db
        self._outbound = outbound
        self._pepper = pepper
        self._slots = asyncio.Semaphore(_CONCURRENCY)

    async def __call__(self, endpoint: Endpoint, kind: Kind, once: Once | None) -> tuple[Probed, bool]:
        """What came of it, and whether an earlier request with the same key has heard it."""
        if once is None:
            return await self._probe(endpoint, kind), False
        if done := await done_before(self._db, once):
            return _earlier(done), True
        async with claimed(self._db, once) as mine:
            if mine is not None:
                probed = await self._probe(endpoint, kind)
                async with self._db.transaction() as connection:
                    await is_first(connection, mine, msgspec.to_builtins(probed))
                return probed, False
        return _earlier(await done_before(self._db, once)), True

    async def _probe(self, endpoint: Endpoint, kind: Kind) -> Probed:
        async with self._slots:
            result = await self._send(endpoint, kind)
        return Probed(
            webhook_endpoint_id=endpoint.id,
            event_type=kind,
            success=result.status is not None,
            status_code=result.status,
            outcome=result.how,
        )

    async def _send(self, endpoint: Endpoint, kind: Kind) -> Result:
        event_id, now = new_id("evt"), self._db.clock()
        body = payload(sample(kind, event_id, livemode=endpoint.livemode, now=now))
        secrets = secrets_of(self._pepper, endpoint.signs, endpoint.subject, endpoint.version, earlier=endpoint.earlier)
        started = time.perf_counter()
        answer = await self._outbound.post(
            endpoint.url,
            body,
            total_seconds=_SECONDS,
            headers=sign(event_id, int(now), body, secrets),
        )
        return read(answer, time.perf_counter() - started)


def _earlier(done: Done | None) -> Probed:
    if done is None or done.answer is None:
        raise AppError("idempotency_in_progress", headers={"Retry-After": "2"})
    return msgspec.convert(done.answer, Probed)
