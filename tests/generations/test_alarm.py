"""The operator hears once that finished videos wait for something of ours, and once that none does any more."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from delivery.test_waits import Stage, outage
from generations.kit import claimed, with_database
from notifications.test_notices import Receiver, deliver, notifier
from seedance_api.doctor.upstreams import waiting
from seedance_api.foundation import claim, installation
from seedance_api.foundation.db import Database
from seedance_api.foundation.objects import open_store
from seedance_api.generations.alarm import alarm, is_news
from seedance_api.notifications.send import Notifier


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


async def hears(db: Database, told: Notifier, receiver: Receiver, **options: float) -> list[dict[str, Any]]:
    """What comes to the operator's address when a minute's run is over."""
    before = len(receiver.came)
    await alarm(db, await claimed(db), **options)
    await deliver(db, told)
    return receiver.came[before:]


async def hours_pass(db: Database, hours: float) -> None:
    await db.execute("UPDATE notice SET created_at = created_at - $1 * interval '1 hour'", hours)


def test_an_outage_is_told_once_with_its_reason_and_once_that_it_is_over(
    database_url: str, receiver: Receiver, tmp_path: Path
) -> None:
    async def verb(db: Database) -> None:
        stage, told = Stage(db, tmp_path), notifier(db, receiver)
        await stage.make()
        assert await hears(db, told, receiver, patience_seconds=0) == []
        assert (await waiting(db)).status == "ok"
        end = outage(stage, "key")
        await stage.tries(2)
        assert await hears(db, told, receiver) == [], "it may be a hiccup"
        await db.execute("UPDATE generation SET waiting_since = now() - interval '2 minutes'")
        (notice,) = await hears(db, told, receiver)
        assert (notice["type"], notice["account_id"]) == ("outage", None)
        ((reason,),) = [notice["data"]["reasons"]]
        assert "key" in reason["reason"]
        assert (reason["videos"], reason["seconds_left"] > 0) == (1, True)
        assert stage.id not in str(notice), "the customer's videos are not the operator's news"
        remark = await waiting(db)
        assert remark.status == "error"
        assert reason["reason"] in remark.message
        await stage.tries(3)
        for hours in (0, 2, 20):
            await hours_pass(db, hours)
            assert await hears(db, told, receiver) == [], f"told again {hours} hours later"
        await hours_pass(db, 3)
        assert [one["type"] for one in await hears(db, told, receiver)] == ["outage"], "it lasts for a day"
        end()
        assert (await stage.tries(1))["state"] == "completed"
        (over,) = await hears(db, told, receiver)
        assert (over["type"], over["data"]["completed"], over["data"]["failed"]) == ("outage_over", 1, 0)
        assert over["data"]["since"] == notice["data"]["since"]
        assert await hears(db, told, receiver) == []
        await told.outbound.aclose()

    with_database(database_url, verb)


def test_what_fails_meanwhile_is_in_the_last_notice(database_url: str, receiver: Receiver, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        stage, told = Stage(db, tmp_path), notifier(db, receiver)
        await stage.make()
        outage(stage, "key")
        await stage.tries(1)
        assert len(await hears(db, told, receiver, patience_seconds=0)) == 1
        await db.execute("UPDATE generation SET deadline_at = now()")
        assert (await stage.tries(1))["state"] == "failed"
        (over,) = await hears(db, told, receiver)
        assert (over["data"]["completed"], over["data"]["failed"]) == (0, 1)
        await told.outbound.aclose()

    with_database(database_url, verb)


def test_one_that_comes_and_goes_is_told_once_an_hour(database_url: str, receiver: Receiver, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        stage, told = Stage(db, tmp_path), notifier(db, receiver)
        await stage.make()
        end = outage(stage, "key")
        await stage.tries(1)
        assert [one["type"] for one in await hears(db, told, receiver, patience_seconds=0)] == ["outage"]
        await db.execute("UPDATE generation SET waiting_for = NULL, waiting_since = NULL")
        assert [one["type"] for one in await hears(db, told, receiver)] == ["outage_over"]
        await stage.tries(1)
        assert await hears(db, told, receiver, patience_seconds=0) == [], "twice within an hour"
        await hours_pass(db, 1)
        assert [one["type"] for one in await hears(db, told, receiver, patience_seconds=0)] == ["outage"]
        end()
        await told.outbound.aclose()

    with_database(database_url, verb)


def test_an_unmounted_folder_of_objects_is_an_outage_with_nothing_waiting(
    database_url: str, receiver: Receiver, tmp_path: Path
) -> None:
    async def verb(db: Database) -> None:
        told, store = notifier(db, receiver), open_store(None, tmp_path / "objects")
        ours = await installation.make(db, b"p" * 32)
        await claim.write(store, ours.id)
        claim.keep(store, ours.id)
        await alarm(db, store)
        assert await db.fetchval("SELECT count(*) FROM notice") == 0
        (tmp_path / "objects").rename(tmp_path / "away")
        (tmp_path / "objects").mkdir()
        with structlog.testing.capture_logs() as said:
            for _ in range(3):
                await alarm(db, store)
        assert [one["event"] for one in said] == ["store.unreachable"] * 3
        await deliver(db, told)
        (notice,) = receiver.came
        assert "mounted" in notice["data"]["reasons"][0]["reason"]
        (tmp_path / "objects").rmdir()
        (tmp_path / "away").rename(tmp_path / "objects")
        await alarm(db, store)
        await deliver(db, told)
        assert [one["type"] for one in receiver.came] == ["outage", "outage_over"]
        await told.outbound.aclose()

    with_database(database_url, verb)


KEY, DISK = {"reason": "key"}, {"reason": "disk"}


@pytest.mark.parametrize(
    ("reasons", "told", "seconds", "news"),
    [
        ([KEY], None, None, True),
        ([KEY], None, 3599, False),
        ([KEY], None, 3600, True),
        ([KEY], [KEY], 3600, False),
        ([KEY, DISK], [KEY], 3599, False),
        ([KEY, DISK], [KEY], 3600, True),
        ([DISK], [KEY, DISK], 3600, False),
        ([KEY], [KEY], 86_400, True),
    ],
)
def test_what_is_news(reasons: list[Any], told: list[Any] | None, seconds: float | None, news: bool) -> None:
    assert is_news(reasons, {"reasons": told} if told else None, seconds) is news
