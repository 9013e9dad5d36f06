"""All tasks: they wait, run as many at a time as the model allows, end, and are forgotten."""

import heapq
import itertools
import random
import string
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from fakes.ark.intake.order import Order
from fakes.ark.models import limits
from fakes.ark.options import Options
from fakes.ark.plan import Plan
from fakes.ark.tasks import TERMINAL, Status, Task
from fakes.ark.timers import Timers

_LETTERS = string.ascii_lowercase + string.digits
_PRUNE_SECONDS = 30.0


@dataclass(slots=True)
class _Lane:
    """The tasks of one account and model that share its concurrency."""

    width: int
    queued: int = 0
    running: int = 0
    waiting: list[tuple[int, int, Task]] = field(default_factory=list[tuple[int, int, Task]])


class Ledger:
    """Keeps the tasks and moves them. `on_change` is told of each move."""

    def __init__(self, options: Options, timers: Timers, rng: random.Random) -> None:
        self._options, self._timers, self._rng = options, timers, rng
        self._tasks: dict[str, Task] = {}
        self._lanes: dict[tuple[str, ...], _Lane] = {}
        self._numbers = itertools.count()
        self.counts: dict[str, int] = defaultdict(int)
        """How many tasks are in each state."""
        self.on_change: list[Callable[[Task], None]] = []
        self.on_success: Callable[[Task], None] = lambda _: None
        timers.after(_PRUNE_SECONDS, self._prune)

    def __iter__(self) -> Iterator[Task]:
        """The newest first."""
        return reversed(self._tasks.values())

    def __len__(self) -> int:
        return len(self._tasks)

    def find(self, account: str | None, task_id: str) -> Task | None:
        """A task of an account; of any for None."""
        task = self._tasks.get(task_id)
        return task if task and account in {None, task.account} and not self.is_old(task) else None

    def is_old(self, task: Task) -> bool:
        """Whether its record is kept no longer, though it may still be there."""
        return task.created < time.time() - self._options.record_seconds

    def lane_of(self, account: str, order: Order) -> tuple[str, ...]:
        """What a task shares its concurrency with: the account's tasks of its model, 4k apart."""
        return account, order.model.family, "4k" if order.resolution == "4k" else ""

    def queued(self, lane: tuple[str, ...]) -> int:
        """How many wait for a place."""
        return self._lanes[lane].queued if lane in self._lanes else 0

    def add(self, account: str, order: Order, plan: Plan, *, created: float | None = None) -> Task:
        """Take a new task into the queue."""
        now = time.time() if created is None else created
        lane = self.lane_of(account, order)
        task = Task(self._new_id(order, now), account, order, plan, lane, created=now, updated=now)
        if lane not in self._lanes:
            _, width = limits(order.model, order.resolution, individual=self._options.individual)
            width = width if self._options.concurrency is None else self._options.concurrency
            self._lanes[lane] = _Lane(width or 1 << 30)
        self._tasks[task.id] = task
        self._lanes[lane].queued += 1
        self.counts[task.status] += 1
        self._timers.after(order.expires_after / self._options.speed, lambda: self._expire(task))
        if len(self._tasks) > self._options.most_tasks:
            self._forget_oldest()
        return task

    def start(self, task: Task) -> None:
        """Announce it, and let its time begin."""
        self._tell(task)
        self._timers.after(self._scaled(task.plan.queue_seconds), lambda: self._ready(task))

    def cancel(self, task: Task) -> None:
        """Take a queued task back."""
        self._move(task, Status.CANCELLED)
        self._timers.after(self._options.media_seconds, lambda: self.drop(task))

    def drop(self, task: Task) -> None:
        """Forget a task."""
        if self._tasks.pop(task.id, None) is None:
            return
        self.counts[task.status] -= 1
        if task.status is Status.QUEUED:
            self._lanes[task.lane].queued -= 1
        if task.status is Status.RUNNING:
            self._free(task)

    def finish(self, task: Task, status: Status | None = None) -> None:
        """End it now: as planned, or in this state."""
        if task.status in TERMINAL or task.id not in self._tasks:
            return
        was_running = task.status is Status.RUNNING
        if status is None:
            status = Status.FAILED if task.plan.error else Status.SUCCEEDED
        if status is Status.FAILED:
            task.error = task.plan.error or {"code": "InternalServiceError", "message": "The task failed."}
        if status is Status.SUCCEEDED:
            self.on_success(task)
        self._move(task, status)
        if was_running:
            self._free(task)

    def run(self, task: Task) -> None:
        """Let it run, whether there is room or not."""
        if task.status is not Status.QUEUED or task.id not in self._tasks:
            return
        self._lanes[task.lane].running += 1
        self._move(task, Status.RUNNING)
        self._timers.after(self._scaled(task.plan.run_seconds), lambda: self._complete(task))

    def clear(self) -> None:
        """Forget everything."""
        self._tasks.clear()
        self._lanes.clear()
        self.counts.clear()

    def _scaled(self, seconds: float) -> float:
        return 0.0 if self._options.instant else seconds / self._options.speed

    def _complete(self, task: Task) -> None:
        if not (task.plan.stuck or task.effects.stuck):
            self.finish(task)

    def _ready(self, task: Task) -> None:
        """It may run as soon as there is room."""
        if task.status is not Status.QUEUED or task.id not in self._tasks:
            return
        lane = self._lanes[task.lane]
        if lane.running < lane.width:
            self.run(task)
        else:
            heapq.heappush(lane.waiting, (-task.order.priority, next(self._numbers), task))

    def _free(self, task: Task) -> None:
        lane = self._lanes[task.lane]
        lane.running -= 1
        while lane.waiting and lane.running < lane.width:
            self.run(heapq.heappop(lane.waiting)[2])

    def _expire(self, task: Task) -> None:
        self.finish(task, Status.EXPIRED)

    def _move(self, task: Task, status: Status) -> None:
        self.counts[task.status] -= 1
        self.counts[status] += 1
        if task.status is Status.QUEUED:
            self._lanes[task.lane].queued -= 1
        task.status, task.updated = status, max(time.time(), task.created)
        task.forget()
        self._tell(task)

    def _tell(self, task: Task) -> None:
        for call in self.on_change:
            call(task)

    def _new_id(self, order: Order, now: float) -> str:
        beginning = "cgt-batch" if order.service_tier == "flex" else "cgt"
        stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(now + 8 * 3600))
        while True:
            task_id = f"{beginning}-{stamp}-{''.join(self._rng.choices(_LETTERS, k=5))}"
            if task_id not in self._tasks:
                return task_id

    def _prune(self) -> None:
        """Records live seven days from their creation; they stand in that order."""
        oldest = time.time() - self._options.record_seconds
        for task in list(itertools.takewhile(lambda one: one.created < oldest, self._tasks.values())):
            self.drop(task)
        self._timers.after(_PRUNE_SECONDS, self._prune)

    def _forget_oldest(self) -> None:
        """Make room for a hundred, so that the search is rare."""
        ended = (task for task in self._tasks.values() if task.status in TERMINAL)
        for task in list(itertools.islice(ended, 100)):
            self.drop(task)
