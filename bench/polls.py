"""Long polls: what many that wait cost in memory, and how soon the one wakes whose video has changed."""

import asyncio
import resource
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from bench.figures import Figure
from bench.memory import api_process, resident
from bench.seed import compose
from bench.stage import Ground, Server, Stage
from seedance_api.foundation.db import Database
from seedance_api.generations.queries.moves import notify
from seedance_api.generations.write import Writer

_WAITING = 10_000
_FILES = 65_536
_CHANGES = 300
_SECONDS = 55
_AT_ONCE = 200


class Found(msgspec.Struct, frozen=True):
    """MiB that the polls added to the API process, and how many seconds each took to wake."""

    added: float
    woken: list[float]


def measure(stage: Stage) -> list[Figure]:
    """Every poll waits for a video of its own; some of these change, one after another."""
    count = min(_most(), _WAITING // 10 if stage.quick else _WAITING)
    ground = stage.ground()
    settings = {
        "SEEDANCE_CONNECTIONS": str(2 * _WAITING),
        "SEEDANCE_CONNECTIONS_PER_ADDRESS": "0",
        "SEEDANCE_STREAMS_PER_ACCOUNT": str(_WAITING),
    }
    stage.say(f"{count} videos that wait")
    ids = asyncio.run(_write_waiting(ground, count))
    server = stage.serve_alone("seedance_api.app.answer:api", ground, connections=2 * _WAITING, **settings)
    try:
        stage.say(f"{count} long polls, of which {_CHANGES} wake, each in its turn")
        found = asyncio.run(_poll(server, ground, ids))
    finally:
        server.stop()
    return _figures(found, count)


def _most() -> int:
    """How many polls this machine lets wait: a server has three files for each connection that it takes."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, max(hard, _FILES)))
    allowed, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(_WAITING, hard // 4)


async def _write_waiting(ground: Ground, count: int) -> list[str]:
    """Videos that are queued, and stay so: there is no worker."""
    db = await Database.connect(ground.url, max_connections=4)
    try:
        write = Writer(db)
        news = [compose(ground) for _ in range(count)]
        for at in range(0, count, _AT_ONCE):
            await asyncio.gather(*(write(new) for new in news[at : at + _AT_ONCE]))
    finally:
        await db.close()
    return [new.id for new in news]


async def _poll(server: Server, ground: Ground, ids: Sequence[str]) -> Found:
    process = api_process(server)
    before = resident(process)
    polls: list[asyncio.Task[float]] = []
    began = time.monotonic()
    sent: list[asyncio.Event] = []
    for at in range(0, len(ids), _AT_ONCE):
        some = [asyncio.Event() for _ in ids[at : at + _AT_ONCE]]
        polls += [
            asyncio.create_task(_one(server.url, ground.key, one, event))
            for one, event in zip(ids[at : at + _AT_ONCE], some, strict=True)
        ]
        await asyncio.gather(*(event.wait() for event in some))
        sent += some
    await asyncio.sleep(2)  # the last of them are read
    added = resident(process) - before
    if time.monotonic() - began > _SECONDS / 2:
        raise RuntimeError("the first polls would be over before the last have begun")
    woken = await _wake(ground, ids[:: max(1, len(ids) // _CHANGES)][:_CHANGES], polls, ids)
    for poll in polls:
        poll.cancel()
    await asyncio.gather(*polls, return_exceptions=True)
    return Found(added, woken)


async def _wake(
    ground: Ground, chosen: Sequence[str], polls: Sequence[asyncio.Task[float]], ids: Sequence[str]
) -> list[float]:
    """Change one after another; the seconds from the change's commit until its poll is answered."""
    db = await Database.connect(ground.url, max_connections=2)
    by_id = dict(zip(ids, polls, strict=True))
    woken: list[float] = []
    try:
        for one in chosen:
            async with db.transaction() as connection:
                await connection.execute("UPDATE generation SET progress = progress + 1 WHERE id = $1", one)
                await notify(connection, [one])
            changed = time.perf_counter()
            woken.append(await asyncio.wait_for(by_id[one], _SECONDS) - changed)
    finally:
        await db.close()
    return woken


async def _one(url: str, key: str, video_id: str, sent: asyncio.Event) -> float:
    """One long poll; returns when it was answered."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=8192)
    try:
        writer.write(
            f"GET /v1/videos/{video_id}?wait={_SECONDS} HTTP/1.1\r\nHost: {host}\r\n"
            f"Authorization: Bearer {key}\r\n\r\n".encode()
        )
        await writer.drain()
        sent.set()
        line = await reader.readline()
        if b" 200 " not in line:
            raise RuntimeError(f"a poll was answered {line.decode(errors='replace').strip()}")
        return time.perf_counter()
    finally:
        writer.close()


def _figures(found: Found, count: int) -> list[Figure]:
    ordered = sorted(found.woken)
    p95 = ordered[int(len(ordered) * 0.95)] * 1000
    return [
        Figure(
            name="memory of 10,000 long polls",
            how=f"what {count} requests with `?wait={_SECONDS}`, each for a video of its own, add to the resident "
            "memory of one API process" + ("" if count == _WAITING else f", times {_WAITING / count:g}"),
            values=[found.added * _WAITING / count],
            unit="MiB",
            bar=200.0,
            is_minimum=False,
        ),
        Figure(
            name="a long poll wakes",
            how=f"from the commit of a change until its poll is answered, while {count} wait; the 95th percentile of "
            f"{len(ordered)}, one after another",
            values=[p95],
            unit="ms",
            sides={"median": [statistics.median(ordered) * 1000]},
            side_unit="ms",
            bar=100.0,
            is_minimum=False,
        ),
    ]
