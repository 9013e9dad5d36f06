"""Webhooks to 1,000 endpoints, of which some never answer: how soon the others hear, and how many a second."""

import asyncio
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from bench.figures import Figure
from bench.stage import ROOT, Ground, Stage, free_port
from seedance_api.accounts.create import create_account
from seedance_api.foundation.db import Connection, Database
from seedance_api.foundation.ids import new_id
from seedance_api.webhooks.announce import News, announce_to_accounts

_ENDPOINTS, _ENDPOINTS_QUICKLY = 1000, 200
_HANGING = (1, 50)
_A_SECOND = 60.0
"""Events a second while latency is measured: beside the receiver and this program, well below what a worker can."""
_BURST_EACH = 3
_BATCH = 50


class Round(msgspec.Struct):
    """What one run found out: seconds from each commit to the arrival, and deliveries a second of a burst."""

    latencies: list[float] = []
    rate: float = 0.0


def measure(stage: Stage) -> list[Figure]:
    """With one that hangs, and with fifty; each with a database, a receiver and a worker of its own."""
    return _figures({hanging: _play(stage, hanging) for hanging in _HANGING}, _count(stage))


def _count(stage: Stage) -> int:
    return _ENDPOINTS_QUICKLY if stage.quick else _ENDPOINTS


def _play(stage: Stage, hanging: int) -> Round:
    ground, port, count = stage.ground(), free_port(), _count(stage)
    heard = stage.folder / f"heard-{hanging}"
    receiver = _start(stage, heard, ["-m", "bench.receiver", str(port), str(hanging)])
    _wait_for(heard, "ready")
    accounts = asyncio.run(_open(ground, port, count))
    settings = {
        "SEEDANCE_FETCH_HTTP": "true",
        "SEEDANCE_FETCH_ALLOW_NETWORKS": "127.0.0.1/32",
        "SEEDANCE_WEBHOOK_PORTS": str(port),
    }
    log = stage.folder / f"telling-{hanging}.log"
    worker = _start(stage, log, ["-m", "seedance_api", "worker"], ground.environment | settings)
    try:
        stage.say(f"{count:,} endpoints, of which {hanging} never answer")
        found = asyncio.run(_run(stage, ground, accounts, hanging, heard))
        stage.say(f"p95 {_p95(found.latencies):.3f} s, {found.rate:.0f} deliveries a second")
        return found
    finally:
        for process in (worker, receiver):
            _end(process)


async def _open(ground: Ground, port: int, count: int) -> list[str]:
    """An account for each endpoint."""
    db = await Database.connect(ground.url, max_connections=2)
    accounts = [(await create_account(db, f"{number}@example.org")).id for number in range(count)]
    await db.execute(
        """
        INSERT INTO webhook_endpoint (id, account_id, livemode, url, event_types)
        SELECT id, account, true, url, '{balance.low}'
        FROM unnest($1::text[], $2::text[], $3::text[]) AS n (id, account, url)
        """,
        [new_id("whe") for _ in accounts],
        accounts,
        [f"http://127.0.0.1:{port}/hook/{number}" for number in range(count)],
    )
    await db.close()
    return accounts


async def _run(stage: Stage, ground: Ground, accounts: list[str], hanging: int, heard: Path) -> Round:
    db = await Database.connect(ground.url, max_connections=8)
    try:
        committed: dict[int, float] = {}
        await _tell(db, accounts, [(1, len(accounts) - 1)], {})
        await _arrivals(heard, {1})  # the worker works
        await _tell(db, accounts, [(0, at) for at in range(hanging)] * 4, {})  # those that hang do so from now on
        await _steadily(db, accounts, hanging, committed, stage.seconds(40, 8))
        arrived = await _arrivals(heard, set(committed))
        found = Round(latencies=[arrived[number] - committed[number] for number in committed])
        burst: dict[int, float] = {}
        places = [at for at in range(hanging, len(accounts)) for _ in range(_BURST_EACH)]
        wanted = [(1_000_000 + number, at) for number, at in enumerate(places)]
        started = time.time()
        for first in range(0, len(wanted), _BATCH):
            await _tell(db, accounts, wanted[first : first + _BATCH], burst)
        arrived = await _arrivals(heard, set(burst))
        found.rate = len(burst) / (max(arrived[number] for number in burst) - started)
        return found
    finally:
        await db.close()


async def _steadily(
    db: Database, accounts: list[str], hanging: int, committed: dict[int, float], seconds: float
) -> None:
    """Events one by one, each committed by itself, at chance moments; those that hang get theirs, too."""
    chance = random.Random(11)
    end = time.monotonic() + seconds
    number, due = 1, time.monotonic()
    while (due := due + chance.expovariate(_A_SECOND)) < end:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        at = chance.randrange(len(accounts))
        number += 1
        await _tell(db, accounts, [(number, at)], committed if at >= hanging else {})


async def _tell(db: Database, accounts: list[str], news: list[tuple[int, int]], committed: dict[int, float]) -> None:
    async with db.transaction() as connection:
        await _announce(connection, accounts, news)
    now = time.time()
    committed |= {number: now for number, _ in news}


async def _announce(connection: Connection, accounts: list[str], news: list[tuple[int, int]]) -> None:
    told = [News(kind="balance.low", account_id=accounts[at], data={"number": number}) for number, at in news]
    await announce_to_accounts(connection, told)


async def _arrivals(heard: Path, wanted: set[int]) -> dict[int, float]:
    """When each first arrived; all of them must."""
    deadline = time.monotonic() + 120
    while True:
        await asyncio.sleep(0.5)
        text = await asyncio.to_thread(heard.read_text)
        lines = [line.split() for line in text.splitlines()[1:] if line.count(" ") == 1]
        found: dict[int, float] = {}
        for number, at in lines:
            found.setdefault(int(number), float(at))
        if wanted <= found.keys():
            return found
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(wanted - found.keys())} of {len(wanted)} deliveries did not arrive")


def _start(
    stage: Stage, output: Path, command: list[str], environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *command],
            stdout=file,
            stderr=file,
            env=environment,
            cwd=ROOT,
            start_new_session=True,
        )
    stage.until_left(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        process.kill()
        process.wait()


def _wait_for(file: Path, text: str) -> None:
    deadline = time.monotonic() + 30
    while text not in file.read_text():
        if time.monotonic() > deadline:
            raise RuntimeError("the receiver did not start")
        time.sleep(0.05)


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def _figures(rounds: dict[int, Round], count: int) -> list[Figure]:
    where = (
        f"{count:,} endpoints of as many accounts at a receiver (another process, over the loopback, one connection a "
        "delivery), one worker"
    )
    late = [
        Figure(
            name=f"a webhook arrives, {hanging} of {count:,} hang",
            how=f"{where}; {hanging} of them take every connection and never answer, and get their share of the "
            "events. 95th percentile of the time from the commit of an event to its arrival at any other, "
            f"{_A_SECOND:g} events a second at chance moments, each committed by itself",
            values=[_p95(found.latencies)],
            unit="s",
            sides={"all": [statistics.median(found.latencies), _p95(found.latencies), max(found.latencies)]},
            side_unit="s",
            bar=1.0,
            is_minimum=False,
            note="median, 95th percentile and the longest",
        )
        for hanging, found in rounds.items()
    ]
    return [
        *late,
        Figure(
            name="webhooks a second of one worker",
            how=f"{where}; {_BURST_EACH} events for each that answers, committed in transactions of {_BATCH}, until "
            "the last has arrived; with one that hangs and with fifty",
            values=[found.rate for found in rounds.values()],
            unit="deliveries/s",
        ),
    ]
