"""Status reads: `GET /v1/videos/{id}` with everything on, against a bare granian that says hello."""

import asyncio
from functools import partial
from pathlib import Path

from bench.figures import Figure, differences, ratios, take_turns
from bench.seed import write_completed
from bench.stage import Ground, Server, Stage
from seedance_api.foundation.db import Database

_VIDEOS = 1000
_CONNECTIONS = 64


def measure(stage: Stage) -> list[Figure]:
    """The rate at concurrency 64, and the time added at concurrency 1."""
    ground = stage.ground()
    paths = asyncio.run(write_paths(ground))
    ours, hello = stage.serve(ground), stage.serve_alone("bench.hello:make")
    try:
        for server in (ours, hello):
            stage.wrk(server.url, ground.key, str(paths), connections=_CONNECTIONS, seconds=1)
        stage.say(f"status reads of {_VIDEOS} videos over {_CONNECTIONS} connections, requests/s")
        rate = _rate(stage, ground, paths, ours, hello)
        stage.say("the same over 1 connection, p99 in ms")
        added = _added(stage, ground, paths, ours, hello)
    finally:
        ours.stop()
        hello.stop()
    stage.say("the same with and without request log and rate limits, requests/s")
    return [rate, added, _kept(stage, ground, paths)]


async def write_paths(ground: Ground) -> Path:
    """A thousand finished videos, and the file of their paths for wrk."""
    db = await Database.connect(ground.url, max_connections=4)
    try:
        ids = await write_completed(db, ground, _VIDEOS)
    finally:
        await db.close()
    paths = ground.data / "paths"
    paths.write_text("".join(f"/v1/videos/{one}\n" for one in ids))
    return paths


def _reads(stage: Stage, ground: Ground, paths: Path, server: Server) -> float:
    """Reads a second at concurrency 64."""
    seconds = stage.seconds(5, 1)
    return stage.wrk(server.url, ground.key, str(paths), connections=_CONNECTIONS, seconds=seconds).rate


def _rate(stage: Stage, ground: Ground, paths: Path, ours: Server, hello: Server) -> Figure:
    run = partial(_reads, stage, ground, paths)
    found = take_turns(stage.rounds, stage.say, ours=lambda: run(ours), hello=lambda: run(hello))
    return Figure(
        name="status reads over bare granian",
        how=f"`GET /v1/videos/{{id}}` over {_VIDEOS} finished videos, {_CONNECTIONS} keep-alive connections, one API "
        "process with a worker beside it, over a bare ASGI hello on granian with the same settings",
        values=ratios(found["ours"], found["hello"]),
        sides=found,
        side_unit="requests/s",
        bar=0.40,
        stretch=0.50,
    )


def _added(stage: Stage, ground: Ground, paths: Path, ours: Server, hello: Server) -> Figure:
    def run(server: Server) -> float:
        return stage.wrk(server.url, ground.key, str(paths), connections=1, seconds=stage.seconds(3, 1)).p99_ms

    found = take_turns(stage.rounds, stage.say, ours=lambda: run(ours), hello=lambda: run(hello))
    return Figure(
        name="p99 added by a status read",
        how="99th percentile at concurrency 1, ours less the hello's",
        values=differences(found["ours"], found["hello"]),
        unit="ms",
        sides=found,
        side_unit="ms",
        bar=5.0,
        stretch=1.0,
        is_minimum=False,
    )


def _kept(stage: Stage, ground: Ground, paths: Path) -> Figure:
    logged = stage.serve_alone("seedance_api.app.answer:api", ground)
    unlogged = stage.serve_alone("bench.unlogged:api", ground)

    run = partial(_reads, stage, ground, paths)
    try:
        found = take_turns(stage.rounds, stage.say, logged=lambda: run(logged), unlogged=lambda: run(unlogged))
    finally:
        logged.stop()
        unlogged.stop()
    return Figure(
        name="status reads with log and limits over without",
        how=f"`GET /v1/videos/{{id}}` over {_VIDEOS} finished videos, {_CONNECTIONS} keep-alive connections, one API "
        "process with request log and rate limits, over the same without them",
        values=ratios(found["logged"], found["unlogged"]),
        sides=found,
        side_unit="requests/s",
        bar=0.85,
    )
