"""An upstream that hangs beside one that does not, both played by fakes of Ark: what that costs the other's videos."""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
import psutil

from bench.figures import Figure
from bench.seed import PROMPT, compose, renew
from bench.stage import ROOT, Ground, Stage
from seedance_api.catalog import check as catalog
from seedance_api.catalog.request import Request
from seedance_api.foundation import jobs
from seedance_api.foundation.db import Database
from seedance_api.generations.write import Writer

sys.path.append(str(ROOT / "tests"))  # the fake stands with the tests
from fakes.ark.run import FakeArk

_CROWDS = {"create": 300, "download": 48, "delete": 600}
"""What hangs, and for how many videos: more than a worker has of such work under way at all."""
_HANG_SECONDS = 600
_COMPLETED = "SELECT count(*) FROM generation WHERE id = ANY ($1) AND state = 'completed'"
_FILE = """
[upstreams.{name}]
kind = "ark"
cloud = "byteplus"
base_url = "{url}"
region = "this machine"
data_region = "local"
legal_entity = "nobody: a fake"
key_env = "BENCH_ARK_KEY"
allow_networks = ["127.0.0.0/8"]
callbacks = false
list_a_second = 10

[upstreams.{name}.models."seedance-2.0-mini"]
concurrency = 10000
per_minute = 1000000
"""


def measure(stage: Stage) -> list[Figure]:
    """For each kind of call that hangs: a worker of its own, first without trouble, then with it."""
    figures: list[Figure] = []
    for call in _CROWDS:
        alone, beside = _play(stage, call)
        stage.say(
            f"{call}: {statistics.median(alone):.2f} s alone, {statistics.median(beside):.2f} s beside one that hangs"
        )
        figures.append(_figure(call, alone, beside))
    return figures


def _play(stage: Stage, call: str) -> tuple[list[float], list[float]]:
    ground = stage.ground()
    never = (10_000_000, 10_000_000)  # what is to be deleted is not to be stored before
    fakes = {
        name: FakeArk(
            speed=200,
            seconds=never if (name, call) == ("hung", "delete") else (100, 100),
            rpm=0,
            concurrency=0,
            enforce_budgets=False,
            fetch=False,
        )
        for name in ("good", "hung")
    }
    for fake in fakes.values():
        stage.until_left(_stop_fake, fake)
    tables = [_FILE.format(name=name, url=fake.url) for name, fake in fakes.items()]
    (ground.data / "upstreams.toml").write_text("".join(tables))
    environment = ground.environment | {
        "SEEDANCE_LIVE_SANDBOX": "false",
        "SEEDANCE_ACCOUNT_CONCURRENCY": "10000",
        "BENCH_ARK_KEY": fakes["good"].key,
    }
    with (stage.folder / f"lanes-{call}.log").open("ab") as log:
        command = [sys.executable, "-m", "seedance_api", "worker"]
        worker = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=ROOT, start_new_session=True)
    try:
        return asyncio.run(_compare(stage, ground, fakes["hung"], call))
    finally:
        family = psutil.Process(worker.pid).children(recursive=True) if worker.poll() is None else []
        worker.kill()
        worker.wait()
        psutil.wait_procs(family, timeout=10)
        for fake in fakes.values():
            _stop_fake(fake)


def _stop_fake(fake: FakeArk) -> None:
    if fake.process.returncode is None:
        fake.stop()


async def _compare(stage: Stage, ground: Ground, hung: FakeArk, call: str) -> tuple[list[float], list[float]]:
    videos = 4 if stage.quick else 12
    db = await Database.connect(ground.url, max_connections=6)
    try:
        await _durations(db, ground, 2)  # the first ones start what is started once
        alone = await _durations(db, ground, videos)
        if call != "delete":
            hung.faults({"on": call, "do": {"delay_before": _HANG_SECONDS}})
        await _crowd(db, ground, hung, call)
        await asyncio.sleep(3)
        return alone, await _durations(db, ground, videos)
    finally:
        await db.close()


async def _crowd(db: Database, ground: Ground, hung: FakeArk, call: str) -> None:
    """So many videos at the upstream that hangs, until some do hang."""
    ids = await _order(db, ground, "hung", _CROWDS[call])
    if call != "delete":
        state = "submitting" if call == "create" else "storing"
        counted = "SELECT count(*) FROM generation WHERE id = ANY ($1) AND state = $2"
        await _until(lambda: db.fetchval(counted, ids, state), len(ids), seconds=120)
        return
    hung.faults({"on": "delete", "do": {"delay_before": _HANG_SECONDS}})
    await _until(
        lambda: db.fetchval(
            "SELECT count(*) FROM attempt WHERE generation_id = ANY ($1) AND operation IS NOT NULL", ids
        ),
        len(ids),
        seconds=120,
    )
    async with db.transaction() as connection:  # their owners cancel and delete them
        await connection.execute(
            "UPDATE attempt SET state = 'failed', resolved_at = now() WHERE generation_id = ANY ($1)", ids
        )
        await connection.execute(
            "UPDATE generation SET state = 'canceled', finished_at = now(), deleted_at = now(), claimed_until = NULL,"
            " version = version + 1 WHERE id = ANY ($1)",
            ids,
        )
        await jobs.enqueue(connection, "tidy", ids)


async def _durations(db: Database, ground: Ground, count: int) -> list[float]:
    """Seconds from the order to the end of each of so many videos at the good upstream, one after the other."""
    took: list[float] = []
    for _ in range(count):
        began = time.monotonic()
        ids = await _order(db, ground, "good", 1)
        await _until(partial(db.fetchval, _COMPLETED, ids), 1, seconds=120)
        took.append(time.monotonic() - began)
    return took


async def _order(db: Database, ground: Ground, provider: str, count: int) -> list[str]:
    accepted = catalog.check(
        Request(model="seedance-2.0-mini", prompt=PROMPT, resolution="480p", seconds=4, generate_audio=False)
    )
    assert isinstance(accepted, catalog.Accepted)
    template = msgspec.structs.replace(compose(ground, live=True), provider=provider, order=accepted.order)
    news = [renew(template) for _ in range(count)]
    write = Writer(db)
    await asyncio.gather(*(write(one) for one in news))
    return [one.id for one in news]


async def _until(ask: Callable[[], Awaitable[int]], wanted: int, *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (seen := await ask()) < wanted:
        if time.monotonic() > until:
            raise RuntimeError(f"{seen} of {wanted} after {seconds:.0f} s")
        await asyncio.sleep(0.02)


def _figure(call: str, alone: list[float], beside: list[float]) -> Figure:
    return Figure(
        name=f"a video while {_CROWDS[call]} {call}s hang at another upstream",
        how="seconds from the order to the stored video at one upstream, one at a time, while another answers nothing "
        "to such calls, over the same without trouble before; one worker",
        values=[statistics.median(beside) / statistics.median(alone)],
        sides={"beside": beside, "alone": alone},
        side_unit="s",
        bar=1.5,
        is_minimum=False,
    )
