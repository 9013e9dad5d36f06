"""The estimate as it is read: what a row, its attempt and the table of durations say together."""

import asyncio
import re
from pathlib import Path

import msgspec
import pytest

from generations.kit import new, owner, with_database
from generations.test_plans import plan
from seedance_api.api.video_view import Video
from seedance_api.api.view import video
from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.generations.estimates import Estimates
from seedance_api.generations.queries import reads
from seedance_api.generations.rows import Seen
from seedance_api.generations.write import Writer
from seedance_api.routing import progress

SOURCE = Path(progress.__file__).read_text()
RUN = """
UPDATE generation SET state = $2, started_at = now() - $3 * interval '1 second', progress = $4 WHERE id = $1
"""
ATTEMPT = """
INSERT INTO attempt (id, generation_id, provider, state, operation, begun_at, resolved_at)
VALUES ($1, $2, 'up', $3, '{"id": "x"}', now() - $4 * interval '1 second', $5)
"""
DURATION = "INSERT INTO duration VALUES ('up', 'seedance-2.0-mini', '480p', 4, 1, 50, 60, 100)"


async def read(db: Database, generation_id: str) -> Seen:
    """As a GET and a list do."""
    (seen,) = await Estimates(db).add(await reads.seen_by_ids(db, [generation_id]))
    return seen


def shown(seen: Seen) -> Video:
    """As it is shown."""
    return video(seen, "", "USD")


@pytest.mark.parametrize(
    ("state", "attempt", "elapsed", "progress"),
    [("running", "acknowledged", 40, 40), ("running", None, 20, 20), ("storing", "succeeded", 40, 99)],
)
def test_one_under_way_is_compared_with_its_like(
    database_url: str, state: str, attempt: str | None, elapsed: float, progress: int
) -> None:
    async def verb(db: Database) -> None:
        made = await Writer(db)(new(await owner(db), provider="up"))
        one = made.generation_id
        assert (await read(db, one)).timing is None
        await db.execute(RUN, one, state, 20.0, 99 if state == "storing" else 0)
        assert (await read(db, one)).timing is None  # like none that was made before
        assert shown(await read(db, one)).eta is None
        await db.execute(DURATION)
        if attempt is not None:
            now = await db.fetchval("SELECT now()")
            await db.execute(ATTEMPT, new_id("att"), one, attempt, 40.0, now if attempt == "succeeded" else None)
        seen = await read(db, one)
        assert seen.timing is not None
        assert elapsed <= seen.timing.elapsed < elapsed + 10
        assert (seen.timing.p50, seen.timing.p90) == (60, 100)
        assert abs(seen.timing.since + elapsed - seen.created_at.timestamp()) < 10
        assert progress <= shown(seen).progress <= progress + 10
        assert shown(seen).eta == pytest.approx(seen.created_at.timestamp() - elapsed + 60, abs=10)
        assert shown(msgspec.structs.replace(seen, provider="sandbox")).progress == seen.progress

    with_database(database_url, verb)


def test_a_finished_one_asks_for_nothing(database_url: str) -> None:
    async def verb(db: Database) -> None:
        one = (await Writer(db)(new(await owner(db), provider="up"))).generation_id
        await db.execute(DURATION)
        await db.execute("UPDATE generation SET state = 'canceled', started_at = now(), finished_at = now()")
        seen = await read(db, one)
        assert (seen.timing, shown(seen).eta, shown(seen).queue_position) == (None, None, None)

    with_database(database_url, verb)


def test_the_comparison_walks_indexes(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        one = (await Writer(db)(new(me, provider="up"))).generation_id
        await db.execute("UPDATE generation SET state = 'running', started_at = now()")
        await db.pool.execute(
            """
            INSERT INTO duration
            SELECT 'up', 'seedance-2.0-mini', '480p', n, 1, 50, 60, 100 FROM generate_series(1, 20000) AS n
            """
        )
        await db.pool.execute("ANALYZE")
        (sql,) = re.findall(r'"""\n( +SELECT.*?)"""', SOURCE, re.DOTALL)
        found = await plan(db, sql, [one])
        assert "Index Scan using duration_pkey" in found, found

    with_database(database_url, verb)


def test_nothing_is_asked_where_nothing_is_under_way() -> None:
    class Nothing:
        def __getattr__(self, name: str) -> None:
            raise AssertionError("the database was asked")

    assert asyncio.run(Estimates(Nothing()).add([])) == []  # pyright: ignore[reportArgumentType]
