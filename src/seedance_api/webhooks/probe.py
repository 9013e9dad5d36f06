"""Probe: send an event that did not happen to an endpoint, now, and hear what it says."""

import time

from seedance_api.foundation.outbound import Outbound
from seedance_api.webhooks.decide import Result, read
from seedance_api.webhooks.kinds import Kind
from seedance_api.webhooks.payload import payload, sample
from seedance_api.webhooks.rows import Endpoint
from seedance_api.webhooks.sign import secrets_of, sign

_SECONDS = 10.0


async def try_endpoint(
    endpoint: Endpoint, kind: Kind, event_id: str, *, outbound: Outbound, pepper: bytes, now: float
) -> Result:
    """Sign and send it once; nothing is kept of it, and the endpoint stands as it stood. `now` is in Unix seconds."""
    body = payload(sample(kind, event_id, livemode=endpoint.livemode, now=now))
    secrets = secrets_of(pepper, endpoint.signs, endpoint.subject, endpoint.version, earlier=endpoint.earlier)
    started = time.perf_counter()
    answer = await outbound.post(
        endpoint.url,
        body,
        total_seconds=_SECONDS,
        headers=sign(event_id, int(now), body, secrets),
    )
    return read(answer, time.perf_counter() - started)
