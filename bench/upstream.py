"""An upstream with 10,000 generations in flight, played by the fake Ark: how soon what it finishes is known here."""

import asyncio
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, LiteralString

import asyncpg
import msgspec
import psutil

from bench.figures import Figure
from bench.seed import PROMPT, compose, renew
from bench.stage import ROOT, Stage
from seedance_api.catalog import check as catalog
from seedance_api.catalog.request import Request
from seedance_api.foundation.db import Database
from seedance_api.generations.queries.inserts import NewGeneration
from seedance_api.generations.write import Writer

sys.path.append(str(ROOT / "tests"))  # the fake stands with the tests
from fakes.ark.run import FakeArk

_NAME = "fake-ark"
_MANY, _FEW = 10_000, 1_000
_MANY_QUICKLY, _FEW_QUICKLY = 1_200, 400
_CALLERS = 64
_NEVER_SECONDS = 10_000_000
"""The fake finishes nothing by itself: this program has it finish, and knows when."""
_A_SECOND = 3.0
"""Completions a second: as many as two cores can fetch, decode and store beside everything else."""
_SLACK = 0.95
"""The fake's own rule for a second: what leaves evenly may arrive a little closer."""
_BUDGETS = {"list": 1, "get": 20}
_FILE = """
[upstreams.fake-ark]
kind = "ark"
cloud = "byteplus"
base_url = "{url}"
region = "this machine"
data_region = "local"
legal_entity = "nobody: a fake"
key_env = "BENCH_ARK_KEY"
allow_networks = ["127.0.0.0/8"]
callbacks = {callbacks}

[upstreams.fake-ark.models."seedance-2.0-mini"]
concurrency = {concurrency}
per_minute = 1000000
"""


class Course(msgspec.Struct, frozen=True):
    """When one generation was finished there, first listed so, announced as finished, and completed. Unix time."""

    finished: float
    listed: float | None
    announced: float
    completed: float


class Round(msgspec.Struct):
    """What one run with one fake found out."""

    starts: float = 0.0
    finishes: float = 0.0
    courses: list[Course] = []
    memory_mib: dict[int, float] = {}
    peaks: dict[str, int] = {}


def measure(stage: Stage) -> list[Figure]:
    """Without callbacks and with them; each with a database, a fake and a worker of its own."""
    rounds = {callbacks: _play(stage, callbacks=callbacks) for callbacks in (False, True)}
    return _figures(rounds[False], rounds[True])


def _play(stage: Stage, *, callbacks: bool) -> Round:
    with Play(stage, callbacks=callbacks) as play:
        return asyncio.run(_run(stage, play, callbacks=callbacks))


class Play:
    """A database, a fake, a worker, and an API process where the fake calls back."""

    def __init__(self, stage: Stage, *, callbacks: bool) -> None:
        self.ground = stage.ground()
        never = (_NEVER_SECONDS, _NEVER_SECONDS)
        self.fake = FakeArk(speed=60, seconds=never, rpm=0, concurrency=0, fetch=False)
        stage.until_left(self.fake.stop)
        self._api = stage.serve_alone("seedance_api.app.answer:api", self.ground) if callbacks else None
        file = self.ground.data / "upstreams.toml"
        file.write_text(_FILE.format(url=self.fake.url, callbacks=str(callbacks).lower(), concurrency=_MANY))
        self._environment = self.ground.environment | {
            "SEEDANCE_LIVE_SANDBOX": "false",
            "SEEDANCE_ACCOUNT_CONCURRENCY": str(_MANY),
            "SEEDANCE_PUBLIC_URL": self._api.url if self._api else "",
            "BENCH_ARK_KEY": self.fake.key,
        }
        self._log = stage.folder / f"worker-{callbacks}.log"
        self._worker: subprocess.Popen[bytes] | None = None
        stage.until_left(self.stop)

    def __enter__(self) -> "Play":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start_worker(self) -> None:
        """`seedance-api worker` as an operator runs it."""
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "seedance_api", "worker"]
            self._worker = subprocess.Popen(
                command, stdout=log, stderr=log, env=self._environment, cwd=ROOT, start_new_session=True
            )

    def memory_mib(self) -> float:
        """Of the worker alone. Raises RuntimeError when it has ended."""
        if self._worker is None or self._worker.poll() is not None:
            raise RuntimeError(f"the worker has ended: {self._log.read_text()[-2000:]}")
        return psutil.Process(self._worker.pid).memory_info().rss / (1 << 20)

    def stop(self) -> None:
        """End all of it; what is under way is of no interest any more."""
        if self._worker is not None:
            family = psutil.Process(self._worker.pid).children(recursive=True) if self._worker.poll() is None else []
            self._worker.kill()
            self._worker.wait()
            self._worker = None
            psutil.wait_procs(family, timeout=10)
        if self._api is not None:
            self._api.stop()
            self._api = None
        if self.fake.process.returncode is None:
            self.fake.stop()


class Ear:
    """Listens as an event stream does: when each generation was announced."""

    def __init__(self) -> None:
        self.heard: dict[str, list[float]] = defaultdict(list)

    async def open(self, url: str) -> "asyncpg.Connection[asyncpg.Record]":
        """Begin."""
        connection = await asyncpg.connect(url)
        await connection.add_listener("generation", self._hear)
        return connection

    def _hear(self, *told: Any) -> None:
        self.heard[told[-1]].append(time.time())

    def first_after(self, generation_id: str, moment: float) -> float | None:
        """The first time that it was announced after a moment."""
        return next((at for at in self.heard.get(generation_id, ()) if at >= moment), None)


async def _run(stage: Stage, play: Play, *, callbacks: bool) -> Round:
    found = Round()
    few, many = (_FEW_QUICKLY, _MANY_QUICKLY) if stage.quick else (_FEW, _MANY)
    db = await Database.connect(play.ground.url, max_connections=6)
    ear = Ear()
    connection = await ear.open(play.ground.url)
    try:
        stage.say(f"{many:,} generations in flight, callbacks {'on' if callbacks else 'off'}")
        await _queue(db, play, few)
        await asyncio.to_thread(play.start_worker)
        await _in_flight(db, play, few)
        await asyncio.sleep(stage.seconds(5, 2))
        found.memory_mib[few] = play.memory_mib()
        await _queue(db, play, many - few)
        await _in_flight(db, play, many)
        found.starts = await _starts_a_second(db, many - few)
        stage.say(f"{found.starts:.0f} starts a second")
        await asyncio.sleep(stage.seconds(5, 2))
        found.courses = await _complete(db, play, ear, seconds=stage.seconds(40, 5), callbacks=callbacks)
        found.memory_mib[many] = play.memory_mib()
        found.peaks = {on: _peak(play.fake.calls(on, 200_000)["times"]) for on in _BUDGETS}
        stage.say(f"announced within {_p95([one.announced - one.finished for one in found.courses]):.2f} s (p95)")
        if not callbacks:
            found.finishes = await _finish_all(db, play)
            stage.say(f"{found.finishes:.0f} finishes a second")
    finally:
        await connection.close()
        await db.close()
    return found


async def _queue(db: Database, play: Play, count: int) -> None:
    """So many more in the queue, written by the product's own writer."""
    accepted = catalog.check(
        Request(model="seedance-2.0-mini", prompt=PROMPT, resolution="480p", seconds=4, generate_audio=False)
    )
    assert isinstance(accepted, catalog.Accepted)
    made = compose(play.ground, live=True)
    template = msgspec.structs.replace(made, provider=_NAME, order=accepted.order)
    write = Writer(db)

    async def create(news: Sequence[NewGeneration]) -> None:
        for new in news:
            await write(new)

    news = [renew(template) for _ in range(count)]
    await asyncio.gather(*(create(news[at::_CALLERS]) for at in range(_CALLERS)))


async def _in_flight(db: Database, play: Play, count: int) -> None:
    await _until(
        lambda: db.fetchval("SELECT count(*) FROM generation WHERE state = 'running'"), count, play, seconds=240
    )


async def _starts_a_second(db: Database, count: int) -> float:
    """Of the newest so many, without the first and the last tenth."""
    found = await db.fetch("SELECT started_at FROM generation ORDER BY started_at DESC LIMIT $1", count)
    return _rate([record["started_at"].timestamp() for record in found])


async def _complete(db: Database, play: Play, ear: Ear, *, seconds: float, callbacks: bool) -> list[Course]:
    """Have the fake finish one after the other, and see what becomes of each."""
    chosen = await db.fetch(
        "SELECT generation_id, operation ->> 'id' AS task_id FROM attempt WHERE state = 'acknowledged'"
        " ORDER BY random() LIMIT $1",
        round(seconds * _A_SECOND),
    )
    began = time.monotonic()
    finished: dict[str, float] = {}
    for number, record in enumerate(chosen):
        await asyncio.sleep(began + number / _A_SECOND - time.monotonic())
        finished[record["generation_id"]] = time.time()
        await asyncio.to_thread(play.fake.alter, record["task_id"], status="succeeded")
    ids = list(finished)
    counted: LiteralString = "SELECT count(*) FROM generation WHERE id = ANY ($1) AND state = 'completed'"
    await _until(lambda: db.fetchval(counted, ids), len(ids), play, seconds=90)
    ended = {
        record["id"]: record["finished_at"].timestamp()
        for record in await db.fetch("SELECT id, finished_at FROM generation WHERE id = ANY ($1)", ids)
    }
    lists = [] if callbacks else await asyncio.to_thread(_lists, play.fake)
    courses: list[Course] = []
    for record in chosen:
        own_id, at = record["generation_id"], finished[record["generation_id"]]
        announced = ear.first_after(own_id, at)
        assert announced is not None, "what is completed was announced"
        listed = next((when for when, tasks in lists if when >= at and record["task_id"] in tasks), None)
        courses.append(Course(at, listed, announced, ended[own_id]))
    return courses


def _lists(fake: FakeArk) -> list[tuple[float, frozenset[str]]]:
    """The list calls that are remembered: when each came, and which tasks it asked about."""
    calls = fake.calls("list", 2000)["calls"]
    return [(call["at"], frozenset(re.findall(r"filter\.task_ids=([^&]+)", call["query"]))) for call in calls]


async def _finish_all(db: Database, play: Play) -> float:
    """Finish everything at once, and let no download end: storing is not what is measured here."""
    play.fake.faults({"on": "download", "do": {"delay_before": 600}})
    running = await db.fetchval("SELECT count(*) FROM generation WHERE state = 'running'")
    since = await db.fetchval("SELECT clock_timestamp()")
    await asyncio.to_thread(play.fake.alter, status="succeeded")
    await _until(
        lambda: db.fetchval("SELECT count(*) FROM attempt WHERE resolved_at > $1", since), running, play, seconds=120
    )
    found = await db.fetch("SELECT resolved_at FROM attempt WHERE resolved_at > $1", since)
    return _rate([record["resolved_at"].timestamp() for record in found])


async def _until(ask: Callable[[], Awaitable[int]], wanted: int, play: Play, *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (seen := await ask()) < wanted:
        play.memory_mib()
        if time.monotonic() > until:
            raise RuntimeError(f"{seen} of {wanted} after {seconds:.0f} s")
        await asyncio.sleep(0.25)


def _rate(moments: Sequence[float]) -> float:
    """So many a second, without the first and the last tenth."""
    ordered = sorted(moments)
    tenth = len(ordered) // 10
    inner = ordered[tenth : len(ordered) - tenth]
    return (len(inner) - 1) / (inner[-1] - inner[0])


def _peak(times: Sequence[float]) -> int:
    """The largest number of these moments within one second, as the fake counts it."""
    peak = first = 0
    for at, moment in enumerate(times):
        while times[first] <= moment - _SLACK:
            first += 1
        peak = max(peak, at - first + 1)
    return peak


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def _figures(asked: Round, called: Round) -> list[Figure]:
    few, many = sorted(asked.memory_mib)
    alive = (
        f"{many:,} generations in flight at the fake Ark (another process, over the loopback), one worker; the fake "
        f"finishes {_A_SECOND:g} a second of them, one by one: 4 s of 480p, as many as this machine can fetch, decode "
        "and store beside the fake and the database. 95th percentile"
    )
    before, after = ([one.memory_mib[count] for one in (asked, called)] for count in (few, many))
    return [
        Figure(
            name="a completion announced, by callback",
            how=f"{alive} of the time from the moment at which it is finished there to the announcement here; `stored` "
            "is the time until the file is there, decoded and charged for",
            values=[_p95([one.announced - one.finished for one in called.courses])],
            unit="s",
            sides={
                "announced": [one.announced - one.finished for one in called.courses],
                "stored": [one.completed - one.finished for one in called.courses],
            },
            side_unit="s",
            bar=1.0,
            is_minimum=False,
        ),
        Figure(
            name="a completion announced, by list",
            how=f"{alive} of the time from the arrival there of the first list call that asked about it to the "
            "announcement here. Without callbacks the vendor's limits (one list call a second, 500 tasks a call) bound "
            f"how soon it is asked: `since it was finished`, with all {many:,} of an age at which each may be finished",
            values=[_p95([one.announced - (one.listed or one.finished) for one in asked.courses])],
            unit="s",
            sides={
                "since it was asked": [one.announced - (one.listed or one.finished) for one in asked.courses],
                "since it was finished": [one.announced - one.finished for one in asked.courses],
                "stored, since it was finished": [one.completed - one.finished for one in asked.courses],
            },
            side_unit="s",
            bar=1.0,
            is_minimum=False,
        ),
        Figure(
            name=f"memory of a worker, {many:,} over {few:,} in flight",
            how="resident memory of the worker while it watches so many generations; without callbacks and with them",
            values=[one / other for one, other in zip(after, before, strict=True)],
            sides={f"{few:,}": before, f"{many:,}": after},
            side_unit="MiB",
            bar=1.3,
            is_minimum=False,
        ),
        *(
            Figure(
                name=f"most {on} calls in a second",
                how=f"the most `{on}` calls that arrived at the fake within {_SLACK} s, its own rule for a second; "
                "without callbacks and with them",
                values=[float(one.peaks[on]) for one in (asked, called)],
                unit="calls",
                bar=budget,
                is_minimum=False,
            )
            for on, budget in _BUDGETS.items()
        ),
        Figure(
            name="starts of one worker",
            how=f"generations a second from the queue to the upstream's answer and `running`, {many - few:,} in a row "
            "by one worker, each with a committed attempt before its POST; without callbacks (with them, the API "
            "process takes two for each start meanwhile)",
            values=[asked.starts],
            unit="generations/s",
            sides={"without callbacks": [asked.starts], "with callbacks": [called.starts]},
            side_unit="generations/s",
            bar=300,
        ),
        Figure(
            name="finishes of one worker",
            how="generations a second from `running` to `storing`, with the upstream's cost in the ledger, when "
            "everything in flight is finished at once; one list call a second tells of 500",
            values=[asked.finishes],
            unit="generations/s",
            bar=300,
        ),
    ]
