"""One object for equal content of one account and mode, and no row without its object however deletes and puts meet."""

import asyncio
import base64
import hashlib
import itertools
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import msgspec
import obstore
import pytest
from obstore.store import MemoryStore, ObjectStore

from generations.kit import NO_MARKING, Owner, claimed, engine, new, owner, with_database
from sample import Sample
from security.attack import picture
from seedance_api.accounts.authenticate import Principal
from seedance_api.billing.books import Books
from seedance_api.catalog.order import Kind, Role
from seedance_api.catalog.request import Facts, Media, Request
from seedance_api.delivery.store import Storage
from seedance_api.doctor.examine import examine
from seedance_api.foundation import claim, objects
from seedance_api.foundation.confine import Confine
from seedance_api.foundation.db import Database
from seedance_api.foundation.disk import Disk
from seedance_api.foundation.idempotency import Once
from seedance_api.foundation.intake import Intake
from seedance_api.foundation.outbound import Outbound
from seedance_api.foundation.scratch import Scratch
from seedance_api.generations.clean_up import expire, remove_files
from seedance_api.generations.commands import CreateGeneration, Creating
from seedance_api.generations.create import create
from seedance_api.generations.drafts import delete_files
from seedance_api.generations.engine import Engine
from seedance_api.generations.queries.inserts import NewMedium
from seedance_api.generations.scrub import scrub
from seedance_api.generations.write import Writer
from seedance_api.reconciliation.collect_orphans import Limits, collect_orphans
from seedance_api.references.admit import References
from seedance_api.references.inspect import Inspected, Staged
from seedance_api.references.queries import NewFile, ObjectGoneError, hold_files, insert_files
from seedance_api.references.source import Source
from seedance_api.references.upload import Uploads
from seedance_api.routing.router import Router


class Bench:
    """References over a store in memory, with the two ways in which files get their rows."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.store, self._folder = db, MemoryStore(), folder
        self.references = References(db=db, store=self.store, confine=Confine(slots=1), outbound=Outbound())
        self.writer = Writer(db)
        storage = Storage(store=self.store, scratch=folder, confine=Confine(slots=1), marking=NO_MARKING)
        self.engine: Engine = engine(db, storage=storage)

    def content(self, text: str, kind: Kind = Kind.IMAGE) -> Inspected:
        path = self._folder / f"{kind}-{text}"
        path.write_text(text)
        facts = Facts(media_type="image/png", bytes=len(text))
        return Inspected(kind=kind, path=path, sha256=hashlib.sha256(text.encode()).hexdigest(), facts=facts)

    async def upload(
        self, me: Owner, *contents: Inspected, livemode: bool = False, keep_seconds: int = 60
    ) -> list[str]:
        """As `POST /v1/files` does."""
        inspected = {str(n): one for n, one in enumerate(contents)}
        files = await self.references.put(inspected, principal(me, livemode), inline=False, keep_seconds=keep_seconds)
        try:
            await self.insert(files)
        except ObjectGoneError:
            files = await self.references.unshare(files, inspected)
            await self.insert(files)
        await self.references.repair(files.values())
        return [file.id for file in files.values()]

    async def insert(self, files: dict[str, NewFile]) -> None:
        async with self.db.transaction() as connection:
            shared = {file.shares for file in files.values() if file.shares}
            if shared - await hold_files(connection, shared):
                raise ObjectGoneError
            await insert_files(connection, list(files.values()))

    async def create(self, me: Owner, *contents: Inspected, key: str) -> str:
        """As `POST /v1/videos` does with inline media; the generation is canceled at once."""
        inspected = {str(n): one for n, one in enumerate(contents)}
        files = await self.references.put(inspected, principal(me), inline=True, keep_seconds=60)
        media = tuple(NewMedium(role=Role.REFERENCE, file_id=file.id) for file in files.values())
        wanted = new(me, key=key, new_files=tuple(files.values()), media=media)
        try:
            created = await self.writer(wanted)
        except ObjectGoneError:
            files = await self.references.unshare(files, inspected)
            created = await self.writer(msgspec.structs.replace(wanted, new_files=tuple(files.values())))
        await self.references.repair(files.values())
        made = created.generation_id
        await self.db.execute("UPDATE generation SET state = 'canceled', finished_at = now() WHERE id = $1", made)
        return made

    async def objects(self) -> set[str]:
        return await stored(self.store)

    async def named(self) -> list[str]:
        return [record["object_key"] for record in await self.db.fetch("SELECT object_key FROM file")]


async def stored(store: ObjectStore) -> set[str]:
    return {meta["path"] for meta in await obstore.list(store).collect_async()} - {claim.KEY}


def principal(me: Owner, livemode: bool = False) -> Principal:
    return Principal(me.account_id, me.key_id, livemode)


def test_equal_content_is_stored_once_for_an_account_in_a_mode_and_never_across(
    database_url: str, tmp_path: Path
) -> None:
    async def verb(db: Database) -> None:
        bench, one = Bench(db, tmp_path), await owner(db)
        two = await owner(db, "two@example.org")
        cat = bench.content("cat")
        ids = [await bench.upload(one, cat) for _ in range(3)]
        await bench.create(one, cat, bench.content("dog"), cat, key="a")
        assert len({*itertools.chain(*ids)}) == 3
        assert len(await bench.named()) == 6
        assert len(await bench.objects()) == 2  # one cat, one dog
        await bench.upload(one, bench.content("cat", Kind.AUDIO))
        await bench.upload(one, cat, livemode=True)
        await bench.upload(two, cat)
        assert len(await bench.objects()) == 5
        assert set(await bench.named()) == await bench.objects()

    with_database(database_url, verb)


def test_two_equal_ones_of_one_request_share_an_object_though_neither_was_kept_before(
    database_url: str, tmp_path: Path
) -> None:
    async def verb(db: Database) -> None:
        bench, me = Bench(db, tmp_path), await owner(db)
        assert len(await bench.upload(me, bench.content("cat"), bench.content("cat"))) == 2
        assert len(await bench.objects()) == 1

    with_database(database_url, verb)


def test_an_object_goes_with_its_last_file(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        bench, me = Bench(db, tmp_path), await owner(db)
        ids = [(await bench.upload(me, bench.content("cat")))[0] for _ in range(5)]
        await remove_files(ids[:1], bench.engine)
        await remove_files(ids[1:3], bench.engine)
        assert len(await bench.objects()) == 1
        await asyncio.gather(remove_files(ids[3:4], bench.engine), remove_files(ids[4:], bench.engine))
        assert await bench.objects() == set()

    with_database(database_url, verb)


def test_of_two_deletes_at_once_one_takes_the_object(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        bench, me = Bench(db, tmp_path), await owner(db)
        for _ in range(40):
            ids = [(await bench.upload(me, bench.content("cat")))[0] for _ in range(4)]
            await asyncio.gather(*(remove_files([one], bench.engine) for one in ids))
            assert await bench.objects() == set()

    with_database(database_url, verb)


def test_what_was_to_be_shared_and_is_gone_is_put_anew(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        bench, me = Bench(db, tmp_path), await owner(db)
        await bench.upload(me, bench.content("cat"))
        both = {"cat": bench.content("cat"), "dog": bench.content("dog")}
        files = await bench.references.put(both, principal(me), inline=False, keep_seconds=60)
        assert files["cat"].shares
        found = await db.fetch("SELECT id FROM file")
        await remove_files([record["id"] for record in found], bench.engine)
        with pytest.raises(ObjectGoneError):
            await bench.insert(files)
        files = await bench.references.unshare(files, both)
        assert files["cat"].shares is None
        await bench.insert(files)
        assert set(await bench.named()) == await bench.objects()
        assert len(await bench.objects()) == 2

    with_database(database_url, verb)


class Overtaken(References):
    """The file whose object a new one is to share is deleted before the new row is written."""

    async def put(
        self, inspected: Mapping[str, Inspected], principal: Principal, *, inline: bool, keep_seconds: int
    ) -> dict[str, NewFile]:
        files = await super().put(inspected, principal, inline=inline, keep_seconds=keep_seconds)
        async with self._db.transaction() as connection:
            removed = await delete_files(connection, [file.shares for file in files.values() if file.shares])
        await objects.delete(self._store, removed.object_keys)
        return files


def test_an_upload_and_a_create_whose_shared_object_goes_meanwhile_have_their_own(
    database_url: str, tmp_path: Path
) -> None:
    async def verb(db: Database) -> None:
        bench, me = Bench(db, tmp_path), await owner(db)
        outbound = Outbound()
        references = Overtaken(db=db, store=bench.store, confine=Confine(slots=1), outbound=outbound)
        upload = Uploads(db=db, references=references, keep_seconds=60)
        scratch = Scratch(tmp_path / "scratch")
        intake = Intake(scratch, Disk([scratch.path], reserve_percent=0), max_uploads=8, max_bytes=1 << 30)
        parts = Creating(
            db=db, writer=bench.writer, books=Books(db), references=references, router=Router(), retention_seconds=3600,
            grace_seconds=3600, deadline_seconds=600,
        )  # fmt: skip

        async def uploading() -> None:
            async with intake.folder(me.account_id) as folder:
                path = await folder.make() / "given"
                path.write_bytes(picture())
                staged = Staged(path=path, bytes=path.stat().st_size)
                await upload(staged, principal=principal(me), once=None, folder=folder)

        async def creating() -> None:
            image = "data:image/png;base64," + base64.b64encode(picture()).decode()
            media = Media(kind=Kind.IMAGE, role="first_frame", path="images[0]")
            wish = CreateGeneration(
                request=Request(prompt="x", resolution="480p", duration=4, images=[media]),
                sources=(Source(path="images[0]", kind=Kind.IMAGE, url=image),),
            )
            once = Once(account_id=me.account_id, route="test POST /v1/videos", key="k", fingerprint=b"x")
            async with intake.folder(me.account_id) as folder:
                await create(wish, principal=principal(me), once=once, folder=folder, parts=parts)

        for act in (uploading, uploading, creating):
            await act()
            assert len(await bench.named()) == 1
            assert await bench.objects() == set(await bench.named())

    with_database(database_url, verb)


@pytest.mark.parametrize("damage", ["gone", "torn", "changed"])
def test_what_was_lost_is_written_anew_by_the_next_upload_of_the_same(
    database_url: str, tmp_path: Path, damage: str
) -> None:
    """And so the older files that share the object work again, under their own ids."""

    async def verb(db: Database) -> None:
        bench, me = Bench(db, tmp_path), await owner(db)
        cat = bench.content("cat")
        (first,) = await bench.upload(me, cat)
        (key,) = await bench.named()
        match damage:
            case "gone":
                await obstore.delete_async(bench.store, key)
            case "torn":
                await obstore.put_async(bench.store, key, b"ca")
            case _:
                await obstore.put_async(bench.store, key, b"cut")
                await scrub(bench.engine)  # of the same size: only its digest tells
        files, lost = await bench.references.find([first], principal(me))
        assert (set(files), lost) == ({first}, {first})
        (second,) = await bench.upload(me, cat)
        assert len({*await bench.named()}) == 1  # they share an object again
        assert bytes(await (await obstore.get_async(bench.store, (await bench.named())[0])).bytes_async()) == b"cat"
        files, lost = await bench.references.find([first, second], principal(me))
        assert (set(files), lost) == ({first, second}, set())

    with_database(database_url, verb)


def test_deletes_and_expiry_against_creates_and_uploads(
    database_url: str, tmp_path: Path, schedules: Callable[[int], None], sample: Sample
) -> None:
    """Many at once over three contents. After every round each row has its object, and in the end each object a row."""
    rounds, chance = sample.rounds(600, 30), sample.chance

    async def verb(db: Database) -> None:
        bench, me = Bench(db, tmp_path), await owner(db)
        pictures = [bench.content(text) for text in ("a", "b", "c")]
        number = itertools.count()

        async def put() -> None:
            some = chance.sample(pictures, chance.randint(1, 2))
            if chance.random() < 0.5:
                await bench.upload(me, *some, keep_seconds=chance.choice([0, 60]))
            else:
                await bench.create(me, *some, key=f"key {next(number)}")

        async def take() -> None:
            found = await db.fetch("SELECT id FROM file")
            ids = [record["id"] for record in found]
            await remove_files(chance.sample(ids, min(len(ids), chance.randint(1, 6))), bench.engine)

        for _ in range(rounds):
            work = [put() for _ in range(6)] + [take() for _ in range(4)] + [expire(bench.engine)]
            chance.shuffle(work)
            await asyncio.gather(*work)
            missing = set(await bench.named()) - await bench.objects()
            assert not missing
        assert await bench.objects() == set(await bench.named())
        found = await examine(db, bench.store, accepted=None, tell=lambda _: None)
        # a generation that a test ends by hand tells nobody
        assert {one.name: one.count for one in found if one.count and one.name != "INV-4"} == {}

    with_database(database_url, verb)
    schedules(rounds)


def test_collection_spares_an_old_object_that_is_about_to_be_shared(database_url: str, tmp_path: Path) -> None:
    """At no moment does the list of named objects lack one that passes from its last file to the next."""

    async def verb(db: Database) -> None:
        bench, me = Bench(db, tmp_path), await owner(db)
        await claimed(db, bench.store)
        (last,) = await bench.upload(me, bench.content("cat"))
        over = asyncio.Event()

        async def hand_on() -> None:
            nonlocal last
            for _ in range(100):
                (following,) = await bench.upload(me, bench.content("cat"))
                await remove_files([last], bench.engine)
                last = following
            over.set()

        async def collecting() -> None:
            while not over.is_set():
                await collect_orphans(db, bench.store, Limits(age=timedelta(seconds=-60)))  # every object is old enough
                assert await db.fetchval("SELECT count(*) FROM unowned_object") == 0

        await asyncio.gather(hand_on(), collecting())
        assert set(await bench.named()) == await bench.objects()

    with_database(database_url, verb)


def test_an_insert_holds_what_it_shares_until_it_is_written(database_url: str, tmp_path: Path) -> None:
    async def verb(db: Database) -> None:
        bench, me = Bench(db, tmp_path), await owner(db)
        (first,) = await bench.upload(me, bench.content("cat"))
        (key,) = await bench.named()

        async def delete() -> list[str]:
            async with db.transaction() as connection:
                return (await delete_files(connection, [first])).object_keys

        async with db.transaction() as connection:
            assert await hold_files(connection, [first]) == {first}
            deleting = asyncio.create_task(delete())
            done, _ = await asyncio.wait([deleting], timeout=0.3)
            assert not done  # it waits for us
            twin = msgspec.structs.replace(_file(me, key), shares=first)
            await insert_files(connection, [twin])
        assert await deleting == []
        assert await bench.named() == [key]

    with_database(database_url, verb)


def _file(me: Owner, key: str) -> NewFile:
    return NewFile(
        id="file_twin", account_id=me.account_id, livemode=False, inline=False, kind=Kind.IMAGE, object_key=key,
        sha256="sha-cat", facts=Facts(media_type="image/png", bytes=3), keep_seconds=60,
    )  # fmt: skip
