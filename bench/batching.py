"""What `foundation/batch.py` is worth: the same calls in one process, each alone and batched."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

import uvloop

from bench.figures import Figure, ratios, take_turns
from bench.seed import compose, renew, write_completed
from bench.stage import Ground, Stage
from seedance_api.foundation.batch import Batch
from seedance_api.foundation.db import Database
from seedance_api.generations.queries import reads
from seedance_api.generations.rows import Seen
from seedance_api.generations.write import Writer

CALLERS = 64
_READS_MOST = 500  # as in web/context.py

Call = Callable[[], Awaitable[object]]


def measure(stage: Stage) -> list[Figure]:
    """Reads and creates by 64 callers that share a batch, over the same where each has its own."""
    ground = stage.ground()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        db = runner.run(Database.connect(ground.url))
        try:
            ids = runner.run(write_completed(db, ground, 1000))
            seconds = stage.seconds(3, 0.5)

            def turns(alone: list[Call], together: list[Call]) -> dict[str, list[float]]:
                def run(calls: list[Call]) -> float:
                    return runner.run(count(calls, seconds)) / seconds

                return take_turns(stage.rounds, stage.say, batched=lambda: run(together), alone=lambda: run(alone))

            stage.say(f"reads by {CALLERS} callers, a second")
            reads = turns(_readers(db, ids, shared=False), _readers(db, ids, shared=True))
            stage.say(f"durable creates by {CALLERS} callers, a second")
            creates = turns(_writers(db, ground, shared=False), _writers(db, ground, shared=True))
        finally:
            runner.run(db.close())
    return [_figure("reads", reads), _figure("creates", creates)]


async def count(calls: list[Call], seconds: float) -> int:
    """How often the callers together come round in this time."""
    over = time.monotonic() + seconds
    done = 0

    async def repeat(call: Call) -> None:
        nonlocal done
        while time.monotonic() < over:
            await call()
            done += 1

    await asyncio.gather(*(repeat(call) for call in calls))
    return done


def _readers(db: Database, ids: list[str], *, shared: bool) -> list[Call]:
    async def load(wanted: list[str]) -> list[Seen | None | Exception]:
        found = {seen.id: seen for seen in await reads.seen_by_ids(db, list(set(wanted)))}
        return [found.get(one) for one in wanted]

    def caller(at: int, batch: Batch[str, Seen | None]) -> Call:
        mine = itertools.cycle(ids[at::CALLERS])

        async def call() -> None:
            assert await batch(next(mine)) is not None

        return call

    one: Batch[str, Seen | None] = Batch(load, max_items=_READS_MOST)
    return [caller(at, one if shared else Batch(load, max_items=1)) for at in range(CALLERS)]


def _writers(db: Database, ground: Ground, *, shared: bool) -> list[Call]:
    template = compose(ground)
    one = Writer(db)

    def caller(write: Writer) -> Call:
        async def call() -> None:
            await write(renew(template))

        return call

    return [caller(one if shared else Writer(db)) for _ in range(CALLERS)]


def _figure(what: str, found: dict[str, list[float]]) -> Figure:
    return Figure(
        name=f"batched {what} over single {what}",
        how=f"{CALLERS} callers in one process that share a batch, over {CALLERS} callers that each ask alone "
        "through the same pool; no web server",
        values=ratios(found["batched"], found["alone"]),
        sides=found,
        side_unit=f"{what}/s",
    )
