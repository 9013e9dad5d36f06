"""Purge: 100,000 contents whose time has come, with an object each, in how long and in how much memory."""

import asyncio
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from bench.figures import Figure
from bench.seed import compose
from bench.stage import Ground, Stage, clean_environment
from seedance_api.app.work import open_engine
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.generations.purge import purge_due
from seedance_api.generations.write import Writer
from seedance_api.settings import read

_MANY, _FEW = 100_000, 10_000
_MANY_QUICKLY, _FEW_QUICKLY = 10_000, 1_000
_SLICE = 10_000


def measure(stage: Stage) -> list[Figure]:
    """The same process with few and with many, each with an installation of its own."""
    many, few = (_MANY_QUICKLY, _FEW_QUICKLY) if stage.quick else (_MANY, _FEW)
    stage.say(f"purge of {many:,} and of {few:,} contents")
    large, small = _run(stage, many), _run(stage, few)
    return [
        Figure(
            name=f"memory of a purge, {many:,} contents over {few:,}",
            how=f"most resident memory of a process that purges {many:,} contents with an object each, over one that "
            f"purges {few:,}; withdrawn, deleted, receipts and events written, `tidy` enqueued. Flat is 1",
            values=[large["mebibytes"] / small["mebibytes"]],
            sides={f"{many:,}": [large["mebibytes"]], f"{few:,}": [small["mebibytes"]]},
            side_unit="MiB",
            bar=1.1,
            is_minimum=False,
        ),
        Figure(
            name="contents purged",
            how=f"of {many:,}, by one process on the local store, until the last row is gone",
            values=[large["count"] / large["seconds"]],
            unit="contents/s",
        ),
    ]


def _run(stage: Stage, count: int) -> dict[str, float]:
    ground = stage.ground()
    asyncio.run(_fill(ground, count))
    environment = clean_environment() | {"SEEDANCE_DATABASE_URL": ground.url, "SEEDANCE_DATA_DIR": str(ground.data)}
    command = [sys.executable, "-m", "bench.purge"]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, timeout=1200)
    if done.returncode:
        raise RuntimeError(f"the purge broke: {done.stderr.decode()[-500:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    left = sum(1 for path in (ground.data / "objects" / "content").rglob("*.mp4"))
    if found["count"] != count or left:
        raise RuntimeError(f"{found['count']} of {count} were purged, and {left} objects are left")
    stage.say(f"{count:,}: {found['seconds']:.1f} s, {found['mebibytes']:.0f} MiB")
    return found


async def _fill(ground: Ground, count: int) -> None:
    """Finished videos whose time has come: rows like that of one which the product wrote, and an object each."""
    db = await Database.connect(ground.url, max_connections=2)
    try:
        first = compose(ground)
        await Writer(db)(first)
        for at in range(0, count, _SLICE):
            ids = [first.id] if at == 0 else []
            ids += [new_id("vid") for _ in range(min(_SLICE, count - at) - len(ids))]
            await _insert(db, first.id, ids)
            await asyncio.to_thread(_put, ground.data / "objects", ids)
        await db.execute("DELETE FROM pgqueuer")
        await db.execute("VACUUM ANALYZE")
    finally:
        await db.close()


async def _insert(db: Database, first: str, ids: list[str]) -> None:
    others = [one for one in ids if one != first]
    async with db.transaction() as connection:
        await connection.execute(
            """
            INSERT INTO generation SELECT (jsonb_populate_record(g, jsonb_build_object('id', n.id))).*
            FROM generation g, unnest($2::text[]) AS n (id) WHERE g.id = $1
            """,
            first,
            others,
        )
        await connection.execute(
            "UPDATE generation SET state = 'completed', progress = 100, started_at = now(), finished_at = now()"
            " WHERE id = ANY ($1)",
            ids,
        )
        await connection.execute(
            """
            INSERT INTO content (generation_id, stored_at, purge_at)
            SELECT id, now() - interval '2 days', now() - interval '1 day' FROM unnest($1::text[]) AS n (id)
            """,
            ids,
        )
        await connection.execute(
            """
            INSERT INTO asset (generation_id, variant, object_key, media_type, bytes, sha256)
            SELECT id, 'video', 'content/' || id || '/1/video.mp4', 'video/mp4', 26, repeat('ab', 32)
            FROM unnest($1::text[]) AS n (id)
            """,
            ids,
        )


def _put(folder: Path, ids: list[str]) -> None:
    for one in ids:
        file = folder / "content" / one / "1" / "video.mp4"
        file.parent.mkdir(parents=True)
        file.write_text(one[4:])


async def main() -> None:
    """The process that is measured."""
    async with open_engine(read()) as engine:
        started = time.monotonic()
        count = await purge_due(engine)
        seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"count": count, "seconds": seconds, "mebibytes": peak}))


if __name__ == "__main__":
    asyncio.run(main())
