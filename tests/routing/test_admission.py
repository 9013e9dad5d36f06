"""Admission: what a provider may be given in a minute, and what trouble keeps from it, by many processes at once."""

import asyncio

import pytest

from generations.kit import engine, new, owner, sandbox, with_database
from seedance_api.foundation.db import Database
from seedance_api.generations.dispatch import dispatch
from seedance_api.generations.write import Writer
from seedance_api.providers.provider import Busy, Capacity, Started
from seedance_api.routing import circuit_breaker, durations
from seedance_api.routing.admission import admit_many, learn
from seedance_api.routing.router import Offer, Router


async def ask(db: Database, model: str = "m", capacity: Capacity | None = None) -> float:
    async with db.transaction() as connection:
        (admission,) = await admit_many(connection, "ark", model, capacity, 1)
        return admission.wait_seconds


def test_no_minute_has_more_starts_than_it_may(database_url: str) -> None:
    async def verb(db: Database) -> None:
        capacity = Capacity(concurrency=100, per_minute=60)
        waits = await asyncio.gather(*(ask(db, capacity=capacity) for _ in range(40)))
        burst = 60 // 20
        assert sum(wait == 0 for wait in waits) == burst
        assert all(0 < wait < 5 for wait in waits if wait)
        started = burst
        for _ in range(59):  # as if a second passed each time
            await db.execute("UPDATE gate SET next_start_at = next_start_at - interval '1 second'")
            while not await ask(db, capacity=capacity):
                started += 1
        assert 50 < started <= 60

    with_database(database_url, verb)


def test_after_trouble_one_probe_goes_and_its_success_closes_the_breaker(database_url: str) -> None:
    async def verb(db: Database) -> None:
        assert await ask(db) == 0
        assert await learn(db, "ark", "m", Busy("full", wait_seconds=30)) is not None
        assert 29 < await ask(db) <= 30
        assert 29 < await ask(db, "other") <= 30
        await db.execute("UPDATE gate SET closed_until = now()")
        waits = await asyncio.gather(*(ask(db) for _ in range(20)))
        assert sum(wait == 0 for wait in waits) == 1
        assert await learn(db, "ark", "m", Started({"id": "1"})) is None
        assert await asyncio.gather(*(ask(db) for _ in range(20))) == [0.0] * 20
        (breaker,) = await circuit_breaker.of_providers(db, ["ark"])
        assert (breaker.failures, breaker.reason) == (0, None)
        assert 0.5 < breaker.share < 1

    with_database(database_url, verb)


def test_trouble_with_one_model_leaves_the_others(database_url: str) -> None:
    async def verb(db: Database) -> None:
        await learn(db, "ark", "m", Busy("full", wait_seconds=30, model_only=True))
        assert await ask(db, "m") > 29
        assert await ask(db, "other") == 0

    with_database(database_url, verb)


@pytest.mark.parametrize(("regions", "moved"), [(None, True), (["ap"], True), (["cn"], False)])
def test_the_queue_behind_an_open_breaker_goes_where_its_data_may(
    database_url: str, regions: list[str] | None, moved: bool
) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        await db.execute("UPDATE account SET regions = $1", regions)
        for _ in range(3):
            await Writer(db)(new(me, provider="one", livemode=True))
        parts = engine(
            db,
            providers={"one": sandbox("one", 8), "two": sandbox("two", 8)},
            router=Router(
                offers={
                    "one": Offer(models={"seedance-2.0-mini": None}, region="cn"),
                    "two": Offer(models={"seedance-2.0-mini": None}, region="ap"),
                }
            ),
        )
        await learn(db, "one", "seedance-2.0-mini", Busy("full", wait_seconds=30))
        assert await dispatch("one", parts) == 0
        at_two = await db.fetchval("SELECT count(*) FROM generation WHERE provider = 'two' AND state = 'queued'")
        assert at_two == (3 if moved else 0)
        assert await dispatch("two", parts) == at_two

    with_database(database_url, verb)


def test_what_needs_an_asset_or_a_draft_of_one_upstream_stays_there(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        made = [new(me, provider="one", livemode=True) for _ in range(3)]
        for one in made:
            await Writer(db)(one)
        await db.execute("UPDATE generation SET draft_id = 'vid_draft' WHERE id = $1", made[0].id)
        await db.execute(
            "INSERT INTO generation_media (generation_id, position, role, asset, kind)"
            " VALUES ($1, 0, 'reference', 'asset://x', 'image')",
            made[1].id,
        )
        offers = {name: Offer(models={"seedance-2.0-mini": None}) for name in ("one", "two")}
        parts = engine(db, providers={"one": sandbox("one", 8), "two": sandbox("two", 8)}, router=Router(offers=offers))
        await learn(db, "one", "seedance-2.0-mini", Busy("full", wait_seconds=30))
        await dispatch("one", parts)
        moved = await db.fetch("SELECT id FROM generation WHERE provider = 'two'")
        assert [row["id"] for row in moved] == [made[2].id]

    with_database(database_url, verb)


def test_a_short_pause_moves_nothing(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        await Writer(db)(new(me, provider="one", livemode=True))
        offers = {name: Offer(models={"seedance-2.0-mini": None}) for name in ("one", "two")}
        parts = engine(db, providers={"one": sandbox("one", 8), "two": sandbox("two", 8)}, router=Router(offers=offers))
        await learn(db, "one", "seedance-2.0-mini", Busy("full", wait_seconds=3))
        assert await dispatch("one", parts) == 0
        assert await db.fetchval("SELECT provider FROM generation") == "one"

    with_database(database_url, verb)


def test_what_waits_for_a_provider_that_was_taken_away_goes_to_another(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        await Writer(db)(new(me, provider="gone", livemode=True))
        offers = {"two": Offer(models={"seedance-2.0-mini": None})}
        parts = engine(db, providers={"two": sandbox("two", 8)}, router=Router(offers=offers))
        assert await dispatch("gone", parts) == 0
        assert await dispatch("two", parts) == 1

    with_database(database_url, verb)


def test_one_account_has_no_more_under_way_at_an_upstream_than_it_may(database_url: str) -> None:
    async def verb(db: Database) -> None:
        many, few = await owner(db), await owner(db, "two@example.org")
        for _ in range(9):
            await Writer(db)(new(many, provider="one"))
        await Writer(db)(new(few, provider="one"))
        parts = engine(db, providers={"one": sandbox("one", 8, region="ap")}, account_concurrency=3)
        assert await dispatch("one", parts) == 4
        assert await dispatch("one", parts) == 0
        counts = await db.fetch("SELECT account_id, count(*) FROM generation WHERE state = 'submitting' GROUP BY 1")
        assert {row["account_id"]: row["count"] for row in counts} == {many.account_id: 3, few.account_id: 1}

    with_database(database_url, verb)


def test_durations_are_learnt(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        made = new(me)
        await Writer(db)(made)
        async with db.transaction() as connection:
            await connection.execute(
                "INSERT INTO attempt (id, generation_id, provider, sent_at) VALUES ('att_1', $1, 'one', now())", made.id
            )
            for at in range(400):
                await connection.execute(
                    "UPDATE attempt SET sent_at = now() - $1 * interval '1 second'", float(100 + at * 37 % 100)
                )
                await durations.learn_durations(connection, [("att_1", made.order)])
        (pace,) = (await durations.paces_of(db, "one")).values()
        assert 100 < pace.p10 < 130, pace
        assert 130 < pace.p50 < 170, pace
        assert 170 < pace.p90 < 205, pace

    with_database(database_url, verb)


def test_an_older_answer_does_not_close_a_breaker_that_was_opened_since(database_url: str) -> None:
    async def verb(db: Database) -> None:
        await learn(db, "ark", "m", Busy("slow down", wait_seconds=0))
        async with db.transaction() as connection:
            (given,) = await admit_many(connection, "ark", "m", None, 1)
        await learn(db, "ark", "m", Busy("slow down", wait_seconds=60))
        await learn(db, "ark", "m", Started({"id": "1"}), given.failures)
        assert await ask(db) > 59
        await learn(db, "ark", "m", Started({"id": "2"}), given.failures + 1)
        assert await ask(db) == 0

    with_database(database_url, verb)


def test_a_model_that_has_ended_at_one_upstream_is_made_at_another(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        await Writer(db)(new(me, provider="one", livemode=True))
        other = {"seedance-2.0": Capacity(concurrency=1)}
        offers = {
            "one": Offer(models={"seedance-2.0": None}),
            "two": Offer(models={"seedance-2.0-mini": None}),
        }
        parts = engine(
            db,
            providers={"one": sandbox("one", 8, models=other), "two": sandbox("two", 8)},
            router=Router(offers=offers),
        )
        assert await dispatch("one", parts) == 0
        assert await dispatch("two", parts) == 1

    with_database(database_url, verb)
