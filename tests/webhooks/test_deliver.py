"""Delivering: signed, at least once, four at a time, tried again, and given up only when it must be."""

import asyncio
import contextlib
import time
from typing import Any

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook

from generations.kit import owner, with_database
from seedance_api.foundation.db import Database
from seedance_api.foundation.outbound import Outbound
from seedance_api.foundation.outcome import Post
from seedance_api.webhooks import endpoints
from seedance_api.webhooks.claim import Deliverer
from seedance_api.webhooks.decide import SCHEDULE
from seedance_api.webhooks.replay import replay
from seedance_api.webhooks.rotate import rotate_secret
from seedance_api.webhooks.rows import Range
from seedance_api.webhooks.schedule import deliver
from seedance_api.webhooks.sign import shown_secret
from seedance_api.webhooks.sweep import sweep_deliveries
from webhooks.kit import (
    PEPPER,
    Came,
    age,
    deliverer,
    endpoint,
    happen,
    outbound,
    receiver,
    run_jobs,
    status,
)


async def delivery(db: Database) -> dict[str, Any]:
    found = await db.fetchrow("SELECT * FROM delivery")
    assert found is not None
    return dict(found)


def test_an_event_arrives_signed_and_once(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            mine = await endpoint(db, me, there.url)
            await happen(db, me, 3)
            await run_jobs(db, told)
            await run_jobs(db, told)
            assert len(there.came) == 3
            for came in there.came:
                event = Webhook(shown_secret(PEPPER, mine, 1)).verify(came.body, came.headers)
                assert set(event) == {"id", "object", "type", "timestamp", "created_at", "livemode", "data"}
                assert came.headers["webhook-id"] == event["id"]
                assert came.path == "/hook?token=s3cret"
            assert {came.event["data"]["number"] for came in there.came} == {0, 1, 2}
            assert await db.fetchval("SELECT count(*) FROM delivery WHERE state = 'delivered' AND tries = 1") == 3
            (attempt,) = (await db.fetchval("SELECT attempts FROM delivery LIMIT 1"),)
            assert attempt[0]["outcome"] == "delivered"
            assert attempt[0]["status"] == 200

    with_database(database_url, verb)


def test_no_more_than_four_at_once_go_to_an_endpoint_whoever_sends(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        gate = asyncio.Event()

        async def wait(came: Came, writer: asyncio.StreamWriter) -> None:
            if there.under_way == 4:
                asyncio.get_running_loop().call_later(0.2, gate.set)
            await gate.wait()
            await status(200)(came, writer)

        async with receiver() as there, deliverer(db, there) as one, deliverer(db, there) as other:
            there.answer = wait
            mine = await endpoint(db, me, there.url)
            await happen(db, me, 20)
            await asyncio.gather(*(deliver(mine, told) for told in (one, other) * 8))
            assert len(there.came) == 20
            assert len({came.event["id"] for came in there.came}) == 20
            assert there.most == 4

    with_database(database_url, verb)


@pytest.mark.parametrize("code", [301, 302, 307, 308, 400, 404, 500])
def test_what_is_not_taken_is_tried_again_with_the_same_id(database_url: str, code: int) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            there.answer = status(code, location=there.url)
            await endpoint(db, me, there.url)
            await happen(db, me)
            await run_jobs(db, told)
            assert len(there.came) == 1  # a redirect is a failure, not followed
            seen = await delivery(db)
            assert (seen["state"], seen["tries"], seen["attempts"][0]["status"]) == ("pending", 1, code)
            await sweep_deliveries(told)
            await run_jobs(db, told)
            assert len(there.came) == 1  # not due yet
            there.answer = status(204)
            await age(db, 7)
            await sweep_deliveries(told)
            await run_jobs(db, told)
            first, second = there.came
            assert first.body == second.body
            assert first.headers["webhook-id"] == second.headers["webhook-id"]
            assert (await delivery(db))["state"] == "delivered"
            assert await db.fetchval("SELECT failures FROM webhook_endpoint") == 0

    with_database(database_url, verb)


def test_after_the_whole_schedule_it_has_failed(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            there.answer = status(500)
            await endpoint(db, me, there.url)
            await happen(db, me)
            await run_jobs(db, told)
            for seconds in SCHEDULE[1:]:
                await age(db, seconds * 0.99)
                await db.execute("UPDATE webhook_endpoint SET closed_until = NULL")
                await sweep_deliveries(told)
                await run_jobs(db, told)
                before = len(there.came)
                await age(db, seconds * 0.25 + 300)
                await sweep_deliveries(told)
                await run_jobs(db, told)
                assert len(there.came) == before + 1
            seen = await delivery(db)
            assert (seen["state"], seen["tries"]) == ("failed", len(SCHEDULE))
            assert len({came.headers["webhook-id"] for came in there.came}) == 1

    with_database(database_url, verb)


def test_410_disables_at_once_and_drops_what_waits(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            there.answer = status(410)
            await endpoint(db, me, there.url)
            await happen(db, me)
            await run_jobs(db, told)
            await happen(db, me)  # nobody is told any more
            await sweep_deliveries(told)
            await run_jobs(db, told)
            assert len(there.came) == 1
            assert await db.fetchval("SELECT disabled_by FROM webhook_endpoint") == "gone"
            assert (await delivery(db))["state"] == "dropped"
            notices = await db.fetch("SELECT kind, detail FROM notice")
            assert [one["kind"] for one in notices] == ["endpoint_disabled"]
            assert "s3cret" not in str(notices[0]["detail"])
            assert notices[0]["detail"]["host"] == "127.0.0.2"

    with_database(database_url, verb)


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_one_with_too_much_to_do_is_left_alone_for_as_long_as_it_asks(database_url: str, code: int) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            there.answer = status(code, retry_after="600")
            mine = await endpoint(db, me, there.url)
            await happen(db, me)
            await run_jobs(db, told)
            await happen(db, me, 3)
            await age(db, 590)
            await deliver(mine, told)
            assert len(there.came) == 1
            there.answer = status(200)
            await age(db, 11)
            await deliver(mine, told)
            assert len({came.event["id"] for came in there.came}) == 4

    with_database(database_url, verb)


def test_a_circuit_lets_one_out_at_a_time_until_one_arrives_then_all(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            there.answer = status(500)
            mine = await endpoint(db, me, there.url)
            await happen(db, me, 12)
            await deliver(mine, told)
            assert 5 <= len(there.came) <= 8  # four were under way when the fifth failed
            for _ in range(3):
                before = len(there.came)
                await age(db, 301)
                await asyncio.gather(deliver(mine, told), deliver(mine, told))
                assert len(there.came) == before + 1
            there.answer = status(200)
            await age(db, 301)
            await db.execute(  # the others would have to wait for tomorrow
                """
                UPDATE delivery SET due_at = now() + interval '1 day' WHERE state = 'pending'
                    AND event_id <> (SELECT min(event_id) FROM delivery WHERE state = 'pending' AND due_at <= now())
                """
            )
            await deliver(mine, told)
            assert await db.fetchval("SELECT count(*) FROM delivery WHERE state = 'delivered'") == 12

    with_database(database_url, verb)


def test_five_days_of_nothing_but_failures_disable_and_a_day_warns(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            there.answer = status(500)
            mine = await endpoint(db, me, there.url)
            for day in range(6):
                await happen(db, me, 2)
                await deliver(mine, told)
                kinds = [one["kind"] for one in await db.fetch("SELECT kind FROM notice ORDER BY created_at")]
                assert kinds == ["endpoint_failing"] * (day >= 1) + ["endpoint_disabled"] * (day == 5)
                await age(db, 86_401)
            assert await db.fetchval("SELECT disabled_by FROM webhook_endpoint") == "failing"
            assert await db.fetchval("SELECT count(*) FROM delivery WHERE state = 'pending'") == 0

    with_database(database_url, verb)


def test_a_long_answer_is_not_read_and_a_dripping_one_not_waited_for(database_url: str) -> None:
    async def endless(came: Came, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent.append(65536)

    async def drip(came: Came, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.3)

    sent: list[int] = []

    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            mine = await endpoint(db, me, there.url)
            for answer in (endless, drip):
                there.answer = answer
                await happen(db, me)
                await deliver(mine, told)
            assert await db.fetchval("SELECT count(*) FROM delivery WHERE state = 'delivered'") == 2
        assert sum(sent) < 20_000_000  # what fits into the buffers between us

    with_database(database_url, verb)


def test_a_name_that_leads_inside_at_the_second_try_is_refused(database_url: str) -> None:
    import socket

    places = ["127.0.0.2", "127.0.0.1"]

    def resolve(host: str, port: int, *rest: int) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (places.pop(0), port))]

    async def verb(db: Database) -> None:
        me = await owner(db)
        inside: list[int] = []

        async def trip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inside.append(1)
            writer.close()

        async with receiver() as there, deliverer(db, there, resolver=resolve) as told:
            wire = await asyncio.start_server(trip, "127.0.0.1", there.port)
            there.answer = status(500)
            mine = await endpoint(db, me, f"http://rebinding.example:{there.port}/")
            await happen(db, me)
            await deliver(mine, told)
            await age(db, 10)
            await deliver(mine, told)
            assert len(there.came) == 1
            assert inside == []
            attempts = (await delivery(db))["attempts"]
            assert [one["outcome"] for one in attempts] == ["status", "unreachable"]
            assert "milliseconds" not in attempts[1]
            wire.close()

    with_database(database_url, verb)


def test_a_late_record_of_a_lost_claim_writes_nothing(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)

        async def lose(came: Came, writer: asyncio.StreamWriter) -> None:
            await db.execute("UPDATE delivery SET claimed_until = now() + interval '1 minute'")  # another has it
            await status(500)(came, writer)

        async with receiver() as there, deliverer(db, there) as told:
            there.answer = lose
            mine = await endpoint(db, me, there.url)
            await happen(db, me)
            await deliver(mine, told)
            seen = await delivery(db)
            assert (seen["tries"], seen["attempts"], seen["state"]) == (0, [], "pending")

    with_database(database_url, verb)


def test_one_that_hangs_moves_to_the_other_lane_before_its_time_is_over(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        gone = asyncio.Event()

        async def hang(came: Came, writer: asyncio.StreamWriter) -> None:
            await gone.wait()
            await status(200)(came, writer)

        async with receiver() as there, deliverer(db, there) as told:
            there.answer = hang
            mine = await endpoint(db, me, there.url)
            await happen(db, me)
            await db.execute("DELETE FROM pgqueuer")
            sending = asyncio.create_task(deliver(mine, told))
            deadline = time.monotonic() + 10
            while not await db.fetchval("SELECT slow FROM webhook_endpoint"):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            await happen(db, me)
            assert await db.fetchval("SELECT entrypoint FROM pgqueuer") == "deliver_slow"
            gone.set()
            await sending

    with_database(database_url, verb)


def test_a_time_out_is_a_failure(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def verb(db: Database) -> None:
        await owner(db)

        async def hang(came: Came, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(60)

        async with receiver() as there:
            door = outbound(there.port)
            there.answer = hang
            from seedance_api.webhooks.decide import read

            answer = await door.post(there.url, b"{}", total_seconds=0.2)
            assert read(answer, 0.2).how == "timeout"
            await door.aclose()

    with_database(database_url, verb)


def test_what_is_sent_has_no_prompt_and_its_id_in_front(database_url: str) -> None:
    from generations.kit import new
    from seedance_api.generations.write import Writer

    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            await endpoint(db, me, there.url, "video.queued", livemode=False)
            made = await Writer(db)(new(me, prompt="a secret prompt", metadata={"mine": "secret"}))
            await run_jobs(db, told)
            (came,) = there.came
            assert b"secret" not in came.body
            assert came.event["data"] == {"id": made.generation_id, "status": "queued"}
            assert next(iter(came.event["data"])) == "id"
            assert came.body == msgspec.json.encode(msgspec.json.decode(came.body))

    with_database(database_url, verb)


class Broken(Outbound):
    """A door with a bug that shows at some addresses."""

    async def post(self, url: str, *rest: Any, **options: Any) -> Post:
        if "broken" in url:
            raise OverflowError("a secret text")
        return await super().post(url, *rest, **options)


def test_a_bug_is_a_failed_try_and_ends_neither_others_nor_the_job(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there:
            door = Broken(allow_http=True, extra_ports=frozenset({there.port}), allow_networks=("127.0.0.2/32",))
            told = Deliverer(db=db, outbound=door, pepper=PEPPER)
            mine = await endpoint(db, me, there.url + "&broken")
            await happen(db, me, 2)
            for _ in SCHEDULE:
                await deliver(mine, told)
                await age(db, 2 * 86_400)
                await db.execute("UPDATE webhook_endpoint SET failing_since = now(), closed_until = NULL, failures = 0")
            found = await db.fetch("SELECT state, tries, attempts FROM delivery")
            assert [(one["state"], one["tries"]) for one in found] == [("failed", len(SCHEDULE))] * 2
            assert {try_["outcome"] for one in found for try_ in one["attempts"]} == {"unreachable"}
            assert there.came == []
            await door.aclose()
        shown = capsys.readouterr()
        assert "secret text" not in shown.out + shown.err

    with_database(database_url, verb)


def test_of_several_under_way_one_that_cannot_be_noted_cancels_no_other(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        calls: list[int] = []

        async def put(*_: Any) -> None:
            raise RuntimeError

        monkeypatch.setattr("seedance_api.webhooks.send.put", put)

        async def answer(came: Came, writer: asyncio.StreamWriter) -> None:
            calls.append(1)
            if len(calls) == 1:
                await status(410)(came, writer)  # its owner is to be told, which fails
            else:
                await asyncio.sleep(0.5)
                await status(200)(came, writer)

        async with receiver() as there, deliverer(db, there) as told:
            there.answer = answer
            mine = await endpoint(db, me, there.url)
            await happen(db, me, 4)
            with pytest.raises(RuntimeError):
                await deliver(mine, told)
            assert await db.fetchval("SELECT count(*) FROM delivery WHERE state = 'delivered'") == 3

    with_database(database_url, verb)


@pytest.mark.parametrize("code", [410, 500])
def test_what_the_old_address_answers_is_not_held_against_the_new_one(database_url: str, code: int) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        whose = endpoints.Owner(me.account_id, livemode=True)
        async with receiver() as old, receiver() as new, deliverer(db, old, new) as told:
            mine = await endpoint(db, me, old.url)

            async def change(came: Came, writer: asyncio.StreamWriter) -> None:
                await endpoints.update_endpoint(db, whose, mine, endpoints.Wanted(url=new.url), None)
                await status(code)(came, writer)

            old.answer = change
            await happen(db, me)
            await deliver(mine, told)
            assert (len(old.came), len(new.came)) == (1, 1)
            seen = await delivery(db)
            assert (seen["state"], seen["tries"], len(seen["attempts"])) == ("delivered", 1, 1)
            found = await db.fetchrow("SELECT failures, disabled_at, closed_until FROM webhook_endpoint")
            assert found is not None
            assert tuple(found) == (0, None, None)

    with_database(database_url, verb)


def test_every_secret_that_is_not_over_signs_however_often_it_was_rotated(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)

        async def signing() -> list[int]:
            await happen(db, me)
            await deliver(mine, told)
            came, good = there.came[-1], list[int]()
            for version in range(1, 9):
                with contextlib.suppress(Exception):
                    Webhook(shown_secret(PEPPER, mine, version)).verify(came.body, came.headers)
                    good.append(version)
            return good

        async with receiver() as there, deliverer(db, there) as told:
            mine = await endpoint(db, me, there.url)
            assert await signing() == [1]
            for _ in range(2):
                await rotate_secret(db, mine, None, keep_old=True)
            assert await signing() == [1, 2, 3]
            await db.execute("UPDATE webhook_secret SET older_until = ARRAY[now()]")
            assert await signing() == [2, 3]
            for _ in range(4):
                await rotate_secret(db, mine, None, keep_old=True)
            assert await signing() == [3, 4, 5, 6, 7]  # five are enough
            await rotate_secret(db, mine, None, keep_old=False)
            assert await signing() == [8]

    with_database(database_url, verb)


def test_a_replay_of_what_waits_for_its_next_try_sends_it_now(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            there.answer = status(500)
            mine = await endpoint(db, me, there.url)
            await happen(db, me)
            for _ in range(2):
                await deliver(mine, told)
                await age(db, 6)
            there.answer = status(200)
            await db.execute("DELETE FROM pgqueuer")
            found = await endpoints.find_endpoint(db, endpoints.Owner(me.account_id, livemode=True), mine)
            one = Range(event_id=await db.fetchval("SELECT id FROM event"))
            answer, _ = await replay(db, found, one, None)
            assert answer.count == 1
            assert (await delivery(db))["tries"] == 2
            await run_jobs(db, told)
            assert ((await delivery(db))["state"], len(there.came)) == ("delivered", 3)

    with_database(database_url, verb)


def test_what_arrives_late_does_not_end_the_pause_that_was_asked_for_meanwhile(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        asked: list[int] = []

        async def answer(came: Came, writer: asyncio.StreamWriter) -> None:
            asked.append(1)
            if len(asked) == 1:
                await status(500)(came, writer)
            elif len(asked) == 5:
                await asyncio.sleep(0.5)
                await status(200)(came, writer)
            else:
                await status(429, Retry_After="600")(came, writer)

        async with receiver() as there, deliverer(db, there) as told:
            there.answer = answer
            mine = await endpoint(db, me, there.url)
            await happen(db, me)
            await deliver(mine, told)
            await happen(db, me, 4)
            await deliver(mine, told)
            assert await db.fetchval("SELECT closed_until > now() + interval '9 minutes' FROM webhook_endpoint")
            assert len(asked) == 5

    with_database(database_url, verb)


def test_what_is_sent_is_signed_with_the_time_of_the_database(database_url: str) -> None:
    async def verb(db: Database) -> None:
        me = await owner(db)
        async with receiver() as there, deliverer(db, there) as told:
            await endpoint(db, me, there.url)
            await happen(db, me)
            db.clock.note(5_000_000_000.0, time.monotonic(), time.monotonic())  # whatever this machine believes
            await run_jobs(db, told)
            (came,) = there.came
            assert 0 <= int(came.headers["webhook-timestamp"]) - 5_000_000_000 < 60
            (attempts,) = [row["attempts"] for row in await db.fetch("SELECT attempts FROM delivery")]
            assert 0 <= attempts[0]["at"] - 5_000_000_000 < 60, "and so is the note of the try"

    with_database(database_url, verb)
