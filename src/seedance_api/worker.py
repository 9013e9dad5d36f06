"""The worker: the complete list of jobs and schedules, one line each, calling verbs."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import asyncpg
import msgspec
import structlog
from pgqueuer import PgQueuer
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job, Schedule

from seedance_api.billing.expire import expire_grants
from seedance_api.billing.notify import Notifier, notify, sweep_notices
from seedance_api.foundation import log
from seedance_api.foundation.jobs import prune_log
from seedance_api.generations.advance import Engine, advance
from seedance_api.generations.announce import announce_news
from seedance_api.generations.collect import collect
from seedance_api.generations.dispatch import dispatch
from seedance_api.generations.mend import mend
from seedance_api.generations.purge import purge_due, warn_due
from seedance_api.generations.reconcile import reconcile
from seedance_api.generations.scrub import scrub
from seedance_api.generations.sweep import sweep
from seedance_api.generations.tidy import expire, tidy
from seedance_api.generations.watch import look, watch
from seedance_api.webhooks.decide import AT_ONCE, DELIVERING, DELIVERING_SLOWLY
from seedance_api.webhooks.deliver import LATE_MOST, Deliverer, deliver, sweep_deliveries
from seedance_api.webhooks.retain import retain

_LANES = 6
_TIDY_SECONDS = 60.0
"""What is to be deleted stands in no row that a sweep looks at: the job stays until it is done."""
_log = structlog.get_logger()


class Tasks(msgspec.Struct, frozen=True, kw_only=True):
    """What the jobs need."""

    engine: Engine
    notifier: Notifier
    deliverer: Deliverer
    event_days: int


class Lane(msgspec.Struct, frozen=True):
    """A queue of its own: it takes up to `batch` jobs at a time, and at most `most` at once."""

    queue: PgQueuer
    batch: int
    most: int


def build(connections: "Sequence[asyncpg.Connection[asyncpg.Record]]", tasks: Tasks) -> list[Lane]:
    """Every job and every schedule there is.

    What takes long has lanes of its own: neither slow upstreams nor large files nor customers' or mail servers that
    hang keep anybody from hearing of the rest.
    """
    queues = [PgQueuer.from_asyncpg_connection(one) for one in connections]
    queue, starting, storing, telling, telling_slowly, noticing = queues
    engine, deliverer = tasks.engine, tasks.deliverer
    _job(queue, "dispatch", lambda provider: dispatch(provider, engine))
    _job(starting, "advance", lambda generation_id: advance(generation_id, engine))
    _job(storing, "store", lambda generation_id: advance(generation_id, engine))
    _job(storing, "mend", lambda generation_id: mend(generation_id, engine))
    _job(queue, "watch", lambda provider: watch(provider, engine))
    _job(queue, "look", lambda attempt_id: look(attempt_id, engine))
    _job(queue, "tidy", lambda generation_id: tidy(generation_id, engine), again_seconds=_TIDY_SECONDS)
    _job(telling, "deliver", lambda endpoint_id: deliver(endpoint_id, deliverer))
    _job(telling_slowly, "deliver_slow", lambda endpoint_id: deliver(endpoint_id, deliverer, slow=True))
    _job(noticing, "notify", lambda notice_id: notify(notice_id, tasks.notifier))
    _schedule(queue, "sweep", "* * * * * */5", lambda: sweep(engine))
    _schedule(queue, "sweep_deliveries", "* * * * * */5", lambda: sweep_deliveries(deliverer))
    _schedule(queue, "retain", "7 * * * *", lambda: retain(engine.db, tasks.event_days))
    _schedule(queue, "purge", "* * * * * */5", lambda: purge_due(engine))
    _schedule(queue, "warn", "* * * * *", lambda: warn_due(engine))
    _schedule(queue, "expire", "* * * * *", lambda: expire(engine))
    _schedule(queue, "expire_grants", "* * * * *", lambda: expire_grants(engine.db, announce=announce_news))
    _schedule(queue, "sweep_notices", "* * * * *", lambda: sweep_notices(engine.db))
    _schedule(queue, "prune", "23 * * * *", lambda: prune_log(engine.db))
    _schedule(queue, "collect", "17 * * * *", lambda: collect(engine.db, engine.storage.objects))
    _schedule(queue, "scrub", "* * * * *", lambda: scrub(engine))
    _schedule(queue, "reconcile", "37 * * * *", lambda: reconcile(engine, 3))
    _schedule(queue, "reconcile_day", "47 3 * * *", lambda: reconcile(engine, 72))
    return [
        Lane(queue, 16, 64),
        Lane(starting, 64, 256),
        Lane(storing, 8, 32),
        Lane(telling, 64, DELIVERING - LATE_MOST // AT_ONCE),
        Lane(telling_slowly, 64, DELIVERING_SLOWLY),
        Lane(noticing, 4, 16),
    ]


async def run(url: str, tasks: Tasks, *, drain_seconds: float) -> None:
    """Work until SIGTERM or SIGINT, then finish what is under way, or hand it back when `drain_seconds` have passed."""
    await retain(tasks.engine.db, tasks.event_days)
    connections = [await asyncpg.connect(url) for _ in range(_LANES)]
    lanes = build(connections, tasks)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    working = [asyncio.create_task(_run(lane)) for lane in lanes]
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({*working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    _log.info("worker.draining")
    for lane in lanes:
        lane.queue.shutdown.set()
    tasks.deliverer.stopping = True
    drain_until = loop.time() + drain_seconds
    await asyncio.wait(working, timeout=drain_seconds)
    await tasks.deliverer.drain(max(drain_until - loop.time(), 0.0))
    stopping.cancel()
    for one in working:
        one.cancel()
    ended = await asyncio.gather(*working, return_exceptions=True)
    for connection in connections:
        connection.terminate()
    for error in ended:
        if isinstance(error, Exception):
            raise error


async def _run(lane: Lane) -> None:
    await lane.queue.run(dequeue_timeout=timedelta(seconds=5), batch_size=lane.batch, max_concurrent_tasks=lane.most)


class JobError(Exception):
    """What PgQueuer may store of a failure: the job and the class of the error, never its text."""


def _job(
    queue: PgQueuer, name: str, verb: Callable[[str], Awaitable[object]], *, again_seconds: float | None = None
) -> None:
    """A job. One that fails is over, for its row is swept; with `again_seconds` it is done again until it succeeds."""

    @queue.entrypoint(name)
    async def handle(job: Job) -> None:
        try:
            await _guarded(name, verb((job.payload or b"").decode()))
        except JobError:
            if again_seconds is None:
                raise
            raise RetryRequested(timedelta(seconds=again_seconds)) from None

    del handle


def _schedule(queue: PgQueuer, name: str, when: str, verb: Callable[[], Awaitable[object]]) -> None:
    @queue.schedule(name, when)
    async def handle(schedule: Schedule) -> None:
        del schedule
        await _guarded(name, verb())

    del handle


async def _guarded(name: str, work: Awaitable[object]) -> None:
    try:
        await work
    except Exception as error:  # noqa: BLE001 a bug in any verb; PgQueuer would store its text
        _log.exception("job.failed", job=name, error=type(error).__name__, frames=log.frames(error.__traceback__))
        failure = JobError(f"{name}: {type(error).__name__}")
    else:
        return
    raise failure
