"""The doctor names each violation: the database is changed behind everybody's back, one fault at a time."""

import asyncio
from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore

from generations.kit import with_database
from money.bank import Bank
from seedance_api.billing.books import Books
from seedance_api.billing.limits import set_limits
from seedance_api.billing.rows import Period
from seedance_api.billing.settle import book_cost, settle
from seedance_api.delivery.issue import issue
from seedance_api.doctor.examine import examine
from seedance_api.doctor.installation import inspect
from seedance_api.doctor.invariants import INVARIANTS
from seedance_api.doctor.upstreams import LiveSide
from seedance_api.foundation.db import Database
from seedance_api.foundation.disk import Disk
from seedance_api.foundation.jobs import enqueue
from seedance_api.foundation.objects import open_store

FAULTS = {
    "a wallet with more than its transfers": ("INV-1", "UPDATE wallet SET available = available + 1"),
    "a wallet that holds without a hold": ("INV-1", "UPDATE wallet SET available = available - 1, held = held + 1"),
    "a limit that forgot": ("INV-1", "UPDATE spending_limit SET spent = spent - 1"),
    "usage that counts another charge": ("INV-1", "UPDATE usage SET charged = charged + 1"),
    "grants that are not there": ("INV-1", "UPDATE wallet SET granted = 5"),
    "a wallet below zero": (
        "INV-2",
        """
        ALTER TABLE wallet DROP CONSTRAINT wallet_available_check;
        UPDATE wallet SET available = -1
        """,
    ),
    "a completed video with an open hold": ("INV-3", "UPDATE generation SET state = 'completed', finished_at = now()"),
    "a live video without a hold": ("INV-3", "DELETE FROM hold WHERE state = 'held'"),
    "a charge that no transfer made": ("INV-3", "UPDATE hold SET charged = charged - 1 WHERE state = 'settled'"),
    "an end that nobody was told of": ("INV-4", "DELETE FROM event WHERE type = 'video.completed'"),
    "an end that was told twice": (
        "INV-4",
        """
        INSERT INTO event SELECT 'evt_x', account_id, livemode, type, data, created_at FROM event
        WHERE type = 'video.completed'
        """,
    ),
    "another end than there was": ("INV-4", "UPDATE event SET type = 'video.failed' WHERE type = 'video.completed'"),
    "a video past its deadline": ("INV-6", "UPDATE generation SET deadline_at = now() - interval '1 hour'"),
    "a step that nobody takes": (
        "INV-6",
        "UPDATE generation SET state = 'submitting', due_at = now() - interval '1 hour' WHERE state = 'queued'",
    ),
    "one operation for two attempts": (
        "INV-7",
        """
        INSERT INTO attempt (id, generation_id, state, operation, resolved_at)
        SELECT 'att_twin' || n, g.id, 'failed', '{"task": 1}', now()
        FROM generate_series(1, 2) n, (SELECT id FROM generation LIMIT 1) g
        """,
    ),
    "a cost of no attempt": (
        "INV-10",
        """
        INSERT INTO transfer
            (id, kind, account_id, currency, source, target, amount, generation_id, reference, author)
        SELECT 'trf_x', 'upstream', account_id, 'USD', 'upstream_cost', 'upstream', 1, generation_id, 'att_no', 'x'
        FROM hold LIMIT 1
        """,
    ),
    "a key whose video is gone": (
        "INV-12",
        """
        INSERT INTO idempotency (account_id, route, key, fingerprint, subject, expires_at)
        SELECT id, 'r', 'k', 'x', 'vid_gone', now() + interval '1 hour' FROM account
        """,
    ),
    "a video that is not counted": ("INV-13", "UPDATE pending SET number = number - 1"),
    "a count of no video": ("INV-13", "UPDATE pending SET livemode = NOT livemode"),
}


async def books_with_two_videos(db: Database) -> Bank:
    """One that is paid and one on hold, under a limit."""
    bank = await Bank.open(db, 10_000)
    await set_limits(db, bank.me.account_id, None, {Period.MONTH: 9000})
    paid = await bank.create(quoted=700, most=1000)
    async with db.transaction() as connection:
        await settle(connection, bank.sale(paid, tokens=700), paid.order, Books(db))
    await db.execute(
        """
        INSERT INTO attempt (id, generation_id, state, operation, resolved_at)
        VALUES ('att_1', $1, 'succeeded', '{}', now())
        """,
        paid.id,
    )
    async with db.transaction() as connection:
        await book_cost(connection, bank.sale(paid, tokens=700), paid.order, "att_1", Books(db))
    await bank.end(paid.id, "completed")
    await bank.create(quoted=300, most=300)
    return bank


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named(database_url: str, fault: str) -> None:
    async def verb(db: Database) -> None:
        await books_with_two_videos(db)
        found = await examine(db, MemoryStore(), accepted=None, tell=lambda _: None)
        assert [one.violations for one in found if one.count] == []
        name, sql = FAULTS[fault]
        await db.execute(sql)  # type: ignore[arg-type]  # a literal, by way of a table
        found = await examine(db, MemoryStore(), accepted=None, tell=lambda _: None)
        bad = {one.name for one in found if one.count}
        assert name in bad
        assert all(one.violations for one in found if one.count)

    with_database(database_url, verb)


def test_a_step_that_its_job_takes_is_no_violation(database_url: str) -> None:
    """Whichever of its jobs it is: a video that is being stored for a long while has `store`."""

    async def verb(db: Database) -> None:
        await books_with_two_videos(db)
        await db.execute(
            "UPDATE generation SET state = 'storing', due_at = now() - interval '1 hour' WHERE state = 'queued'"
        )
        for job, count in (("tidy", 1), ("advance", 0), ("store", 0)):
            await db.execute("DELETE FROM pgqueuer")
            async with db.transaction() as connection:
                ids = [one["id"] for one in await connection.fetch("SELECT id FROM generation WHERE state = 'storing'")]
                await enqueue(connection, job, ids)
            found = await examine(db, MemoryStore(), accepted=None, tell=lambda _: None)
            assert {one.name: one.count for one in found}["INV-6"] == count

    with_database(database_url, verb)


def test_the_database_itself_refuses_the_worst(database_url: str) -> None:
    async def verb(db: Database) -> None:
        await books_with_two_videos(db)
        for sql in (
            "UPDATE wallet SET available = -1",
            "UPDATE wallet SET held = -1",
            "UPDATE hold SET charged = amount + 1 WHERE state = 'settled'",
            "UPDATE hold SET refunded = charged + 1 WHERE state = 'settled'",
            "UPDATE transfer SET amount = amount + 1",
            "DELETE FROM transfer",
            "TRUNCATE transfer",
            "UPDATE price_book SET text = ''",
            """
            INSERT INTO transfer (id, kind, account_id, currency, source, target, amount, generation_id, author)
            SELECT 'trf_2', kind, account_id, currency, target, source, amount, generation_id, 'x' FROM transfer
            WHERE kind = 'hold' LIMIT 1
            """,
            """
            INSERT INTO transfer (id, kind, account_id, currency, source, target, amount, generation_id, author)
            SELECT 'trf_3', kind, account_id, currency, source, target, amount, generation_id, 'x' FROM transfer
            WHERE kind = 'charge' LIMIT 1
            """,
        ):
            with pytest.raises(Exception, match=r"violates|never changed"):
                await db.execute(sql)

    with_database(database_url, verb)


def test_lost_answers_and_objects_are_named(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        bank = await books_with_two_videos(db)
        store = MemoryStore()
        (video,) = [record["id"] for record in await db.fetch("SELECT id FROM generation WHERE state = 'completed'")]
        await db.execute("INSERT INTO content (generation_id, purge_at) VALUES ($1, now())", video)
        await db.execute(
            "INSERT INTO asset VALUES ($1, 'video', 'content/x/video.mp4', 'video/mp4', 1, 'x')",
            video,
        )
        del bank
        found = await examine(db, store, accepted=[video, "vid_lost"], tell=lambda _: None)
        by_name = {one.name: one for one in found}
        assert [one.name for one in found] == [f"INV-{number}" for number in range(1, 14)]
        assert by_name["INV-5"].violations == ["generation vid_lost: answered with success, and not there"]
        missing = "object content/x/video.mp4: a row names it, and it is not there as it was put"
        assert by_name["INV-8"].violations == [missing]
        await obstore.put_async(store, "content/x/video.mp4", b"x")
        found = await examine(db, store, accepted=[video], tell=lambda _: None)
        assert sum(one.count for one in found) == 0

        ours = issue(tmp_path / "marking", "Acme")
        store = open_store(None, tmp_path / "objects")
        disk = Disk([tmp_path / "scratch"], reserve_percent=0)
        remarks = await inspect(db, store, live=LiveSide(sandbox=True), certificate=ours, disk=disk)
        assert {one.name: one.status for one in remarks} == {
            "database": "ok", "objects": "ok", "orphans": "ok", "prices": "warning", "marking": "ok", "settings": "ok",
            "upstream": "warning", "disk": "ok", "waiting": "ok",
        }  # fmt: skip
        await db.execute("UPDATE generation SET provider = 'byteplus', state = 'running' WHERE finished_at IS NULL")
        remarks = await inspect(db, store, live=LiveSide(sandbox=True), certificate=ours, disk=disk)
        (said,) = [one for one in remarks if one.name == "upstream"]
        told = "1 video is in progress at byteplus, which is not configured here: "
        assert (said.status, said.message.startswith(told)) == ("error", True), said
        await db.execute("UPDATE generation SET provider = 'sandbox' WHERE finished_at IS NULL")
        (tmp_path / "scratch").rmdir()
        (tmp_path / "scratch").touch()  # no file can be made in a file
        remarks = await inspect(db, store, live=LiveSide(sandbox=True), certificate=ours, disk=disk)
        assert [one.name for one in remarks if one.status == "error"] == ["disk"]

    with_database(database_url, verb)


def test_the_numbers_are_those_of_the_design() -> None:
    assert [one.name for one in INVARIANTS] == [f"INV-{number}" for number in range(1, 14)]
    assert all((bool(one.sql), bool(one.missing), one.ask is not None).count(True) == 1 for one in INVARIANTS)


def test_a_finding_names_twenty_and_counts_all(database_url: str) -> None:
    async def verb(db: Database) -> None:
        bank = await Bank.open(db, 10_000)
        await asyncio.gather(*(bank.create(quoted=1, most=1) for _ in range(30)))
        await db.execute("UPDATE generation SET deadline_at = now() - interval '1 hour'")
        found = await examine(db, MemoryStore(), accepted=None, tell=lambda _: None)
        late = next(one for one in found if one.name == "INV-6")
        assert (late.count, len(late.violations)) == (30, 20)

    with_database(database_url, verb)
