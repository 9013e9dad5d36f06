"""Drafts: as long as a final take is promised the upstream's copy stays, and not a moment longer; and once that is over
a take is refused before any money is held."""
# pyright: reportArgumentType=false
# none of these orders brings a file, so that any folder will do

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from obstore.store import MemoryStore

from generations.kit import Owner, engine, new, owner, sandbox, with_database
from generations.test_assets import EVERY, live, once, parts_of
from seedance_api.accounts.keys import KeyMode
from seedance_api.billing.credit import credit
from seedance_api.catalog.order import Kind, Mode, Role
from seedance_api.catalog.request import Facts, Request
from seedance_api.delivery.queries import insert_content
from seedance_api.delivery.receipt_queries import kept_of
from seedance_api.foundation.db import Database
from seedance_api.foundation.errors import AppError
from seedance_api.foundation.ids import new_id
from seedance_api.generations import cancel, drafts
from seedance_api.generations.announce import announce_news
from seedance_api.generations.clean_up import clean_up, expire, forget, remove_files
from seedance_api.generations.commands import CreateGeneration, Creating
from seedance_api.generations.create import create
from seedance_api.generations.price import price_order
from seedance_api.generations.purge import purge
from seedance_api.generations.queries import moves, reads
from seedance_api.generations.queries.inserts import NewMedium
from seedance_api.generations.write import Writer
from seedance_api.providers.provider import Output
from seedance_api.references.queries import NewFile
from seedance_api.routing.router import Offer, Router

ROUTER = Router(offers={"up": Offer(models=EVERY)})
DRAFT = Request(model="seedance-2.5", prompt="A fox", resolution="480p", duration=5, draft=True)


class Studio:
    """An account with money, and an upstream that keeps its copies until it is told to forget them."""

    def __init__(self, db: Database, me: Owner, folder: Path) -> None:
        self.db, self.me, self.folder = db, me, folder
        self.parts: Creating = parts_of(db, ROUTER)
        self.engine = engine(db, providers={"up": sandbox("up", 8, keeps=True)}, router=ROUTER)

    async def draft(self, *media: NewMedium, files: tuple[NewFile, ...] = ()) -> str:
        """A completed draft."""
        wish = CreateGeneration(request=DRAFT)
        order = (await price_order(wish, principal=live(self.me), folder=self.folder, parts=self.parts)).accepted.order
        made = new(self.me, livemode=True, provider="up", order=order, media=media, new_files=files)
        await Writer(self.db)(made)
        await self.db.execute("UPDATE generation SET state = 'storing', version = 1 WHERE id = $1", made.id)
        async with self.db.transaction() as connection:
            assert await moves.to_completed(connection, made.id, 1, Output(tokens=1))
            await insert_content(connection, made.id, 3600, [])
            await connection.execute(
                """
                INSERT INTO attempt (id, generation_id, provider, state, operation, resolved_at)
                VALUES ($1, $2, 'up', 'succeeded', jsonb_build_object('id', $1::text), now())
                """,
                new_id("att"), made.id,
            )  # fmt: skip
        return made.id

    async def final(self, draft: str, key: str = "final") -> str:
        """A final take of it, accepted."""
        wish = CreateGeneration(request=Request(), draft_id=draft)
        made = await create(
            wish, principal=live(self.me), once=once(self.me, key), folder=self.folder, parts=self.parts
        )
        return made.generation_id

    async def refused(self, draft: str) -> None:
        """A final take is refused, and nothing is held for it; so is its quote."""
        before = await self.db.fetchrow("SELECT count(*), sum(amount) FROM transfer")
        wish = CreateGeneration(request=Request(), draft_id=draft)
        for act in (
            self.final(draft, new_id("key")),
            price_order(wish, principal=live(self.me), folder=self.folder, parts=self.parts),
        ):
            with pytest.raises(AppError) as error:
                await act
            assert (error.value.code, error.value.status, error.value.param) == ("draft_expired", 410, "draft_id")
        assert await self.db.fetchrow("SELECT count(*), sum(amount) FROM transfer") == before

    async def purged(self, draft: str) -> None:
        """Its content goes, and what follows from that is done."""
        await purge(self.db, self.engine.storage.objects, draft)
        await clean_up(draft, self.engine)
        await self.forgotten()

    async def forgotten(self) -> None:
        """The upstream deletes what it is told to."""
        for job in await self.db.fetch("SELECT payload FROM pgqueuer WHERE split_part(entrypoint, ':', 1) = 'forget'"):
            await forget(job["payload"].decode(), self.engine)

    async def let_pass(self, draft: str, hours: int = 25) -> None:
        """So many hours go by."""
        await self.db.execute(
            """
            UPDATE generation SET finished_at = finished_at - $2 * interval '1 hour',
                created_at = created_at - $2 * interval '1 hour', draft_until = draft_until - $2 * interval '1 hour'
            WHERE id = $1
            """,
            draft, hours,
        )  # fmt: skip

    async def over(self) -> None:
        """The schedule and the jobs that it enqueues."""
        await expire(self.engine)
        for job in await self.db.fetch("SELECT payload FROM pgqueuer WHERE entrypoint = 'tidy'"):
            await clean_up(job["payload"].decode(), self.engine)
        await self.forgotten()

    async def copy_is_gone(self, draft: str) -> bool:
        """What the receipt says of the upstream's copy: it is in one of its lists and never in both."""
        gone = await self.db.fetchval(
            "SELECT count(*) FROM deletion WHERE generation_id = $1 AND what = 'upstream_copy'", draft
        )
        kept = [one for one in await kept_of(self.db, draft) if one.what == "upstream_copy"]
        assert (gone, len(kept)) in ((1, 0), (0, 1))
        return gone == 1

    async def end(self, generation_id: str) -> None:
        """An unfinished generation fails."""
        await self.db.execute(
            "UPDATE generation SET state = 'failed', error_code = 'provider_failed', finished_at = now() WHERE id = $1",
            generation_id,
        )


def studio(url: str, folder: Path, verb: Any) -> None:
    async def run(db: Database) -> None:
        me = await owner(db, mode=KeyMode.LIVE)
        await credit(db, me.account_id, 1_000_000_000, reason="a test", author="test", announce=announce_news)
        await verb(Studio(db, me, folder))

    with_database(url, run)


def picture(me: Owner, *, inline: bool, hours: int) -> NewFile:
    return NewFile(
        id=new_id("file"), account_id=me.account_id, livemode=True, inline=inline, kind=Kind.IMAGE,
        object_key=new_id("obj"), sha256="0", facts=Facts(media_type="image/png", bytes=1), keep_seconds=hours * 3600,
    )  # fmt: skip


def test_the_copy_of_a_purged_draft_stays_as_long_as_a_final_take_is_promised(
    database_url: str, tmp_path: Path
) -> None:
    async def verb(it: Studio) -> None:
        draft = await it.draft()
        await it.purged(draft)
        assert not await it.copy_is_gone(draft)
        (kept,) = [one for one in await kept_of(it.db, draft) if one.what == "upstream_copy"]
        assert kept.goes_at == await it.db.fetchval("SELECT draft_until FROM generation")
        await it.let_pass(draft, 23)
        await it.over()
        assert not await it.copy_is_gone(draft)
        await it.end(await it.final(draft))
        await it.let_pass(draft, 2)
        await it.refused(draft)
        await it.over()
        assert await it.copy_is_gone(draft)

    studio(database_url, tmp_path, verb)


def test_the_copy_lives_as_long_as_a_final_take_is_unfinished(database_url: str, tmp_path: Path) -> None:
    async def verb(it: Studio) -> None:
        draft = await it.draft()
        final = await it.final(draft)
        await it.let_pass(draft)
        await it.purged(draft)
        await it.over()
        assert not await it.copy_is_gone(draft)
        (kept,) = [one for one in await kept_of(it.db, draft) if one.what == "upstream_copy"]
        assert kept.goes_at is None
        await it.refused(draft)  # another one is too late
        assert await it.final(draft) == final  # but a repeat is answered
        await it.end(final)
        await it.over()
        assert await it.copy_is_gone(draft)

    studio(database_url, tmp_path, verb)


def test_a_draft_that_its_owner_deletes_goes_at_once(database_url: str, tmp_path: Path) -> None:
    async def verb(it: Studio) -> None:
        draft = await it.draft()
        await cancel.delete(it.db, it.engine.storage.objects, draft)
        await clean_up(draft, it.engine)
        await it.forgotten()
        assert await it.copy_is_gone(draft)
        with pytest.raises(AppError) as error:
            await it.final(draft)
        assert error.value.code == "invalid_request"  # as for a video that never was
        assert await it.db.fetchval("SELECT count(*) FROM hold") == 0

    studio(database_url, tmp_path, verb)


def test_a_draft_deleted_while_its_final_take_is_made_keeps_the_upstream_s_copy_until_then(
    database_url: str, tmp_path: Path
) -> None:
    async def verb(it: Studio) -> None:
        draft = await it.draft()
        final = await it.final(draft)
        await cancel.delete(it.db, it.engine.storage.objects, draft)
        await clean_up(draft, it.engine)
        await it.forgotten()
        assert not await it.copy_is_gone(draft)
        assert await it.db.fetchval("SELECT count(*) FROM generation_input WHERE generation_id = $1", draft) == 0
        await it.end(final)
        await it.over()
        assert await it.copy_is_gone(draft)

    studio(database_url, tmp_path, verb)


def test_a_final_take_between_the_check_and_the_write_is_refused_before_the_hold(
    database_url: str, tmp_path: Path
) -> None:
    """The draft is deleted, or ends, when the create has looked at it already."""

    async def verb(it: Studio) -> None:
        draft = await it.draft()
        (seen,) = await reads.seen_by_ids(it.db, [draft])
        take = new(
            it.me, livemode=True, provider="up", draft_id=draft,
            order=msgspec.structs.replace(seen.params, mode=Mode.FINAL, draft=False),
        )  # fmt: skip
        await cancel.delete(it.db, MemoryStore(), draft)
        with pytest.raises(AppError) as error:
            await Writer(it.db)(take)
        assert error.value.code == "draft_expired"
        assert await it.db.fetchval("SELECT count(*) FROM generation") == 1

    studio(database_url, tmp_path, verb)


def test_a_draft_does_not_end_under_a_create_that_has_looked_at_it(database_url: str, tmp_path: Path) -> None:
    async def verb(it: Studio) -> None:
        draft = await it.draft()
        soon = "UPDATE generation SET draft_until = clock_timestamp() + interval '0.3 seconds' WHERE id = $1"
        await it.db.execute(soon, draft)
        async with it.db.transaction() as connection:
            assert await drafts.hold(connection, {draft}) == {draft}
            async with asyncio.timeout(10):
                while not await it.db.fetchval("SELECT draft_until < now() FROM generation WHERE id = $1", draft):
                    await asyncio.sleep(0.02)
            assert await drafts.end_over(it.db, 10) == 0
        assert await drafts.end_over(it.db, 10) == 1

    studio(database_url, tmp_path, verb)


def test_a_create_that_waits_for_the_end_of_a_draft_sees_it(database_url: str, tmp_path: Path) -> None:
    async def verb(it: Studio) -> None:
        draft = await it.draft()
        async with it.db.transaction() as connection:
            await connection.execute("UPDATE generation SET draft_ended_at = now() WHERE id = $1", draft)
            waiting = asyncio.create_task(held(it.db, draft))
            async with asyncio.timeout(10):
                while not await it.db.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
                    await asyncio.sleep(0.01)
        assert await waiting == set()

    studio(database_url, tmp_path, verb)


async def held(db: Database, draft: str) -> set[str]:
    async with db.transaction() as connection:
        return await drafts.hold(connection, {draft})


def test_a_draft_ends_with_the_first_of_its_files_and_says_so(database_url: str, tmp_path: Path) -> None:
    async def verb(it: Studio) -> None:
        brief, inline = picture(it.me, inline=False, hours=2), picture(it.me, inline=True, hours=48)
        media = [NewMedium(role=Role.REFERENCE, file_id=one.id) for one in (brief, inline)]
        draft = await it.draft(*media, files=(brief, inline))
        (seen,) = await reads.seen_by_ids(it.db, [draft])
        assert seen.draft_until == await it.db.fetchval("SELECT expires_at FROM file WHERE id = $1", brief.id)
        await it.purged(draft)
        assert not await it.copy_is_gone(draft)
        assert await remove_files([brief.id], it.engine) == 1
        await it.refused(draft)
        await it.over()
        assert await it.copy_is_gone(draft)
        reasons = {row["what"]: row["reason"] for row in await it.db.fetch("SELECT * FROM deletion")}
        assert (reasons["prompt"], reasons["input"]) == ("requested", "requested")

    studio(database_url, tmp_path, verb)


def test_a_draft_that_ends_because_a_file_is_over_was_not_deleted_by_request(database_url: str, tmp_path: Path) -> None:
    async def verb(it: Studio) -> None:
        brief = picture(it.me, inline=False, hours=2)
        await it.draft(NewMedium(role=Role.REFERENCE, file_id=brief.id), files=(brief,))
        await it.db.execute("UPDATE file SET expires_at = now()")
        await expire(it.engine)
        reasons = {row["what"]: row["reason"] for row in await it.db.fetch("SELECT * FROM deletion")}
        assert (reasons["prompt"], reasons["input"]) == ("retention", "retention")

    studio(database_url, tmp_path, verb)


def test_what_is_no_draft_goes_with_its_content(database_url: str, tmp_path: Path) -> None:
    async def verb(it: Studio) -> None:
        video = await it.draft()
        await it.db.execute(
            """UPDATE generation SET draft_until = NULL, params = params || '{"draft": false}'::jsonb"""
        )
        await it.purged(video)
        assert await it.copy_is_gone(video)

    studio(database_url, tmp_path, verb)
