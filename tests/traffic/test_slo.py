"""Service levels: what is good of an hour, what is left of a budget, and that nothing is counted twice."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from seedance_api.foundation.db import Database
from seedance_api.foundation.ids import new_id
from seedance_api.traffic import slo_queries
from seedance_api.traffic.gauges import Gauges
from seedance_api.traffic.hours import count_hours
from seedance_api.traffic.metrics import INSTRUMENTS, QUEUE_AGE_SECONDS, SLO_GOOD_RATIO, SLO_OBJECTIVE
from seedance_api.traffic.queries import add_to_hours
from seedance_api.traffic.rows import Request
from seedance_api.traffic.slo import KEEP_DAYS, SLOS, Level, Name, Window, measure_slos, report
from stage import fresh_database

HOUR = timedelta(hours=1)


def run(postgres: str, use: Callable[[Database, datetime], Awaitable[None]]) -> None:
    """With the beginning of the last whole hour."""

    async def main(url: str) -> None:
        db = await Database.connect(url, max_connections=2)
        try:
            await use(db, await db.fetchval("SELECT date_trunc('hour', now(), 'UTC') - interval '1 hour'"))
        finally:
            await db.close()

    with fresh_database(postgres) as url:
        asyncio.run(main(url))


async def ask(db: Database, at: datetime, *requests: tuple[str, int, float]) -> None:
    """Requests with endpoint, status and our own milliseconds."""
    moment = at.timestamp() + 60
    made = [
        Request(new_id("req", at=moment), moment, endpoint, None, None, None, status, 10, int(milliseconds * 1000))
        for endpoint, status, milliseconds in requests
    ]
    async with db.transaction() as connection:
        await add_to_hours(connection, count_hours(made))


async def level(db: Database, name: Name, window: Window = "1h") -> tuple[int, int]:
    await measure_slos(db)
    found = (await report(db)).levels[name][window]
    return found.good, found.total


async def account(db: Database) -> str:
    own = new_id("acc")
    await db.execute("INSERT INTO account (id, email) VALUES ($1, $2)", own, f"{own}@example.org")
    await db.execute(
        "INSERT INTO api_key (id, account_id, handle, digest, mode) VALUES ($1, $2, $3, $4, 'test')",
        own.replace("acc", "key"), own, own[-8:], own.encode(),
    )  # fmt: skip
    return own


async def video(db: Database, owner: str, at: datetime, **columns: Any) -> str:
    """A video that ended at this time."""
    own = new_id("vid", at=at.timestamp() - 300)
    values: dict[str, Any] = {
        "id": own, "account_id": owner, "key_id": owner.replace("acc", "key"), "livemode": False, "provider": "sandbox",
        "model": "seedance-2.0", "params": {}, "metadata": {}, "keep_seconds": 3600, "quoted_tokens": 0,
        "state": "completed", "finished_at": at, "created_at": at - timedelta(seconds=300),
        "deadline_at": at + HOUR,
    } | columns  # fmt: skip
    names = ", ".join(values)
    places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
    sql: Any = f"INSERT INTO generation ({names}) VALUES ({places})"
    await db.execute(sql, *values.values())
    return own


async def attempt(db: Database, generation: str, resolved: datetime) -> None:
    await db.execute(
        """
        INSERT INTO attempt (id, generation_id, state, operation, sent_at, resolved_at)
        VALUES ($1, $2, 'succeeded', jsonb_build_object('id', $1::text), $3, $3)
        """,
        new_id("att"), generation, resolved,
    )  # fmt: skip


def test_health_checks_are_no_requests_and_5xx_are_bad(postgres: str) -> None:
    async def use(db: Database, hour: datetime) -> None:
        await ask(
            db, hour, ("GET /v1/models", 200, 1), ("GET /v1/models", 503, 1), ("GET /v1/models", 404, 1),
            ("GET /v1/models", 499, 1), ("GET /healthz", 200, 1), ("GET /readyz", 503, 1),
        )  # fmt: skip
        assert await level(db, "availability") == (3, 4)
        assert await level(db, "availability") == (3, 4), "what is measured again is not added"
        assert await level(db, "create_latency") == (0, 0)

    run(postgres, use)


def test_a_create_is_good_up_to_half_a_second_of_our_own(postgres: str) -> None:
    async def use(db: Database, hour: datetime) -> None:
        create = "POST /v1/videos"
        await ask(db, hour, *((create, 200, time) for time in (5, 499, 500, 501, 3000)))
        await ask(db, hour, (create, 422, 3000), ("POST /v1/quotes", 200, 3000))
        assert await level(db, "create_latency") == (3, 5)

    run(postgres, use)


def test_a_completion_is_measured_from_the_provider_s_end(postgres: str) -> None:
    async def use(db: Database, hour: datetime) -> None:
        owner, at = await account(db), hour + timedelta(minutes=30)
        for seconds in (1, 59, 61):
            await attempt(db, await video(db, owner, at), at - timedelta(seconds=seconds))
        lost = await video(db, owner, at, state="failed", error_code="marking_failed", error_message="…")
        await attempt(db, lost, at - timedelta(seconds=1))
        refused = await video(db, owner, at, state="failed", error_code="output_moderated", error_message="…")
        await attempt(db, refused, at - timedelta(seconds=1))
        await attempt(db, await video(db, owner, at + HOUR), at)
        assert await level(db, "completion_delay") == (2, 4)

    run(postgres, use)


def test_a_webhook_is_good_when_its_first_try_begins_in_time(postgres: str) -> None:
    async def use(db: Database, hour: datetime) -> None:
        owner, at = await account(db), hour + timedelta(minutes=30)
        healthy, broken = new_id("whe"), new_id("whe")
        for endpoint, failures in ((healthy, 0), (broken, 3)):
            await db.execute(
                """
                INSERT INTO webhook_endpoint (id, account_id, livemode, url, event_types, failures)
                VALUES ($1, $2, false, 'https://example.org/' || $1, '{video.completed}', $3)
                """,
                endpoint, owner, failures,
            )  # fmt: skip

        async def delivery(
            endpoint: str, seconds: float | None, outcome: str = "delivered", milliseconds: int = 0
        ) -> None:
            tried = [] if seconds is None else [
                {"at": int(at.timestamp() + seconds), "outcome": outcome, "milliseconds": milliseconds}
            ]  # fmt: skip
            state = "pending" if outcome != "delivered" or seconds is None else "delivered"
            await db.execute(
                """
                INSERT INTO delivery (endpoint_id, event_id, account_id, livemode, state, tries, attempts, created_at,
                    ended_at)
                VALUES ($1, $2, $3, false, $4, $5, $6, $7, $8)
                """,
                endpoint, new_id("evt", at=at.timestamp()), owner, state, len(tried), tried, at,
                at if state == "delivered" else None,
            )  # fmt: skip

        await delivery(healthy, 2)
        await delivery(healthy, 40)
        await delivery(healthy, 40, milliseconds=12_000)  # the endpoint took the time
        await delivery(healthy, 2, "timeout")
        await delivery(healthy, None)
        await delivery(broken, None)
        assert await level(db, "webhook_delay") == (2, 4)

    run(postgres, use)


def test_content_is_to_be_deleted_within_an_hour_and_counts_while_it_is_not(postgres: str) -> None:
    async def use(db: Database, hour: datetime) -> None:
        owner = await account(db)

        async def content(due: datetime, purged: datetime | None, cleared: datetime | None) -> None:
            await db.execute(
                """
                INSERT INTO content (generation_id, purge_at, state, purged_at, cleared_at, stored_at)
                VALUES ($1, $2, CASE WHEN $3::timestamptz IS NULL THEN 'stored' ELSE 'purged' END, $3, $4, $2)
                """,
                await video(db, owner, hour), due, purged, cleared,
            )  # fmt: skip

        inside = hour + timedelta(minutes=30)
        late = hour - timedelta(minutes=90)
        await content(inside, inside, inside + timedelta(seconds=3))
        await content(inside + 24 * HOUR, inside, inside)  # its owner deleted it
        await content(late, late, inside)  # its objects could not be deleted for two hours
        await content(late, late, None)
        await content(late, None, None)  # nobody looked
        await content(inside, inside, None)  # has time
        await content(hour - HOUR, hour - HOUR, hour - HOUR)  # of the hour before
        assert await level(db, "purge_lag") == (2, 5)

    run(postgres, use)


@pytest.mark.parametrize(
    ("good", "total", "left"),
    [(1000, 1000, 1.0), (9995, 10_000, 0.5), (999, 1000, 0.0), (98, 100, -19.0), (0, 0, None)],
)
def test_an_error_budget_is_the_part_of_what_may_be_bad_that_is_left(good: int, total: int, left: float | None) -> None:
    found = Level(good, total).budget_left(0.999)
    assert found == (None if left is None else pytest.approx(left, abs=1e-9))


def test_windows_end_with_the_last_measured_hour_and_old_hours_go(postgres: str) -> None:
    async def use(db: Database, hour: datetime) -> None:
        assert (await report(db)).until is None
        await ask(db, hour - 5 * HOUR, ("GET /v1/models", 500, 1))
        for back, good in ((5, 0), (20, 1), (24 * 20, 1), (24 * (KEEP_DAYS + 1), 1)):
            await db.execute(
                "INSERT INTO slo (hour, name, good, total) VALUES ($1, 'availability', $2, 1)", hour - back * HOUR, good
            )
        await ask(db, hour, ("GET /v1/models", 200, 1))
        await measure_slos(db)
        found = await report(db)
        assert found.until == hour + HOUR
        levels = found.levels["availability"]
        assert (levels["1h"].good, levels["1h"].total) == (1, 1)
        assert (levels["24h"].good, levels["24h"].total) == (2, 3)
        assert (levels["30d"].good, levels["30d"].total) == (3, 4)
        assert await db.fetchval("SELECT min(hour) FROM slo") > hour - timedelta(days=KEEP_DAYS)
        assert await db.fetchval("SELECT count(DISTINCT hour) FROM slo WHERE hour > $1", hour - 7 * HOUR) >= 6, (
            "hours in which no worker ran are measured later"
        )

    run(postgres, use)


def test_gauges_tell_of_the_installation_and_of_nothing_when_it_cannot_be_read(postgres: str) -> None:
    async def use(db: Database, hour: datetime) -> None:
        owner = await account(db)
        await video(db, owner, hour, state="queued", finished_at=None)
        await ask(db, hour, ("GET /v1/models", 200, 1))
        await measure_slos(db)
        await Gauges(db).read()
        assert QUEUE_AGE_SECONDS.series["sandbox",] > 300
        assert SLO_GOOD_RATIO.series["availability",] == 1
        assert SLO_OBJECTIVE.series == {(name,): slo.objective for name, slo in SLOS.items()}
        await db.execute("ALTER TABLE slo RENAME TO gone")
        await Gauges(db).read()
        assert QUEUE_AGE_SECONDS.series == SLO_OBJECTIVE.series == {}

    run(postgres, use)


def test_every_level_is_measured_and_has_a_meaning(postgres: str) -> None:
    async def use(db: Database, _: datetime) -> None:
        await measure_slos(db)
        names = await db.fetch("SELECT DISTINCT name FROM slo")
        assert {row["name"] for row in names} == set(SLOS)
        assert await slo_queries.last_hour(db) is not None

    run(postgres, use)
    assert all(0.9 < slo.objective < 1 and slo.events and slo.good for slo in SLOS.values())
    assert INSTRUMENTS
