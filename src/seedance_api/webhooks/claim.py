"""Claim what is due at endpoints. Claims that come together share a transaction."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

import msgspec

from seedance_api.foundation.batch import Batch
from seedance_api.foundation.db import Database
from seedance_api.foundation.outbound import Outbound
from seedance_api.webhooks import delivery_queries, standing_queries
from seedance_api.webhooks.decide import CONCURRENCY, OPENS_AT
from seedance_api.webhooks.rows import Claimed, Free
from seedance_api.webhooks.send import TOTAL_SECONDS, Sender, SendInstruments

_LET_GO_LIMIT = 64
"""Deliveries that become due with one claim at an endpoint that has reopened."""
FAST_SHARE = 96
"""Jobs of one account at a time in the fast lane: a quarter of it. What is more waits among the slow ones."""
MAX_LATE = 512
"""Attempts that have left the fast lane."""


class Ask(msgspec.Struct, frozen=True):
    """A claim of up to `number` deliveries. One that begins a job `joins` the fast lane, where accounts have shares."""

    endpoint_id: str
    number: int
    joins: bool = False


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What is due. Nothing where another has the endpoint `locked`, or where the account has its share already."""

    claims: list[Claimed] = []
    locked: bool = False
    crowded: bool = False
    joined: str | None = None


class Deliverer(Sender):
    """What delivering needs: a sender, and the lanes. Claims that come together share a transaction."""

    def __init__(
        self,
        *,
        db: Database,
        outbound: Outbound,
        pepper: bytes,
        lease_seconds: float = 30.0,
        observed: SendInstruments | None = None,
    ) -> None:
        super().__init__(db=db, outbound=outbound, pepper=pepper, observed=observed)
        self._lease_seconds = TOTAL_SECONDS + lease_seconds
        self.stopping = False
        self.fast: Counter[str] = Counter()
        """Jobs of each account in the fast lane."""
        self.swept = {False: "", True: ""}
        """Where the sweep is in the round of each lane: the last endpoint."""
        self.late: set[asyncio.Task[None]] = set()
        """Attempts that took so long that their jobs did not wait for them."""
        self.claim: Batch[Ask, Taken] = Batch(self._claim, max_items=64, concurrency=2)

    async def _claim(self, asked: list[Ask]) -> list[Taken]:
        if self.stopping:
            return [Taken() for _ in asked]
        ids = sorted({ask.endpoint_id for ask in asked})
        async with self.db.transaction() as connection:
            ours = await standing_queries.lock_free(connection, ids)
            locked = (
                await standing_queries.existing(connection, ids) - ours.keys() if len(ours) < len(ids) else set[str]()
            )
            reopened = [endpoint.id for endpoint in ours.values() if endpoint.reopened]
            if reopened:
                await delivery_queries.let_go(connection, reopened, _LET_GO_LIMIT)
            endpoints = [ours.get(ask.endpoint_id) for ask in asked]
            crowded = self._crowded(asked, endpoints)
            claims = await delivery_queries.claim(
                connection,
                _wanted(
                    ask for ask, endpoint, full in zip(asked, endpoints, crowded, strict=True) if endpoint and not full
                ),
                concurrency=CONCURRENCY,
                opens_at=OPENS_AT,
                lease_seconds=self._lease_seconds,
            )
        waiting: defaultdict[str, list[Claimed]] = defaultdict(list)
        for claimed in claims:
            waiting[claimed.endpoint_id].append(claimed)
        return [
            self._taken(ask, waiting[ask.endpoint_id], endpoint, locked=ask.endpoint_id in locked, crowded=full)
            for ask, endpoint, full in zip(asked, endpoints, crowded, strict=True)
        ]

    def _crowded(self, asked: Sequence[Ask], endpoints: Sequence[Free | None]) -> list[bool]:
        """Whose account has its share of the fast lane already, for each that asks."""
        share, full = Counter(self.fast), list[bool]()
        for ask, endpoint in zip(asked, endpoints, strict=True):
            full.append(endpoint is not None and ask.joins and share[endpoint.account_id] >= FAST_SHARE)
            if endpoint is not None and ask.joins:
                share[endpoint.account_id] += 1
        return full

    def _taken(self, ask: Ask, waiting: list[Claimed], endpoint: Free | None, *, locked: bool, crowded: bool) -> Taken:
        if endpoint is None or crowded:
            return Taken(locked=locked, crowded=crowded)
        claims = [waiting.pop(0) for _ in range(min(ask.number, len(waiting)))]
        if not (ask.joins and claims):
            return Taken(claims=claims)
        self.fast[endpoint.account_id] += 1
        return Taken(claims=claims, joined=endpoint.account_id)

    def left(self, taken: Taken) -> None:
        """A job of the fast lane has ended."""
        if taken.joined is not None:
            self.fast[taken.joined] -= 1
            if not self.fast[taken.joined]:
                del self.fast[taken.joined]

    def finish_late(self, attempt: Coroutine[Any, Any, None]) -> None:
        """Have an attempt that takes long end without its job."""
        task = asyncio.create_task(attempt)
        self.late.add(task)
        task.add_done_callback(self.late.discard)

    async def drain(self, seconds: float) -> None:
        """Claim nothing any more; wait for the attempts that have left their jobs, and end them when it is over."""
        self.stopping = True
        late = list(self.late)
        if late:
            await asyncio.wait(late, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


def _wanted(asked: Iterable[Ask]) -> Counter[str]:
    wanted: Counter[str] = Counter()
    for ask in asked:
        wanted[ask.endpoint_id] = min(wanted[ask.endpoint_id] + ask.number, CONCURRENCY)
    return wanted
