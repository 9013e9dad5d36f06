"""Analytics: use is counted by hour and by day, once, without an account in it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from seedance_api.foundation.db import Database
from seedance_api.traffic import analytics
from seedance_api.traffic.analytics import FUNNEL_DAYS, aggregate
from stage import fresh_database
from traffic.usage import ask, cells, generate, make_accounts, make_keys, moment

KEEP = 730
OTHER = "GET /v1/videos/{video_id}"


def run(postgres: str, use: Callable[[Database, date], Awaitable[None]]) -> None:
    async def main(url: str) -> None:
        db = await Database.connect(url, max_connections=3)
        try:
            await use(db, await db.fetchval("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date - 3"))
        finally:
            await db.close()

    with fresh_database(postgres) as url:
        asyncio.run(main(url))


async def customers(db: Database, day: date, count: int = 6) -> list[str]:
    made = await make_accounts(db, count, moment(day))
    await make_keys(db, made, moment(day))
    return made


def test_P17_requests_are_counted_where_five_accounts_made_them(postgres: str) -> None:  # noqa: N802
    async def use(db: Database, day: date) -> None:
        accounts = await customers(db, day)
        await ask(db, accounts, moment(day, 9), times=3)
        await ask(db, accounts[:4], moment(day, 9), endpoint=OTHER, times=1000)  # so many requests are four accounts'
        await ask(db, accounts[:5], moment(day, 9), status=4)
        await ask(db, ["", *accounts[:4]], moment(day, 9), status=5, times=50)  # without a key it is nobody's
        await aggregate(db, KEEP)
        assert await cells(db, "requests") == {
            (9, "", "GET /v1/models", 18, 6), (None, "", "GET /v1/models", 18, 6),
            (9, "", "GET /v1/models", 5, 5), (None, "", "GET /v1/models", 5, 5),
        }  # fmt: skip

    run(postgres, use)


def test_hours_and_their_day_do_not_give_an_hour_of_few_away(postgres: str) -> None:
    async def use(db: Database, day: date) -> None:
        accounts = await customers(db, day)
        await ask(db, accounts, moment(day, 9), times=7)
        await ask(db, accounts, moment(day, 10), times=2)
        await ask(db, accounts[:1], moment(day, 11), times=100)
        await aggregate(db, KEEP)
        # the day less its hours: of all six accounts, and not the hundred of one
        assert await cells(db, "requests") == {(None, "", "GET /v1/models", 154, 6), (9, "", "GET /v1/models", 42, 6)}

    run(postgres, use)


def test_a_successful_create_is_told_by_the_generations_alone(postgres: str) -> None:
    async def use(db: Database, day: date) -> None:
        accounts = await customers(db, day)
        for status in (2, 4):
            await ask(db, accounts, moment(day, 9), endpoint="POST /v1/videos", status=status)
        await aggregate(db, KEEP)
        assert await db.fetchval("SELECT array_agg(DISTINCT status_class) FROM analytics") == [4]

    run(postgres, use)


def test_generations_are_counted_by_what_they_were_to_be(postgres: str) -> None:
    async def use(db: Database, day: date) -> None:
        accounts = await customers(db, day)
        await generate(db, accounts, moment(day, 9.5), input_bytes=2_500_000)
        await generate(db, accounts[:5], moment(day, 11), input_bytes=0, resolution="720p")
        await generate(db, accounts[:2], moment(day, 11), livemode=True)
        await aggregate(db, KEEP)
        model = await db.fetchval("SELECT min(model) FROM generation")
        assert await cells(db) - await cells(db, "funnel") == {
            (None, "generations_by_model", model, 11, 6), (9, "generations_by_model", model, 6, 6),
            (11, "generations_by_model", model, 5, 5), (None, "generations_by_mode", "t2v", 11, 6),
            (None, "generations_by_resolution", "480p", 6, 6), (None, "generations_by_resolution", "720p", 5, 5),
            (None, "generations_by_duration", "4 s", 11, 6),
            (None, "generations_by_input_size", "none", 5, 5),
            (None, "generations_by_input_size", "1 to 10 MB", 6, 6),
        }  # fmt: skip
        assert await db.fetchval("SELECT bool_or(livemode) FROM analytics") is False

    run(postgres, use)


def test_a_value_of_few_takes_the_smallest_other_one_with_it(postgres: str) -> None:
    async def use(db: Database, day: date) -> None:
        accounts = await customers(db, day)
        for resolution, who in (("480p", accounts), ("720p", accounts[:5]), ("1080p", accounts[:1])):
            await generate(db, who, moment(day, 9), resolution=resolution)
        await aggregate(db, KEEP)
        # modes tell that there were twelve
        assert await cells(db, "generations_by_mode") == {(None, "", "t2v", 12, 6)}
        assert await cells(db, "generations_by_resolution") == {(None, "", "480p", 6, 6)}

    run(postgres, use)


def test_failures_are_counted_by_their_code_on_the_day_of_their_end(postgres: str) -> None:
    async def use(db: Database, day: date) -> None:
        accounts = await customers(db, day)
        await generate(db, accounts, moment(day, 23), error_code="content_policy")
        await generate(db, accounts, moment(day + timedelta(days=1), 1), error_code="content_policy")
        await aggregate(db, KEEP)
        assert await cells(db, "failures") == {
            (None, "", "content_policy", 6, 6), (23, "", "content_policy", 6, 6), (1, "", "content_policy", 6, 6),
        }  # fmt: skip

    run(postgres, use)


def test_a_funnel_counts_who_got_how_far_in_a_week(postgres: str) -> None:
    async def use(db: Database, day: date) -> None:
        begun = day - timedelta(days=FUNNEL_DAYS)
        accounts = await make_accounts(db, 30, moment(begun, 12))
        await make_keys(db, accounts[:20], moment(begun, 13))
        await make_keys(db, accounts[20:], moment(day + timedelta(days=1), 1))  # too late
        await ask(db, accounts[:14], moment(day, 23))
        await ask(db, accounts[14:], moment(day + timedelta(days=1)))
        await db.execute(
            "INSERT INTO usage (account_id, livemode, day, model, key_id, videos) "
            "SELECT id, false, $2, 'm', 'key_' || id, 1 FROM unnest($1::text[]) AS a (id)",
            accounts[:7],
            day,
        )
        await aggregate(db, KEEP)
        assert await cells(db, "funnel") == {
            (None, "", name, count, count)
            for name, count in (("created", 30), ("first_key", 20), ("first_request", 14), ("first_video", 7))
        }
        assert await db.fetchval("SELECT min(starts_at) FROM analytics WHERE measure = 'funnel'") == moment(begun)

    run(postgres, use)


def test_P17_an_account_that_objects_changes_nothing_from_then_on(postgres: str) -> None:  # noqa: N802
    async def use(db: Database, day: date) -> None:
        *accounts, objecting, back = await customers(db, day, 7)
        await db.execute("UPDATE account SET analytics_objected_at = $2 WHERE id = $1", objecting, moment(day, 10.5))
        await db.execute(
            "UPDATE account SET analytics_excluded = tstzmultirange(tstzrange($2, $3)) WHERE id = $1",
            back, moment(day, 10.5), moment(day, 12.5),
        )  # fmt: skip
        for hour, times in ((9, 1), (10, 10), (12, 100), (13, 1000)):
            await ask(db, accounts, moment(day, hour))
            await ask(db, [objecting, back], moment(day, hour), times=times)
            await generate(db, [*accounts, objecting, back], moment(day, hour + 0.6), error_code="content_policy")
        await aggregate(db, KEEP)
        assert await cells(db, "requests") == {
            (9, "", "GET /v1/models", 7, 7), (10, "", "GET /v1/models", 5, 5), (12, "", "GET /v1/models", 5, 5),
            (13, "", "GET /v1/models", 1005, 6), (None, "", "GET /v1/models", 1022, 7),
        }  # fmt: skip
        by_hour = {(9, 7), (10, 5), (12, 6), (13, 6), (None, 24)}
        for measure in ("generations_by_model", "failures"):
            assert {(hour, count) for hour, _, _, count, _ in await cells(db, measure)} == by_hour
        assert await cells(db, "funnel") == set()

    run(postgres, use)


def test_a_day_is_counted_once_and_then_never_changes(postgres: str) -> None:
    async def use(db: Database, day: date) -> None:
        accounts = await customers(db, day)
        await ask(db, accounts, moment(day, 9))
        await asyncio.gather(aggregate(db, KEEP), aggregate(db, KEEP))
        before = await db.fetch("SELECT * FROM analytics ORDER BY starts_at, grain, measure, value")
        assert before
        await ask(db, accounts[:1], moment(day, 9), times=5)  # whoever compared the two would see whose they are
        await aggregate(db, KEEP)
        assert await db.fetch("SELECT * FROM analytics ORDER BY starts_at, grain, measure, value") == before
        await db.execute("DELETE FROM analytics; DELETE FROM analytics_day")
        await ask(db, accounts[:1], moment(day, 9), times=-5)
        await aggregate(db, KEEP)
        assert await db.fetch("SELECT * FROM analytics ORDER BY starts_at, grain, measure, value") == before

    run(postgres, use)


def test_what_is_written_late_is_counted_and_days_that_were_missed_are_caught_up(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(db: Database, day: date) -> None:
        accounts = await customers(db, day)
        await ask(db, accounts, moment(day, 23))
        age = (await db.fetchval("SELECT clock_timestamp()") - moment(day, 24)).total_seconds()
        monkeypatch.setattr(analytics, "SETTLED_SECONDS", age + 600)
        await aggregate(db, KEEP)
        assert await cells(db, "requests") == set()  # the day is over, and not settled
        await ask(db, accounts, moment(day, 23), times=2)
        await ask(db, accounts, moment(day + timedelta(days=2), 1), times=4)
        monkeypatch.setattr(analytics, "SETTLED_SECONDS", 0)
        await aggregate(db, KEEP)
        told = {(hour, count) for hour, _, _, count, _ in await cells(db, "requests")}
        assert told == {(23, 18), (None, 18), (1, 24), (None, 24)}
        days = await db.fetch("SELECT day FROM analytics_day ORDER BY day")
        assert [record["day"] for record in days] == [day + timedelta(days=number) for number in range(3)]

    run(postgres, use)


def test_a_day_that_fails_leaves_nothing_and_is_counted_next_time(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(db: Database, day: date) -> None:
        await ask(db, await customers(db, day), moment(day, 9))

        async def fail(*_: Any) -> None:
            raise asyncpg.PostgresError("no")

        with monkeypatch.context() as patch, pytest.raises(asyncpg.PostgresError):
            patch.setattr(analytics.queries, "funnel_steps", fail)
            await aggregate(db, KEEP)
        assert await cells(db) == set()
        await aggregate(db, KEEP)
        assert len(await cells(db, "requests")) == 2

    run(postgres, use)


def test_what_is_older_than_is_kept_goes_and_is_not_counted_again(postgres: str) -> None:
    async def use(db: Database, day: date) -> None:
        old = day - timedelta(days=28)
        accounts = await customers(db, old)
        for each in (old, day):
            await ask(db, accounts, moment(each, 9))
        await aggregate(db, KEEP)
        assert await db.fetchval("SELECT min(starts_at) FROM analytics WHERE measure = 'requests'") == moment(old)
        for _ in range(2):
            await aggregate(db, 31)  # today, and 30 days before it
            assert await db.fetchval("SELECT min(starts_at) FROM analytics WHERE measure = 'requests'") == moment(day)
            assert await db.fetchval("SELECT min(day) FROM analytics_day") == day - timedelta(days=27)

    run(postgres, use)


def test_the_database_itself_takes_no_cell_of_few_accounts(postgres: str) -> None:
    async def use(db: Database, day: date) -> None:
        with pytest.raises(asyncpg.CheckViolationError):
            await db.execute(
                "INSERT INTO analytics (grain, starts_at, measure, value, count, accounts) "
                "VALUES ('day', $1, 'a', 'b', 9, 4)",
                moment(day),
            )

    run(postgres, use)


def test_P17_no_column_holds_an_account_a_key_or_an_address(postgres: str) -> None:  # noqa: N802
    async def use(db: Database, _: date) -> None:
        found = await db.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name IN ('analytics', 'analytics_day')"
        )
        assert {record["column_name"] for record in found} == {
            "grain", "starts_at", "measure", "value", "status_class", "livemode", "count", "accounts",
            "day", "counted_at",
        }  # fmt: skip

    run(postgres, use)
