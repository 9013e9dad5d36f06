"""A queue of PgQueuer's that bounds each kind of job, and each group of a kind, by itself."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.core.qm import QueueManager
from pgqueuer.models import Context, Job
from pgqueuer.types import JobId, QueueEntrypoint


class Queue(PgQueuer):
    """A queue that has no more jobs of an entrypoint under way, in this process, than it is told.

    What waits behind a full one is left in the table, where it is in nobody's way. PgQueuer's own limits hold for the
    whole installation: with them another machine would add nothing.
    """

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        super().__init__(connection=AsyncpgDriver(connection))
        assert self.queries is not None, "PgQueuer makes them"
        self._bounded = _BoundedQueue(self.queries, self.channel, resources=self.resources)
        self._bounded.shutdown = self.shutdown
        self.qm = self._bounded

    def serve(self, name: str, handle: Callable[[Job], Awaitable[None]], *, concurrency: int) -> None:
        """Do these jobs, at most so many at once. One dequeue may take a batch more, of which the ids wait here."""
        slots = asyncio.Semaphore(concurrency)

        @self.entrypoint(name)
        async def bounded(job: Job) -> None:
            async with slots:
                await handle(job)

        del bounded
        self._bounded.concurrency[QueueEntrypoint(name)] = concurrency

    @property
    def concurrency(self) -> int:
        """Jobs of all entrypoints together."""
        return sum(self._bounded.concurrency.values())


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
