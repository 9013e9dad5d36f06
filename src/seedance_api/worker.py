"""The worker: the complete list of jobs and schedules, one line each, calling verbs."""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import asyncpg
import msgspec
import structlog

from seedance_api.accounts.tiers import update_tiers
from seedance_api.billing.expire import expire_grants
from seedance_api.foundation.db import UNREACHABLE, Database
from seedance_api.foundation.jobs import entrypoint, prune, release_schedules
from seedance_api.foundation.queue import DeadConnectionError, JobInstruments, Queue
from seedance_api.foundation.session import LANE, open_connection
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
from seedance_api.traffic.analytics import aggregate
from seedance_api.traffic.metrics import JOB_SECONDS, JOBS, JOBS_RUNNING
from seedance_api.traffic.retain import RequestDays, retain_requests
from seedance_api.traffic.slo import measure_slos
from seedance_api.traffic.watch_keys import watch_keys
from seedance_api.webhooks.claim import MAX_LATE, Deliverer
from seedance_api.webhooks.decide import CONCURRENCY, DELIVERING, DELIVERING_SLOWLY
from seedance_api.webhooks.retain import retain
from seedance_api.webhooks.schedule import deliver
from seedance_api.webhooks.sweep import sweep_deliveries

_BATCHES = (16, 64, 8, 64, 64, 4)
"""Jobs that each queue takes from the table at a time."""
HEARTBEAT_SECONDS = 1.0
SILENT_SECONDS = 4.0
"""A queue whose connection has not answered for so long is dead."""
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
    request_days: RequestDays
    analytics_days: int
    rate_tiers: Sequence[tuple[int, int]]
    spending_floor: int


def build(connections: "Sequence[asyncpg.Connection[asyncpg.Record]]", tasks: Tasks) -> list[Queue]:
    """Every job and every schedule there is, on a queue for each connection.

    Each kind of work is bounded by itself, and what calls providers is for each of them: neither slow upstreams nor
    large files nor customers' or mail servers that hang keep anybody from hearing of the rest.
    """
    observed = JobInstruments(JOBS, JOB_SECONDS, JOBS_RUNNING)
    queues = [Queue(connection, batch, observed) for connection, batch in zip(connections, _BATCHES, strict=True)]
    main, starting, storing, delivering, delivering_slowly, notifying = queues
    engine, deliverer = tasks.engine, tasks.deliverer
    for provider in (None, *engine.providers):  # one that is not configured here has its jobs, too: they must end
        _serve_provider(provider, main, starting, storing, engine)
    main.serve("tidy", partial(clean_up, engine=engine), concurrency=8, again_seconds=_CLEANUP_SECONDS)
    fast = DELIVERING - MAX_LATE // CONCURRENCY
    delivering.serve("deliver", partial(deliver, deliverer=deliverer), concurrency=fast)
    delivering_slowly.serve(
        "deliver_slow", partial(deliver, deliverer=deliverer, slow=True), concurrency=DELIVERING_SLOWLY
    )
    notifying.serve("notify", partial(notify, notifier=tasks.notifier), concurrency=16)
    main.repeat("sweep", "* * * * * */5", lambda: sweep(engine))
    main.repeat("sweep_deliveries", "* * * * * */5", lambda: sweep_deliveries(deliverer))
    main.repeat("retain", "7 * * * *", lambda: retain(engine.db, tasks.event_days))
    main.repeat("retain_requests", "17 * * * *", lambda: retain_requests(engine.db, tasks.request_days))
    main.repeat("watch_keys", "*/10 * * * *", lambda: watch_keys(engine.db, tasks.spending_floor))
    main.repeat("measure_slos", "7 * * * *", lambda: measure_slos(engine.db))
    main.repeat("aggregate", "41 * * * *", lambda: aggregate(engine.db, tasks.analytics_days))
    main.repeat("update_tiers", "27 * * * *", lambda: update_tiers(engine.db, tasks.rate_tiers))
    main.repeat("purge", "* * * * * */5", lambda: purge_due(engine))
    main.repeat("warn", "* * * * *", lambda: warn_due(engine))
    main.repeat("expire", "* * * * *", lambda: expire(engine))
    main.repeat("expire_grants", "* * * * *", lambda: expire_grants(engine.db, announce=announce_news))
    main.repeat("sweep_notices", "* * * * *", lambda: sweep_notices(engine.db))
    main.repeat("alarm", "* * * * *", lambda: alarm(engine.db, engine.storage.objects))
    main.repeat("prune", "23 * * * *", lambda: prune(engine.db))
    main.repeat("collect", "17 * * * *", lambda: collect_orphans(engine.db, engine.storage.objects))
    main.repeat("scrub", "* * * * *", lambda: scrub(engine))
    main.repeat("reconcile", "37 * * * *", lambda: reconcile(engine, 3))
    main.repeat("reconcile_day", "47 3 * * *", lambda: reconcile(engine, 72))
    return queues


def _serve_provider(provider: str | None, main: Queue, starting: Queue, storing: Queue, engine: Engine) -> None:
    """The jobs that call a provider, so many at once of each kind: one that is slow takes no other's places."""
    name = partial(entrypoint, group=provider)
    main.serve(name("dispatch"), partial(dispatch, engine=engine), concurrency=2)
    main.serve(name("watch"), partial(watch, engine=engine), concurrency=2)
    main.serve(name("look"), partial(look, engine=engine), concurrency=16)
    starting.serve(name("advance"), partial(advance, engine=engine), concurrency=128)
    storing.serve(name("store"), partial(advance, engine=engine), concurrency=32)
    storing.serve(name("mend"), partial(repair, engine=engine), concurrency=4)
    main.serve(name("forget"), partial(forget, engine=engine), concurrency=8, again_seconds=_CLEANUP_SECONDS)


async def run(url: str, tasks: Tasks, *, drain_seconds: float) -> None:
    """Work until SIGTERM or SIGINT, then finish what is under way, or hand it back when `drain_seconds` have passed.

    When the database is lost the queues are built anew as soon as it is there again; what was under way is over then,
    as if the process had been killed. Raises what ended a queue otherwise.
    """
    await retain(tasks.engine.db, tasks.event_days)
    await retain_requests(tasks.engine.db, tasks.request_days)
    await update_tiers(tasks.engine.db, tasks.rate_tiers)
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
    """Work until it is told to stop. Raises DeadConnectionError, or what ended a queue."""
    connections = [await open_connection(url, LANE) for _ in _BATCHES]
    queues = build(connections, tasks)
    tasks.deliverer.stopping = False
    working = [asyncio.create_task(queue.work()) for queue in queues]
    watching = asyncio.create_task(_watch_over(queues, tasks.engine.db))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({*working, watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    _log.info("worker.draining")
    await _drain(working, queues, tasks, drain_seconds if stop.is_set() else min(drain_seconds, _LOST_DRAIN_SECONDS))
    await _end([watching, *working], connections)


async def _drain(working: Sequence[asyncio.Task[None]], queues: Sequence[Queue], tasks: Tasks, seconds: float) -> None:
    for queue in queues:
        queue.shutdown.set()
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
    for task in working:
        task.cancel()
    await asyncio.wait(working, timeout=_END_SECONDS)
    for connection in connections:
        connection.terminate()
    ended, _ = await asyncio.wait(working, timeout=_END_SECONDS)
    for task in working:
        if task in ended and not task.cancelled() and (error := task.exception()):
            raise error


async def _watch_over(queues: Sequence[Queue], db: Database) -> None:
    """Ask each queue's connection for a sign of life again and again. Raises DeadConnectionError.

    A connection that dies silently would keep its queue waiting for ever: PgQueuer has no bound on its own waits. Nor
    does a queue end by itself when its connection is ended, before its jobs have.
    """
    while True:
        await asyncio.gather(_release(queues, db), *(queue.check(SILENT_SECONDS) for queue in queues))
        await asyncio.sleep(HEARTBEAT_SECONDS)


async def _release(queues: Sequence[Queue], db: Database) -> None:
    registered = [item for queue in queues for item in queue.sm.registry.items()]
    schedules = {(str(key.entrypoint), str(key.expression)): schedule.next_in() for key, schedule in registered}
    try:
        async with asyncio.timeout(SILENT_SECONDS):
            await db.answers(SILENT_SECONDS)  # and says what time it is
            await release_schedules(db, schedules)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        _log.warning("worker.release_failed", exc_info=True)  # the queues tell whether the database is there


async def _happens(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
