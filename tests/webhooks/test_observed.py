"""What is observed of tries: how they went, how late the first was, and what is given up."""

from generations.kit import owner, with_database
from seedance_api.foundation.db import Database
from seedance_api.foundation.instruments import Counter, Histogram
from seedance_api.webhooks.decide import SCHEDULE
from seedance_api.webhooks.send import SendInstruments
from seedance_api.webhooks.sweep import sweep_deliveries
from webhooks.kit import age, deliverer, endpoint, happen, receiver, run_jobs, status


def observing() -> SendInstruments:
    return SendInstruments(
        Counter("tries", "T.", ("outcome",)), Counter("dead", "D."), Histogram("delay", "D.", bounds=(60.0,))
    )


def test_each_try_is_counted_and_the_delay_of_the_first(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            told.observed = seen = observing()
            await endpoint(db, me, there.url)
            await happen(db, me, 2)
            await run_jobs(db, told)
            assert seen.tries.series == {("delivered",): 2}
            there.answer = status(500)
            await happen(db, me)
            await run_jobs(db, told)
            there.answer = status(200)
            await age(db, 7)
            await sweep_deliveries(told)
            await run_jobs(db, told)
            assert seen.tries.series == {("delivered",): 3, ("status",): 1}
            cells = seen.delay.series[()]
            assert cells[:2] == [3, 0], "of each event its first try, within a minute"
            assert seen.dead_letters.series == {(): 0}

    with_database(database_url, verb)


def test_what_is_given_up_after_the_last_try_is_a_dead_letter(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            told.observed = seen = observing()
            there.answer = status(500)
            await endpoint(db, me, there.url)
            await happen(db, me)
            await db.execute("UPDATE delivery SET tries = $1", len(SCHEDULE) - 1)
            await run_jobs(db, told)
            assert await db.fetchval("SELECT state FROM delivery") == "failed"
            assert seen.dead_letters.series == {(): 1}
            assert seen.delay.series == {}, "it was not the first try"

    with_database(database_url, verb)
