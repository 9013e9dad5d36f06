"""A queue of PgQueuer's that bounds each kind of job, and each group of a kind, by itself.

PgQueuer stores the text of an error that leaves a job, which may quote what a user sent: none does.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

import asyncpg
import structlog
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.core.qm import QueueManager
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Context, Job, Schedule
from pgqueuer.types import JobId, QueueEntrypoint

from seedance_api.foundation import instruments, log
from seedance_api.foundation.db import UNREACHABLE

_log = structlog.get_logger()


class DeadConnectionError(Exception):
    """The database does not answer a queue any more."""


class JobError(Exception):
    """What PgQueuer may store of a failure: the job and the class of the error, never its text."""


class JobInstruments(NamedTuple):
    """What observes jobs, by their kind: how many were done and how, how long they took, how many are under way."""

    done: instruments.Counter
    seconds: instruments.Histogram
    running: instruments.Gauge


class Queue(PgQueuer):
    """A queue on a connection of its own, which takes up to `batch` jobs at a time.

    It has no more jobs of an entrypoint under way, in this process, than it is told.
    What waits behind a full one is left in the table, where it is in nobody's way. PgQueuer's own limits hold for the
    whole installation: with them another machine would add nothing.
    """

    def __init__(
        self,
        connection: "asyncpg.Connection[asyncpg.Record]",
        batch: int,
        observed: JobInstruments | None = None,
    ) -> None:
        super().__init__(connection=AsyncpgDriver(connection))
        self._batch = batch
        self._observed = observed
        assert self.queries is not None, "PgQueuer makes them"
        self._bounded = _BoundedQueue(self.queries, self.channel, resources=self.resources)
        self._bounded.shutdown = self.shutdown
        self.qm = self._bounded

    def serve(
        self,
        name: str,
        verb: Callable[[str], Awaitable[object]],
        *,
        concurrency: int,
        again_seconds: float | None = None,
    ) -> None:
        """Do these jobs, at most so many at once. One dequeue may take a batch more, of which the ids wait here.

        A job that fails is over, for its row is swept; with `again_seconds` it is done again until it succeeds.
        """
        slots = asyncio.Semaphore(concurrency)

        @self.entrypoint(name)
        async def bounded(job: Job) -> None:
            async with slots:
                try:
                    await _guarded(name, verb((job.payload or b"").decode()), self._observed)
                except JobError:
                    if again_seconds is None:
                        raise
                    raise RetryRequested(timedelta(seconds=again_seconds)) from None

        del bounded
        self._bounded.concurrency[QueueEntrypoint(name)] = concurrency

    def repeat(self, name: str, expression: str, verb: Callable[[], Awaitable[object]]) -> None:
        """Do this by a schedule, in one process of the installation at a time."""

        @self.schedule(name, expression)
        async def handle(schedule: Schedule) -> None:
            del schedule
            await _guarded(name, verb(), self._observed)

        del handle

    async def work(self) -> None:
        """Do what comes, until `shutdown` is set."""
        await self.run(
            dequeue_timeout=timedelta(seconds=5),
            batch_size=self._batch,
            max_concurrent_tasks=max(sum(self._bounded.concurrency.values()), 2 * self._batch),
            log_aggregation_interval=timedelta(0),  # nothing of ours reads those statistics, and each second adds rows
        )

    async def check(self, seconds: float) -> None:
        """Raises DeadConnectionError when the database does not answer on its connection within these seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self.connection.execute("SELECT 1")
        except UNREACHABLE:
            raise DeadConnectionError from None


@dataclass
class _BoundedQueue(QueueManager):
    """Leaves out of a dequeue what is full. `concurrency` is of each entrypoint; `taken` are jobs that are not over."""

    concurrency: dict[QueueEntrypoint, int] = field(init=False, default_factory=dict[QueueEntrypoint, int])
    taken: dict[JobId, QueueEntrypoint] = field(init=False, default_factory=dict[JobId, QueueEntrypoint])

    def entrypoints_below_capacity_limits(self) -> set[QueueEntrypoint]:
        taken = Counter(self.taken.values())
        return {
            name
            for name in self.entrypoint_registry
            if name not in self.concurrency or taken[name] < self.concurrency[name]
        }

    async def fetch_jobs(
        self, batch_size: int, global_concurrency_limit: int | None, heartbeat_timeout: timedelta
    ) -> AsyncGenerator[Job, None]:
        async for job in super().fetch_jobs(batch_size, global_concurrency_limit, heartbeat_timeout):
            self.taken[job.id] = job.entrypoint
            yield job

    def forget_job(self, job_id: JobId, context: Context, task: "asyncio.Task[None]") -> None:
        super().forget_job(job_id, context, task)
        if job_id not in self.job_context:  # else it runs again already
            self.taken.pop(job_id, None)


async def _guarded(name: str, work: Awaitable[object], observed: JobInstruments | None) -> None:
    try:
        await (work if observed is None else _observed(name.partition(":")[0], work, observed))
    except Exception as error:  # noqa: BLE001 a bug in any verb; PgQueuer would store its text
        _log.exception("job.failed", job=name, error=type(error).__name__, frames=log.frames(error.__traceback__))
        failure = JobError(f"{name}: {type(error).__name__}")
    else:
        return
    raise failure


async def _observed(kind: str, work: Awaitable[object], observed: JobInstruments) -> None:
    """The same, counted: a job that is cancelled, as when the worker stops, is under way no more, and not done."""
    started = time.perf_counter()
    observed.running.add(kind)
    outcome = None
    try:
        await work
        outcome = "succeeded"
    except Exception:
        outcome = "failed"
        raise
    finally:
        observed.running.add(kind, count=-1.0)
        if outcome is not None:
            observed.done.add(kind, outcome)
            observed.seconds.observe(time.perf_counter() - started, kind)
