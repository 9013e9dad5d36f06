"""Schedule: what is due at an endpoint is claimed and sent, in the lane that it belongs to; a sweep finds the rest."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from seedance_api.foundation import kill_points
from seedance_api.foundation.batch import Batch
from seedance_api.foundation.db import Database
from seedance_api.foundation.outbound import Outbound
from seedance_api.webhooks import delivery_queries, standing_queries
from seedance_api.webhooks.announce import nudge
from seedance_api.webhooks.decide import CONCURRENCY, OPENS_AT, SLOW_SECONDS
from seedance_api.webhooks.rows import Claimed, Free, Lane
from seedance_api.webhooks.send import TOTAL_SECONDS, Sender, log_bug, send

_SWEEP_LIMIT, _SWEEP_STEPS = 1000, 5
_LET_GO_LIMIT = 64
"""Deliveries that become due with one claim at an endpoint that has reopened."""
_DROP_LIMIT, _DROP_STEPS = 1000, 20
_LOCKED_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4)
"""When a claim looks again whether an endpoint is free: who locks one does so for milliseconds."""
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

    found: list[Claimed] = []
    locked: bool = False
    crowded: bool = False
    joined: str | None = None


class Deliverer(Sender):
    """What delivering needs: a sender, and the lanes. Claims that come together share a transaction."""

    def __init__(self, *, db: Database, outbound: Outbound, pepper: bytes, lease_seconds: float = 30.0) -> None:
        super().__init__(db=db, outbound=outbound, pepper=pepper)
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
        ids = sorted({one.endpoint_id for one in asked})
        async with self.db.transaction() as connection:
            ours = await standing_queries.lock_free(connection, ids)
            locked = (
                await standing_queries.existing(connection, ids) - ours.keys() if len(ours) < len(ids) else set[str]()
            )
            reopened = [one.id for one in ours.values() if one.reopened]
            if reopened:
                await delivery_queries.let_go(connection, reopened, _LET_GO_LIMIT)
            asked_of = [ours.get(one.endpoint_id) for one in asked]
            crowded = self._crowded(asked, asked_of)
            found = await delivery_queries.claim(
                connection,
                _wanted(one for one, of, full in zip(asked, asked_of, crowded, strict=True) if of and not full),
                concurrency=CONCURRENCY,
                opens_at=OPENS_AT,
                lease_seconds=self._lease_seconds,
            )
        waiting: defaultdict[str, list[Claimed]] = defaultdict(list)
        for one in found:
            waiting[one.endpoint_id].append(one)
        return [
            self._taken(one, waiting[one.endpoint_id], of, locked=one.endpoint_id in locked, crowded=full)
            for one, of, full in zip(asked, asked_of, crowded, strict=True)
        ]

    def _crowded(self, asked: Sequence[Ask], asked_of: Sequence[Free | None]) -> list[bool]:
        """Whose account has its share of the fast lane already, for each that asks."""
        share, full = Counter(self.fast), list[bool]()
        for one, of in zip(asked, asked_of, strict=True):
            full.append(of is not None and one.joins and share[of.account_id] >= FAST_SHARE)
            if of is not None and one.joins:
                share[of.account_id] += 1
        return full

    def _taken(self, ask: Ask, waiting: list[Claimed], of: Free | None, *, locked: bool, crowded: bool) -> Taken:
        if of is None or crowded:
            return Taken(locked=locked, crowded=crowded)
        found = [waiting.pop(0) for _ in range(min(ask.number, len(waiting)))]
        if not (ask.joins and found):
            return Taken(found=found)
        self.fast[of.account_id] += 1
        return Taken(found=found, joined=of.account_id)

    def left(self, taken: Taken) -> None:
        """A job of the fast lane has ended."""
        if taken.joined is not None:
            self.fast[taken.joined] -= 1
            if not self.fast[taken.joined]:
                del self.fast[taken.joined]

    def let_finish(self, attempt: asyncio.Task[bool], claimed: Claimed) -> bool:
        """Have an attempt that takes long end without its job; False when too many do."""
        if len(self.late) >= MAX_LATE:
            return False
        task = asyncio.create_task(_finish(attempt, claimed, self))
        self.late.add(task)
        task.add_done_callback(self.late.discard)
        return True

    async def drain(self, seconds: float) -> None:
        """Claim nothing any more; wait for the attempts that have left their jobs, and end them when it is over."""
        self.stopping = True
        late = list(self.late)
        if late:
            await asyncio.wait(late, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def deliver(endpoint_id: str, deliverer: Deliverer, *, slow: bool = False) -> None:
    """Send what is due at an endpoint until nothing is, in one of the two lanes."""
    taken = await _claim(Ask(endpoint_id, CONCURRENCY, joins=not slow), deliverer, slow=slow)
    kill_points.reach("deliver.claimed")
    try:
        if taken.crowded:
            await _leave_to(Lane(endpoint_id, slow=True), deliverer)
        await _all(taken.found, deliverer, slow=slow)
    finally:
        deliverer.left(taken)


async def _all(found: Sequence[Claimed], deliverer: Deliverer, *, slow: bool) -> None:
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
    for _ in range(_SWEEP_STEPS):
        found = await delivery_queries.waiting(deliverer.db, deliverer.swept[slow], _SWEEP_LIMIT)
        deliverer.swept[slow] = found[-1].endpoint_id if len(found) == _SWEEP_LIMIT else ""
        lanes += [Lane(one.endpoint_id, slow) for one in found if one.due and not one.ended and one.slow == slow]
        ended += [one.endpoint_id for one in found if one.ended and not slow]
        if len(found) < _SWEEP_LIMIT or len(lanes) >= _SWEEP_LIMIT:
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
        following = (await _claim(Ask(claimed.endpoint_id, 1), deliverer, slow=slow)).found


async def _try(claimed: Claimed, deliverer: Deliverer, *, slow: bool) -> bool | None:
    """Whether the endpoint is slow now; None when it takes so long that it ends elsewhere, out of the fast lane."""
    attempt = asyncio.create_task(send(claimed, deliverer))
    try:
        await asyncio.wait([attempt], timeout=SLOW_SECONDS)
        if not attempt.done() and not claimed.slow:  # at once, so that what comes meanwhile takes the other lane
            async with deliverer.aside:
                await standing_queries.mark_slow(deliverer.db, claimed)
        if not attempt.done() and not slow and deliverer.let_finish(attempt, claimed):
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


def _wanted(asked: Iterable[Ask]) -> Counter[str]:
    wanted: Counter[str] = Counter()
    for one in asked:
        wanted[one.endpoint_id] = min(wanted[one.endpoint_id] + one.number, CONCURRENCY)
    return wanted
