"""The worker: the complete list of jobs and schedules, one line each, calling verbs."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta

import asyncpg
import msgspec
import structlog
from pgqueuer import PgQueuer
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job, Schedule

from seedance_api.billing.expire import expire_grants
from seedance_api.foundation import log
from seedance_api.foundation.db import LANE, UNREACHABLE, Database, open_connection
from seedance_api.foundation.jobs import entrypoint, prune, release_schedules
from seedance_api.foundation.queue import Queue
from seedance_api.generations.advance import advance
from seedance_api.generations.alarm import alarm
from seedance_api.generations.announce import announce_news
from seedance_api.generations.clean_up import clean_up, expire, forget
from seedance_api.generations.dispatch import dispatch
from seedance_api.generations.engine import Engine
from seedance_api.generations.purge import purge_due, warn_due
from seedance_api.generations.repair import repair
from seedance_api.generations.scrub import scrub
from seedance_api.generations.sweep import sweep
from seedance_api.generations.watch import look, watch
from seedance_api.notifications.send import Notifier, notify, sweep_notices
from seedance_api.reconciliation.collect_orphans import collect_orphans
from seedance_api.reconciliation.reconcile import reconcile
from seedance_api.webhooks.decide import AT_ONCE, DELIVERING, DELIVERING_SLOWLY
from seedance_api.webhooks.retain import retain
from seedance_api.webhooks.schedule import LATE_MOST, Deliverer, deliver, sweep_deliveries

_LANES = 6
_DISPATCHES, _WATCHES, _LOOKS, _STARTS, _STORES, _REPAIRS, _FORGETS = 2, 2, 16, 128, 32, 4, 8
"""Jobs of a kind that a process has under way for each provider: what is slow at one takes no other's places."""
_CLEANUPS, _NOTICES = 8, 16
HEARTBEAT_SECONDS = 1.0
SILENT_SECONDS = 4.0
"""A lane whose connection has not answered for so long is dead."""
AGAIN_SECONDS = 0.5
_LOST_DRAIN_SECONDS = 1.0
_END_SECONDS = 1.0
_CLEANUP_SECONDS = 60.0
"""What is to be deleted stands in no row that a sweep looks at: the job stays until it is done."""
_log = structlog.get_logger()


class Tasks(msgspec.Struct, frozen=True, kw_only=True):
    """What the jobs need."""

    engine: Engine
    notifier: Notifier
    deliverer: Deliverer
    event_days: int


class Lane(msgspec.Struct, frozen=True):
    """A queue on a connection of its own: it takes up to `batch` jobs at a time, and at most `most` at once."""

    queue: PgQueuer
    batch: int
    most: int


def build(connections: "Sequence[asyncpg.Connection[asyncpg.Record]]", tasks: Tasks) -> list[Lane]:
    """Every job and every schedule there is.

    Each kind of work is bounded by itself, and what calls providers is for each of them: neither slow upstreams nor
    large files nor customers' or mail servers that hang keep anybody from hearing of the rest. A provider that is not
    configured here has a place, too: what belongs to it must end.
    """
    queue, starting, storing, telling, telling_slowly, noticing = [Queue(one) for one in connections]
    engine, deliverer = tasks.engine, tasks.deliverer
    providers = [None, *engine.providers]
    _for_each(providers, queue, "dispatch", lambda provider: dispatch(provider, engine), most=_DISPATCHES)
    _for_each(providers, queue, "watch", lambda provider: watch(provider, engine), most=_WATCHES)
    _for_each(providers, queue, "look", lambda attempt_id: look(attempt_id, engine), most=_LOOKS)
    _for_each(providers, starting, "advance", lambda generation_id: advance(generation_id, engine), most=_STARTS)
    _for_each(providers, storing, "store", lambda generation_id: advance(generation_id, engine), most=_STORES)
    _for_each(providers, storing, "mend", lambda generation_id: repair(generation_id, engine), most=_REPAIRS)
    _for_each(
        providers,
        queue,
        "forget",
        lambda attempt_id: forget(attempt_id, engine),
        most=_FORGETS,
        again_seconds=_CLEANUP_SECONDS,
    )
    _job(
        queue,
        "tidy",
        lambda generation_id: clean_up(generation_id, engine),
        most=_CLEANUPS,
        again_seconds=_CLEANUP_SECONDS,
    )
    fast = DELIVERING - LATE_MOST // AT_ONCE
    _job(telling, "deliver", lambda endpoint_id: deliver(endpoint_id, deliverer), most=fast)
    _job(
        telling_slowly,
        "deliver_slow",
        lambda endpoint_id: deliver(endpoint_id, deliverer, slow=True),
        most=DELIVERING_SLOWLY,
    )
    _job(noticing, "notify", lambda notice_id: notify(notice_id, tasks.notifier), most=_NOTICES)
    _schedule(queue, "sweep", "* * * * * */5", lambda: sweep(engine))
    _schedule(queue, "sweep_deliveries", "* * * * * */5", lambda: sweep_deliveries(deliverer))
    _schedule(queue, "retain", "7 * * * *", lambda: retain(engine.db, tasks.event_days))
    _schedule(queue, "purge", "* * * * * */5", lambda: purge_due(engine))
    _schedule(queue, "warn", "* * * * *", lambda: warn_due(engine))
    _schedule(queue, "expire", "* * * * *", lambda: expire(engine))
    _schedule(queue, "expire_grants", "* * * * *", lambda: expire_grants(engine.db, announce=announce_news))
    _schedule(queue, "sweep_notices", "* * * * *", lambda: sweep_notices(engine.db))
    _schedule(queue, "alarm", "* * * * *", lambda: alarm(engine.db, engine.storage.objects))
    _schedule(queue, "prune", "23 * * * *", lambda: prune(engine.db))
    _schedule(queue, "collect", "17 * * * *", lambda: collect_orphans(engine.db, engine.storage.objects))
    _schedule(queue, "scrub", "* * * * *", lambda: scrub(engine))
    _schedule(queue, "reconcile", "37 * * * *", lambda: reconcile(engine, 3))
    _schedule(queue, "reconcile_day", "47 3 * * *", lambda: reconcile(engine, 72))
    batches = ((queue, 16), (starting, 64), (storing, 8), (telling, 64), (telling_slowly, 64), (noticing, 4))
    return [Lane(one, batch, max(one.concurrency, 2 * batch)) for one, batch in batches]


async def run(url: str, tasks: Tasks, *, drain_seconds: float) -> None:
    """Work until SIGTERM or SIGINT, then finish what is under way, or hand it back when `drain_seconds` have passed.

    When the database is lost the lanes are built anew as soon as it is there again; what was under way is over then,
    as if the process had been killed. Raises what ended a lane otherwise.
    """
    await retain(tasks.engine.db, tasks.event_days)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set():
        try:
            await _work(url, tasks, stop, drain_seconds)
        except (DeadConnectionError, *UNREACHABLE) as error:
            _log.error("worker.connection_lost", error=type(error).__name__)
            tasks.engine.db.renew()
            await _happens(stop, AGAIN_SECONDS)


async def _work(url: str, tasks: Tasks, stop: asyncio.Event, drain_seconds: float) -> None:
    """Work until it is told to stop. Raises DeadConnectionError, or what ended a lane."""
    connections = [await open_connection(url, LANE) for _ in range(_LANES)]
    lanes = build(connections, tasks)
    tasks.deliverer.stopping = False
    working = [asyncio.create_task(_run(lane)) for lane in lanes]
    watching = asyncio.create_task(_watch_over(lanes, tasks.engine.db))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({*working, watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    _log.info("worker.draining")
    await _drain(working, lanes, tasks, drain_seconds if stop.is_set() else min(drain_seconds, _LOST_DRAIN_SECONDS))
    await _end([watching, *working], connections)


async def _drain(working: Sequence[asyncio.Task[None]], lanes: Sequence[Lane], tasks: Tasks, seconds: float) -> None:
    for lane in lanes:
        lane.queue.shutdown.set()
    tasks.deliverer.stopping = True
    drain_until = asyncio.get_running_loop().time() + seconds
    await asyncio.wait(working, timeout=seconds)
    await tasks.deliverer.drain(max(drain_until - asyncio.get_running_loop().time(), 0.0))


async def _end(
    working: Sequence[asyncio.Task[None]], connections: "Sequence[asyncpg.Connection[asyncpg.Record]]"
) -> None:
    """End what is still under way. The engine notes what has become of its jobs, if there is anybody to tell.

    Raises the error of the first of `working` that has one.
    """
    for one in working:
        one.cancel()
    await asyncio.wait(working, timeout=_END_SECONDS)
    for connection in connections:
        connection.terminate()
    ended, _ = await asyncio.wait(working, timeout=_END_SECONDS)
    for one in working:
        if one in ended and not one.cancelled() and (error := one.exception()):
            raise error


class DeadConnectionError(Exception):
    """The database does not answer a lane any more."""


async def _watch_over(lanes: Sequence[Lane], db: Database) -> None:
    """Ask each lane's connection for a sign of life again and again. Raises DeadConnectionError.

    A connection that dies silently would keep its lane waiting for ever: the engine has no bound on its own waits. Nor
    does a lane end by itself when its connection is ended, before its jobs have.
    """
    while True:
        await asyncio.gather(_release(lanes, db), *(_ask(lane) for lane in lanes))
        await asyncio.sleep(HEARTBEAT_SECONDS)


async def _ask(lane: Lane) -> None:
    try:
        async with asyncio.timeout(SILENT_SECONDS):
            await lane.queue.connection.execute("SELECT 1")
    except UNREACHABLE:
        raise DeadConnectionError from None


async def _release(lanes: Sequence[Lane], db: Database) -> None:
    registered = [item for lane in lanes for item in lane.queue.sm.registry.items()]
    schedules = {(str(key.entrypoint), str(key.expression)): one.next_in() for key, one in registered}
    try:
        async with asyncio.timeout(SILENT_SECONDS):
            await db.answers(SILENT_SECONDS)  # and says what time it is
            await release_schedules(db, schedules)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        _log.warning("worker.release_failed", exc_info=True)  # the lanes tell whether the database is there


async def _run(lane: Lane) -> None:
    await lane.queue.run(
        dequeue_timeout=timedelta(seconds=5),
        batch_size=lane.batch,
        max_concurrent_tasks=lane.most,
        log_aggregation_interval=timedelta(0),  # nothing of ours reads those statistics, and each second adds rows
    )


async def _happens(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class JobError(Exception):
    """What PgQueuer may store of a failure: the job and the class of the error, never its text."""


def _for_each(
    providers: Iterable[str | None],
    queue: Queue,
    kind: str,
    verb: Callable[[str], Awaitable[object]],
    *,
    most: int,
    again_seconds: float | None = None,
) -> None:
    """The same job for each provider, each with places of its own."""
    for provider in providers:
        _job(queue, entrypoint(kind, provider), verb, most=most, again_seconds=again_seconds)


def _job(
    queue: Queue,
    name: str,
    verb: Callable[[str], Awaitable[object]],
    *,
    most: int,
    again_seconds: float | None = None,
) -> None:
    """A job. One that fails is over, for its row is swept; with `again_seconds` it is done again until it succeeds."""

    async def handle(job: Job) -> None:
        try:
            await _guarded(name, verb((job.payload or b"").decode()))
        except JobError:
            if again_seconds is None:
                raise
            raise RetryRequested(timedelta(seconds=again_seconds)) from None

    queue.serve(name, handle, concurrency=most)


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
