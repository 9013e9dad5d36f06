"""Deliver: what is due at one endpoint goes out, signed; what its answers mean is recorded.

Claim → sign and send (no transaction open) → record. A crash after the send sends the same again, with the same id.
"""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec
import structlog

from seedance_api.foundation import kill_points, log
from seedance_api.foundation.address import host_of
from seedance_api.foundation.batch import Batch
from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.outbound import Outbound
from seedance_api.webhooks import queries
from seedance_api.webhooks.announce import nudge
from seedance_api.webhooks.decide import AT_ONCE, OPENS_AT, SLOW_SECONDS, Attempt, Result, Verdict, decide, read
from seedance_api.webhooks.payload import payload
from seedance_api.webhooks.rows import Claimed, Free, Lane
from seedance_api.webhooks.sign import secrets_of, sign

TOTAL_SECONDS = 15.0
_SWEEP_MOST, _SWEEP_STEPS = 1000, 5
_LET_GO_MOST = 64
"""Deliveries that become due with one claim at an endpoint that has reopened."""
_DROP_MOST, _DROP_STEPS = 1000, 20
_LOCKED_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4)
"""When a claim looks again whether an endpoint is free: who locks one does so for milliseconds."""
_ASIDE = 3
FAST_SHARE = 96
"""Jobs of one account at a time in the fast lane: a quarter of it. What is more waits among the slow ones."""
LATE_MOST = 512
"""Attempts that have left the fast lane."""
_log = structlog.get_logger()

Tell = Callable[[Connection, str, str, dict[str, Any]], Awaitable[None]]
"""Writes a notice: to which account, of what kind, with what detail."""


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


class Deliverer:
    """What delivering needs. Claims that come together share a transaction, and so do arrivals."""

    def __init__(
        self, *, db: Database, outbound: Outbound, pepper: bytes, tell: Tell, lease_seconds: float = 30.0
    ) -> None:
        self.db, self.outbound, self.pepper, self.tell = db, outbound, pepper, tell
        self._lease_seconds = TOTAL_SECONDS + lease_seconds
        self.aside = asyncio.Semaphore(_ASIDE)
        """Failures come in crowds, when many that hang time out: they leave connections for what goes well."""
        self.stopping = False
        self.fast: Counter[str] = Counter()
        """Jobs of each account in the fast lane."""
        self.swept = {False: "", True: ""}
        """Where the sweep is in the round of each lane: the last endpoint."""
        self.late: set[asyncio.Task[None]] = set()
        """Attempts that took so long that their jobs did not wait for them."""
        self.claim: Batch[Ask, Taken] = Batch(self._claim, max_items=64, concurrency=2)
        self.arrived: Batch[tuple[Claimed, Attempt], None] = Batch(self._arrived, max_items=64, concurrency=2)

    async def _claim(self, asked: list[Ask]) -> list[Taken]:
        if self.stopping:
            return [Taken() for _ in asked]
        ids = sorted({one.endpoint_id for one in asked})
        async with self.db.transaction() as connection:
            ours = await queries.lock_free(connection, ids)
            locked = await queries.existing(connection, ids) - ours.keys() if len(ours) < len(ids) else set[str]()
            reopened = [one.id for one in ours.values() if one.reopened]
            if reopened:
                await queries.let_go(connection, reopened, _LET_GO_MOST)
            asked_of = [ours.get(one.endpoint_id) for one in asked]
            crowded = self._crowded(asked, asked_of)
            found = await queries.claim(
                connection,
                _wanted(one for one, of, full in zip(asked, asked_of, crowded, strict=True) if of and not full),
                at_once=AT_ONCE,
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
        if len(self.late) >= LATE_MOST:
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

    async def _arrived(self, ended: list[tuple[Claimed, Attempt]]) -> list[None]:
        await queries.deliveries_arrived(self.db, [one for one, _ in ended], [attempt for _, attempt in ended])
        return [None] * len(ended)


async def deliver(endpoint_id: str, deliverer: Deliverer, *, slow: bool = False) -> None:
    """Send what is due at an endpoint until nothing is, in one of the two lanes."""
    taken = await _claim(Ask(endpoint_id, AT_ONCE, joins=not slow), deliverer, slow=slow)
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
        found = await queries.waiting(deliverer.db, deliverer.swept[slow], _SWEEP_MOST)
        deliverer.swept[slow] = found[-1].endpoint_id if len(found) == _SWEEP_MOST else ""
        lanes += [Lane(one.endpoint_id, slow) for one in found if one.due and not one.ended and one.slow == slow]
        ended += [one.endpoint_id for one in found if one.ended and not slow]
        if len(found) < _SWEEP_MOST or len(lanes) >= _SWEEP_MOST:
            break
    return lanes, ended


async def _drop(endpoint_id: str, db: Database) -> None:
    """End what waits for an endpoint that is disabled or gone, in short steps; the next sweep goes on."""
    for _ in range(_DROP_STEPS):
        async with db.transaction() as connection:
            if not await queries.lock_ended(connection, endpoint_id):
                return
            if await queries.drop_waiting(connection, endpoint_id, _DROP_MOST) < _DROP_MOST:
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
    attempt = asyncio.create_task(_attempt(claimed, deliverer))
    try:
        await asyncio.wait([attempt], timeout=SLOW_SECONDS)
        if not attempt.done() and not claimed.slow:  # at once, so that what comes meanwhile takes the other lane
            async with deliverer.aside:
                await queries.mark_slow(deliverer.db, claimed)
        if not attempt.done() and not slow and deliverer.let_finish(attempt, claimed):
            return None
        return await attempt
    except BaseException:
        attempt.cancel()
        raise


async def _attempt(claimed: Claimed, deliverer: Deliverer) -> bool:
    result = await _send(claimed, deliverer)
    kill_points.reach("deliver.sent")
    is_slow = await _record(claimed, result, deliverer)
    kill_points.reach("deliver.recorded")
    return is_slow


async def _finish(attempt: asyncio.Task[bool], claimed: Claimed, deliverer: Deliverer) -> None:
    try:
        await _leave_to(Lane(claimed.endpoint_id, await attempt), deliverer)
    except Exception as error:  # noqa: BLE001 no job is there to note it; the claim runs out, and it is tried again
        _log_bug(claimed, error)
    finally:
        attempt.cancel()


def _wanted(asked: Iterable[Ask]) -> Counter[str]:
    wanted: Counter[str] = Counter()
    for one in asked:
        wanted[one.endpoint_id] = min(wanted[one.endpoint_id] + one.number, AT_ONCE)
    return wanted


def _log_bug(claimed: Claimed, error: Exception) -> None:
    """Without its text, which may hold an address."""
    frames = log.frames(error.__traceback__)
    _log.error("webhook.bug", endpoint_id=claimed.endpoint_id, error=type(error).__name__, frames=frames)


async def _send(claimed: Claimed, deliverer: Deliverer) -> Result:
    """Send it. A bug of ours is a failed try as well: one that is not counted would be sent for ever."""
    started = time.perf_counter()
    try:
        return await _signed_and_sent(claimed, deliverer)
    except Exception as error:  # noqa: BLE001 any bug
        _log_bug(claimed, error)
        return Result(how="unreachable", seconds=time.perf_counter() - started)


async def _signed_and_sent(claimed: Claimed, deliverer: Deliverer) -> Result:
    body = payload(claimed.event)
    secrets = secrets_of(deliverer.pepper, claimed.signs, claimed.subject, claimed.version, earlier=claimed.earlier)
    headers = sign(claimed.event_id, int(deliverer.db.clock()), body, secrets)
    started = time.perf_counter()
    post = await deliverer.outbound.post(claimed.url, body, total_seconds=TOTAL_SECONDS, headers=headers)
    return read(post, time.perf_counter() - started)


async def _record(claimed: Claimed, result: Result, deliverer: Deliverer) -> bool:
    """Note how it went; returns whether the endpoint is slow."""
    attempt = result.attempt(int(deliverer.db.clock()))
    if result.how == "delivered" and not claimed.failures and not claimed.slow and result.seconds < SLOW_SECONDS:
        await deliverer.arrived((claimed, attempt))
        return False
    async with deliverer.aside, deliverer.db.transaction() as connection:
        await queries.lock_endpoints(connection, [claimed.endpoint_id])
        standing = await queries.standing(connection, claimed)
        if standing is None:  # deleted meanwhile
            return claimed.slow
        if standing.moved:
            await _end_at_old_address(connection, claimed, attempt)
            return standing.slow
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


async def _end_at_old_address(connection: Connection, claimed: Claimed, attempt: Attempt) -> None:
    """What an address answered that is not the endpoint's any more is not held against the new one."""
    if attempt.outcome == "delivered":
        await queries.end_try(connection, claimed, attempt, "delivered", 0.0)
    else:
        await queries.give_back(connection, claimed)


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
